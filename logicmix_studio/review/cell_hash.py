"""A fixed random number for every cell.

Drawing by cell rather than in sequence keeps an order, or a simulated answer, the same after a restart and
whatever was asked before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

# The constants of splitmix64 (Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators").
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def cell_hash(cells: ArrayLike, seed: int) -> NDArray[np.uint64]:
    """Return 64 random bits for each cell.

    Args:
        cells: Any shape, flat cell indices, 0 or more.
        seed: Another seed gives unrelated bits.
    """
    start = np.random.SeedSequence(seed).generate_state(1, np.uint64)
    mixed = np.asarray(cells).astype(np.uint64) * _STEP
    mixed = mixed + start
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed.reshape(np.shape(cells))


def cell_uniform(cells: ArrayLike, seed: int) -> NDArray[np.float64]:
    """Return a random number in [0, 1) for each cell; see `cell_hash`."""
    return (cell_hash(cells, seed) >> np.uint64(11)).astype(np.float64) * 2.0**-53
