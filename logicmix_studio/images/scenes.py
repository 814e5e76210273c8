"""Draw scenes of handwritten digits: images whose labels anyone can judge at a glance."""

from __future__ import annotations

import colorsys
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SCENE_SIZE: Final = 160
"""Width and height of a scene in pixels."""

_DIGIT_SIZES: Final = (62, 78)
"""Smallest and largest side of a drawn digit; four of the largest just fit into a scene."""

_HALF: Final = SCENE_SIZE // 2


def draw_scene(digits: list[NDArray[np.float64]], rng: np.random.Generator) -> Image.Image:
    """Draw one to four digits on a coloured ground.

    Args:
        digits: Ink of each digit, (8, 8), values 0 to 16, as scikit-learn stores them.
        rng: Where place, size and colours come from.

    Returns:
        An RGB image of `SCENE_SIZE` by `SCENE_SIZE`.
    """
    hue = rng.uniform()
    scene = _draw_ground(hue, rng)
    quarters = rng.permutation(4)[: len(digits)]
    for ink, quarter in zip(digits, quarters, strict=True):
        side = int(rng.integers(_DIGIT_SIZES[0], _DIGIT_SIZES[1] + 1))
        slack = _HALF - side
        top = (quarter // 2) * _HALF + int(rng.integers(0, slack + 1))
        left = (quarter % 2) * _HALF + int(rng.integers(0, slack + 1))
        colour = _colour(hue + rng.uniform(0.35, 0.65), rng.uniform(0.0, 0.35), rng.uniform(0.92, 1.0))
        mask = _enlarge(ink, side)[..., None]
        patch = scene[top : top + side, left : left + side]
        patch += mask * (colour - patch)
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def _draw_ground(hue: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a dark ground that fades between two neighbouring hues, (SCENE_SIZE, SCENE_SIZE, 3)."""
    first = _colour(hue, rng.uniform(0.5, 0.9), rng.uniform(0.25, 0.45))
    second = _colour(hue + rng.uniform(-0.1, 0.1), rng.uniform(0.5, 0.9), rng.uniform(0.25, 0.45))
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:SCENE_SIZE, 0:SCENE_SIZE] / SCENE_SIZE - 0.5
    share = np.clip(0.5 + np.cos(angle) * columns + np.sin(angle) * rows, 0, 1)[..., None]
    ground: NDArray[np.float32] = (first * (1 - share) + second * share).astype(np.float32)
    return ground


def _enlarge(ink: NDArray[np.float64], side: int) -> NDArray[np.float32]:
    """Scale a digit up smoothly and sharpen its outline; returns coverage in [0, 1], (side, side)."""
    small = Image.fromarray((ink * (255 / 16)).astype(np.uint8))
    large = np.asarray(small.resize((side, side), Image.Resampling.BICUBIC), dtype=np.float32) / 255
    coverage: NDArray[np.float32] = np.clip((large - 0.25) / 0.3, 0, 1).astype(np.float32)
    return coverage


def _colour(hue: float, saturation: float, value: float) -> NDArray[np.float32]:
    """Return a colour as three numbers in [0, 255]."""
    return np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value), dtype=np.float32) * 255
