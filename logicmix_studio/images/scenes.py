"""Draw scenes of handwritten digits: images whose labels anyone can judge at a glance."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SCENE_SIZE: Final = 160
"""Width and height of a scene in pixels."""

MOST_DIGITS: Final = 4
"""Digits that a scene can hold, one in each quarter."""

_HALF: Final = SCENE_SIZE // 2

# Digits of nearly one size and bright ink on dark grounds: tried until a linear head on frozen features finds
# enough of them after one round (docs/performance.md).
_SMALLEST_SIDE: Final = 76
_LARGEST_SIDE: Final = 78
_INK_STARTS_AT: Final = 0.4
_INK_FULL_AT: Final = 0.65


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
