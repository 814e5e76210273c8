"""Scores as whole numbers.

A float16 score in [0, 1] is one of 15,361 values, and its bit pattern, read as a whole number, rises with
it. Comparing, counting and sorting millions of scores is therefore exact and fast on the bits, and any
function of a score is a table with one entry a value.

N images, C classes.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError

LAST_BIT = 15360
"""The bits of the score 1.0; the bits of 0.0 are 0."""

HALF_BIT = 14336
"""The bits of the score 0.5, which claims nothing."""


def score_bits(scores: NDArray[np.float16]) -> NDArray[np.uint16]:
    """Return the bits of float16 scores of any shape: 0 for score 0 to `LAST_BIT` for score 1; a view where possible.

    Raises:
        StudioError: If the scores are of another type, or one lies outside [0, 1].

    Example:
        >>> score_bits(np.array([0.0, 1.0], dtype=np.float16)).tolist()
        [0, 15360]
    """
    if scores.dtype != np.float16:
        raise StudioError(f"Scores must be float16, but are {scores.dtype}.", "Convert them with apply_calibration.")
    bits: NDArray[np.uint16] = scores.view(np.uint16)
    if bits.size and bits.max() > LAST_BIT:
        place = tuple(int(index) for index in np.argwhere(bits > LAST_BIT)[0])
        raise StudioError(
            f"Scores must lie in 0 to 1, but the one at {place} is {scores[place]}.",
            "Bring them into range with apply_calibration.",
        )
    return bits


@cache
def score_values() -> NDArray[np.float64]:
    """Return (15361,) the score of every bit pattern, rising from 0 to 1; read-only."""
    values = np.arange(LAST_BIT + 1, dtype=np.uint16).view(np.float16).astype(np.float64)
    values.setflags(write=False)
    return values


@cache
def certainty_ranks() -> NDArray[np.uint16]:
    """Return (15361,) how certain each score is: ranks from 0 for a score of 0.5, equal on both sides; read-only."""
    distance = np.abs(score_values() - 0.5)
    ranks = np.unique(distance, return_inverse=True)[1].astype(np.uint16)
    ranks.setflags(write=False)
    return ranks


def positive_cut(threshold: NDArray[np.float64] | float) -> NDArray[np.uint16]:
    """Return the bits from which a score claims presence: at least the threshold in [0.5, 1], and above 0.5."""
    lowest = np.searchsorted(score_values(), threshold, side="left")
    return np.maximum(lowest, HALF_BIT + 1).astype(np.uint16)


def negative_cut(threshold: NDArray[np.float64] | float) -> NDArray[np.uint16]:
    """Return the bits up to which a score claims absence: below 0.5, and one minus it reaches the threshold."""
    falling = -(1.0 - score_values())
    highest = np.searchsorted(falling, -np.asarray(threshold), side="right") - 1
    return np.minimum(highest, HALF_BIT - 1).astype(np.uint16)
