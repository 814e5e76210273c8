"""Make the demo data set: scenes of handwritten digits, whose labels anyone can judge, of which few are known."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import write_cells
from logicmix_studio.labels import DEFAULT_SEED, NEGATIVE, POSITIVE, LabelTable, hide_labels
from logicmix_studio.words import Progress

CLASS_NAMES: Final = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TRUTH_FILE: Final = ".truth/labels.csv"
"""Where the complete labels stand, below the demo's folder; hidden, so that no import finds them."""
SCENE_SIZE: Final = 160
"""Width and height of a scene in pixels."""
MOST_DIGITS: Final = 4
"""Digits that a scene can hold, one in each quarter."""

_HALF: Final = SCENE_SIZE // 2
# Shares of scenes with one, two, three and four digits.
_SHARES: Final = (0.4, 0.35, 0.15, 0.1)
# Of each digit, the samples nearest to its mean: those that a person reads without doubt.
_SAMPLES_A_DIGIT: Final = 16
_TEST_SAMPLES: Final = 4
_TEST_SHARE: Final = 0.15
_KNOWN_PROPORTION: Final = 0.2
_JPEG_QUALITY: Final = 92
_PROGRESS_EVERY: Final = 50
# Digits of nearly one size and bright ink on dark grounds: tried until a linear head on frozen features finds
# enough of them after one round (docs/performance.md).
_SMALLEST_SIDE: Final = 76
_LARGEST_SIDE: Final = 78
_INK_STARTS_AT: Final = 0.4
_INK_FULL_AT: Final = 0.65

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
    known: LabelTable
    """What `labels.csv` says; the test split is complete."""
    complete: LabelTable
    """The truth, for the same images and classes."""


def make_demo(
    folder: Path, num_images: int = 1200, *, seed: int = DEFAULT_SEED, progress: Progress | None = None
) -> Demo:
    """Draw the demo's images and write its labels, in a folder that is made where missing.

    Train and test scenes are drawn from different samples of handwriting. The same arguments give the same files.

    Raises:
        StudioError: If the folder holds labels already.
    """
    labels_file = folder / "labels.csv"
    if labels_file.exists():
        raise StudioError(f"{folder} holds labels already", "Choose another folder, or remove this one.")
    rng = np.random.default_rng(seed)
    is_test = np.zeros(num_images, dtype=bool)
    is_test[rng.permutation(num_images)[: round(_TEST_SHARE * num_images)]] = True
    states = _draw_images(folder, is_test, rng, progress)
    splits = ["test" if flag else "train" for flag in is_test.tolist()]
    complete = LabelTable.build([_path(number) for number in range(num_images)], CLASS_NAMES, states, splits)
    known = hide_labels(complete, _KNOWN_PROPORTION, seed)
    (folder / "README.txt").write_text(_README, encoding="utf-8")
    (folder / TRUTH_FILE).parent.mkdir(exist_ok=True)
    write_cells(folder / TRUTH_FILE, "csv-wide", complete)
    # Last, as its presence says that the demo is whole.
    write_cells(labels_file, "csv-wide", known)
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


def _path(number: int) -> str:
    return f"images/{number:05d}.jpg"


def draw_scene(digits: Sequence[NDArray[np.float64]], rng: np.random.Generator) -> Image.Image:
    """Draw one to four digits on a coloured ground.

    Args:
        digits: Ink of each digit, (8, 8), values 0 to 16, as scikit-learn stores them.
        rng: Where place, size and colours come from.

    Returns:
        An RGB image of `SCENE_SIZE` by `SCENE_SIZE`.
    """
    scene = _draw_ground(rng)
    quarters = rng.permutation(MOST_DIGITS)[: len(digits)]
    for ink, quarter in zip(digits, quarters.tolist(), strict=True):
        side = int(rng.integers(_SMALLEST_SIDE, _LARGEST_SIDE + 1))
        top, left = _place(quarter, side, len(digits), rng)
        colour = _colour(rng.uniform(), rng.uniform(0.0, 0.04), rng.uniform(0.95, 1.0))
        coverage = _enlarge(ink, side)[..., None]
        patch = scene[top : top + side, left : left + side]
        patch += coverage * (colour - patch)
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def _place(quarter: int, side: int, num_digits: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return top and left of a digit: anywhere if it is alone, otherwise within its quarter."""
    if num_digits == 1:
        top, left = rng.integers(0, SCENE_SIZE - side + 1, 2).tolist()
        return top, left
    down, right = rng.integers(0, _HALF - side + 1, 2).tolist()
    return (quarter // 2) * _HALF + down, (quarter % 2) * _HALF + right


def _draw_ground(rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a dark ground that fades between two neighbouring hues, (SCENE_SIZE, SCENE_SIZE, 3)."""
    hue = rng.uniform()
    first = _colour(hue, rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.35))
    second = _colour(hue + rng.uniform(-0.1, 0.1), rng.uniform(0.5, 0.9), rng.uniform(0.2, 0.35))
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:SCENE_SIZE, 0:SCENE_SIZE] / SCENE_SIZE - 0.5
    share = np.clip(0.5 + np.cos(angle) * columns + np.sin(angle) * rows, 0, 1)[..., None]
    ground: NDArray[np.float32] = (first * (1 - share) + second * share).astype(np.float32)
    return ground


def _enlarge(ink: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    """Scale a digit up smoothly and sharpen its outline; returns coverage in [0, 1], (side, side)."""
    small = Image.fromarray((ink * (255 / 16)).astype(np.uint8))
    large = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    coverage: NDArray[np.float32] = np.clip((large - _INK_STARTS_AT) / (_INK_FULL_AT - _INK_STARTS_AT), 0, 1)
    return coverage


def _colour(hue: float, saturation: float, value: float) -> NDArray[np.float32]:
    """Return a colour as three numbers in [0, 255]."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), dtype=np.float32) * 255
