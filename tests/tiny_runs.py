"""Tiny images that a tiny network can learn from, and the settings of tiny runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from logicmix_studio.labels import image_id
from logicmix_studio.training.run_folder import Snapshot

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
