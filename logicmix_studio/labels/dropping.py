"""How much is known, and how to hide labels of a complete table for a trial."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.labels.states import POSITIVE, UNKNOWN, as_states

DEFAULT_SEED: Final = 526
"""Seed of the published experiments."""


def known_proportion(states: ArrayLike) -> float:
    """Return the share of cells that are known, in [0, 1]; 0 where there are none. Any shape.

    Example:
        >>> known_proportion([[1, 0], [-1, 0]])
        0.5
    """
    array = as_states(states)
    return float(np.count_nonzero(array)) / array.size if array.size else 0.0


def drop_labels(states: ArrayLike, known_proportion: float, seed: int = DEFAULT_SEED) -> NDArray[np.int8]:
    """Keep each known cell with the given probability, and make the others unknown.

    One number is drawn per known cell, image by image: first an image's positives, then its negatives,
    classes ascending. The draws do not depend on the proportion, so what is known at 10 % is also known
    at 20 %. The share that is left is binomial, not exact.

    N images, C classes.

    Args:
        states: (N, C), values in {-1, 0, 1}.
        known_proportion: Probability in [0, 1] to keep a known cell.
        seed: Seed of the PCG64 generator.

    Returns:
        (N, C), a new array.

    Raises:
        ValueError: The proportion lies outside [0, 1], or the states are not a matrix.
    """
    if not 0.0 <= known_proportion <= 1.0:
        raise ValueError(f"known_proportion must lie in [0, 1], but {known_proportion} was given")
    dropped = as_states(states).copy()
    if dropped.ndim != 2:
        raise ValueError(f"states must have two axes (images, classes), but their shape is {dropped.shape}")
    rows, columns = np.nonzero(dropped)
    order = np.lexsort((columns, dropped[rows, columns] != POSITIVE, rows))
    draws = np.random.Generator(np.random.PCG64(seed)).random(rows.size)
    hidden = order[draws >= known_proportion]
    dropped[rows[hidden], columns[hidden]] = UNKNOWN
    return dropped
