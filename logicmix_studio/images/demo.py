"""Make the demo data set: scenes of handwritten digits, of which few cells are known."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.images.scenes import MOST_DIGITS, draw_scene
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, LabelTable, drop_labels

CLASS_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""The ten classes."""

TRUTH_FILE: Final = ".truth/labels.csv"
"""Where the complete labels stand, below the demo's folder; hidden, so that no import finds them."""

Progress = Callable[[int, int, str], None]
"""Called with (done, total, message)."""

# Shares of scenes with one, two, three and four digits.
_SHARES: Final = (0.4, 0.35, 0.15, 0.1)
# Of each digit, the samples nearest to its mean: those that a person reads without doubt.
_SAMPLES_A_DIGIT: Final = 16
_TEST_SAMPLES: Final = 4
_JPEG_QUALITY: Final = 92
_PROGRESS_EVERY: Final = 50

_README: Final = """\
Scenes of handwritten digits, made by `logicmix-studio demo`
============================================================

images/        drawn scenes, 160 x 160 pixels, one to four digits each
labels.csv     what is known: 1 present, 0 absent, empty unknown; split test is complete
.truth/        the complete labels, only to measure pseudo-labels

The digits are samples of "Optical Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI
Machine Learning Repository, https://doi.org/10.24432/C50P49, licensed under CC BY 4.0, as they come with
scikit-learn. They were enlarged and coloured.
"""


@dataclass(frozen=True)
class Demo:
    """A demo data set on disk."""

    folder: Path
    """Its folder."""
    known: LabelTable
    """What `labels.csv` says; the test split is complete."""
    complete: LabelTable
    """The truth, for the same images and classes."""


def make_demo(
    folder: Path,
    num_images: int = 1200,
    *,
    seed: int = 526,
    known_proportion: float = 0.2,
    test_share: float = 0.15,
    progress: Progress | None = None,
) -> Demo:
    """Draw the demo's images and write its labels.

    Train and test scenes are drawn from different samples of handwriting. The same arguments give the same files.

    Args:
        folder: Where to write; made where missing.
        num_images: How many scenes.
        seed: Seed of everything drawn.
        known_proportion: Share of the cells outside the test split that are known, in [0, 1].
        test_share: Share of the images in split `test`, in [0, 1].
        progress: Called now and then.

    Raises:
        StudioError: If the folder holds labels already.
    """
    labels_file = folder / "labels.csv"
    if labels_file.exists():
        raise StudioError(f"{folder} holds labels already", "Choose another folder, or remove this one.")
    rng = np.random.default_rng(seed)
    is_test = np.zeros(num_images, dtype=bool)
    is_test[rng.permutation(num_images)[: round(test_share * num_images)]] = True
    states = _draw_images(folder, is_test, rng, progress)
    paths = [_path(number) for number in range(num_images)]
    splits = ["test" if flag else "train" for flag in is_test.tolist()]
    complete = LabelTable.build(paths, CLASS_NAMES, states, splits)
    partial = drop_labels(states, known_proportion, seed)
    partial[is_test] = states[is_test]
    known = LabelTable.build(paths, CLASS_NAMES, partial, splits)
    (folder / "README.txt").write_text(_README, encoding="utf-8")
    (folder / TRUTH_FILE).parent.mkdir(exist_ok=True)
    _write_labels(folder / TRUTH_FILE, complete)
    # Last, as its presence says that the demo is whole.
    _write_labels(labels_file, known)
    return Demo(folder, known, complete)


def _draw_images(
    folder: Path, is_test: NDArray[np.bool_], rng: np.random.Generator, progress: Progress | None
) -> NDArray[np.int8]:
    """Write one scene an image; return the complete states, (N, 10)."""
    pools = _choose_samples(rng)
    states = np.full((len(is_test), len(CLASS_NAMES)), NEGATIVE, dtype=np.int8)
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for number, is_measured in enumerate(is_test.tolist()):
        digits = rng.choice(len(CLASS_NAMES), rng.choice(MOST_DIGITS, p=_SHARES) + 1, replace=False)
        states[number, digits] = POSITIVE
        pool = pools[is_measured]
        scene = draw_scene([pool[digit][rng.integers(len(pool[digit]))] for digit in digits], rng)
        scene.save(folder / _path(number), quality=_JPEG_QUALITY)
        if progress is not None and ((number + 1) % _PROGRESS_EVERY == 0 or number + 1 == len(is_test)):
            progress(number + 1, len(is_test), "drawing scenes")
    return states


def _choose_samples(rng: np.random.Generator) -> dict[bool, list[NDArray[np.float64]]]:
    """Return legible samples of each digit, (n, 8, 8): those for test scenes under True, the others under False."""
    from sklearn.datasets import load_digits  # noqa: PLC0415  # seconds that a second launch does not need

    digits = load_digits()
    pools: dict[bool, list[NDArray[np.float64]]] = {False: [], True: []}
    for digit in range(len(CLASS_NAMES)):
        samples = digits.images[digits.target == digit]
        distances = np.square(samples - samples.mean(axis=0)).sum(axis=(1, 2))
        legible = samples[rng.permutation(np.argsort(distances, kind="stable")[:_SAMPLES_A_DIGIT])]
        pools[True].append(legible[:_TEST_SAMPLES])
        pools[False].append(legible[_TEST_SAMPLES:])
    return pools


def _write_labels(file: Path, table: LabelTable) -> None:
    text_of_state = {POSITIVE: "1", NEGATIVE: "0", UNKNOWN: ""}
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image", "split", *table.class_names])
        for path, split, states in zip(table.paths, table.splits, table.states.tolist(), strict=True):
            writer.writerow([path, split, *(text_of_state[state] for state in states)])


def _path(number: int) -> str:
    """Return the path of a scene below the demo's folder."""
    return f"images/{number:05d}.jpg"
