"""Tiny images that a tiny network can learn from, and runs on them in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from logicmix_studio.labels import image_id
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.control import Control
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_folder import RunFolder, Snapshot, write_atomically
from logicmix_studio.training.workplace import Workplace

CLASS_NAMES = ("red", "green", "blue")
TINY: dict[str, object] = {
    "backbone.name": "test_efficientnet_ln",
    "backbone.weights": "random",
    "backbone.image_size": 32,
    "compute.device": "cpu",
}
TINY_FULL: dict[str, object] = {
    **TINY,
    "compute.precision": "float32",
    "schedule.epochs": 3,
    "schedule.min_steps": 0,
    "optimizer.batch_size": 16,
    "optimizer.micro_batch": 8,
    "optimizer.learning_rate": 2e-3,
    "augment.magnitude": 2,
    "pseudo.positive_logit": 0.5,
    "pseudo.negative_logit": -0.5,
}


def paint_images(root: Path, num_images: int, seed: int = 0) -> Snapshot:
    """Write images of coloured noise and return what is known: half the cells, chosen at random."""
    generator = np.random.default_rng(seed)
    truth = generator.random((num_images, 3)) < 0.4
    paths = [f"{seed}-{number:03d}.png" for number in range(num_images)]
    root.mkdir(parents=True, exist_ok=True)
    for path, colours in zip(paths, truth, strict=True):
        pixels = generator.integers(0, 90, (32, 32, 3)) + 160 * colours
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(root / path)
    known = generator.random(truth.shape) < 0.5
    states = np.where(known, np.where(truth, 1, -1), 0).astype(np.int8)
    splits = np.array(["test" if number % 10 == 9 else "train" for number in range(num_images)])
    return Snapshot(
        states, np.array([image_id(path) for path in paths]), np.array(paths), np.array(CLASS_NAMES), splits
    )


@pytest.fixture
def paint() -> Callable[..., Snapshot]:
    """Return the painter of images."""
    return paint_images


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let torch leave the other cores to the other tests."""
    torch.set_num_threads(1)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Forty images on disk and what is known of them."""
    return paint_images(tmp_path / "images", 40)


@pytest.fixture
def make_run(tmp_path: Path, snapshot: Snapshot) -> Callable[..., RunFolder]:
    """Write the folder of a run on the forty images."""

    def make(
        recipe: str = "quick",
        number: int = 1,
        overrides: Mapping[str, object] | None = None,
        of: Snapshot | None = None,
        init_from: int | None = None,
    ) -> RunFolder:
        what = snapshot if of is None else of
        folder = RunFolder(tmp_path / "work" / "runs" / f"{number:04d}")
        folder.path.mkdir(parents=True)
        config = RunConfig.create(
            recipe,
            overrides={**(TINY if recipe == "quick" else TINY_FULL), **(overrides or {})},
            init_from=init_from,
            root=str(tmp_path / "images"),
            class_names=what.class_names.tolist(),
        )
        with write_atomically(folder.config_file) as file:
            file.write(config.to_json().encode())
        what.save(folder.snapshot_file)
        return folder

    return make


@pytest.fixture
def workplace() -> Iterator[Callable[[RunFolder], Workplace]]:
    """Return where a run works in this process."""
    reporters: list[Reporter] = []

    def at(folder: RunFolder) -> Workplace:
        cache = folder.path.parent.parent / "cache"
        reporters.append(Reporter(folder))
        return Workplace(folder, cache, torch.device("cpu"), reporters[-1], Control(folder))

    yield at
    for reporter in reporters:
        reporter.close()
