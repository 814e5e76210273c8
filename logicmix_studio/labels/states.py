"""The three states of a cell, their OR in Kleene's strong three-valued logic, and hiding states for a trial.

With NEGATIVE < UNKNOWN < POSITIVE the OR of any number of states is their maximum:

- *domination*: one positive source makes the blend positive, whatever the others are;
- *identity*: negative sources change nothing, so a blend of negatives only is negative;
- *open*: no source is positive and at least one is unknown, so nothing can be said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

POSITIVE: Final = 1
"""The class is present: someone or something trusted said so."""
UNKNOWN: Final = 0
"""Nobody looked. This is not negative."""
NEGATIVE: Final = -1
"""The class is absent, verified."""
STATE_NAMES: Final[dict[int, str]] = {POSITIVE: "positive", UNKNOWN: "unknown", NEGATIVE: "negative"}

DEFAULT_SEED: Final = 526
"""Seed of the published experiments."""


def as_states(values: ArrayLike) -> NDArray[np.int8]:
    """Return values of any shape as int8 states; int8 is not copied.

    Raises:
        ValueError: A value is not -1, 0 or 1.
    """
    array = np.asarray(values)
    if array.dtype == np.int8 and array.size and array.min() >= NEGATIVE and array.max() <= POSITIVE:
        return array
    wrong = array[~np.isin(array, (NEGATIVE, UNKNOWN, POSITIVE))]
    if wrong.size:
        raise ValueError(f"states must be -1 (negative), 0 (unknown) or 1 (positive), but {wrong[0]} was found")
    return array.astype(np.int8)


def kleene_or(states: ArrayLike, axis: int = 0) -> NDArray[np.int8]:
    """Return the OR of states of any shape along the axis of the sources.

    Raises:
        ValueError: There is no source: an OR of nothing would call every class negative.

    Example:
        >>> kleene_or([[1, 0, -1, -1], [-1, -1, -1, 0]])
        array([ 1,  0, -1,  0], dtype=int8)
    """
    array = as_states(states)
    if array.ndim == 0 or array.shape[axis] == 0:
        raise ValueError(f"OR needs at least one source, but the shape is {array.shape} and the axis {axis}")
    return np.asarray(array.max(axis=axis), dtype=np.int8)


@dataclass(frozen=True, slots=True)
class OrExplanation:
    """Why one class of a blend has its state; sources are given by their positions."""

    result: int
    deciding: tuple[int, ...]
    """The sources that decide: the positive ones (domination), all of them (identity), none while open."""
    open_sources: tuple[int, ...]
    """The unknown sources that keep the class open; a yes to any settles it, a no only to the last one."""


def explain_or(states: ArrayLike) -> tuple[OrExplanation, ...]:
    """Return for each class of a blend which sources decided it, or keep it open.

    Args:
        states: (K, C) with K >= 1 sources and C classes, values in {-1, 0, 1}.

    Raises:
        ValueError: The states are not a matrix with at least one row.

    Example:
        >>> explain_or([[0, 0], [1, -1]])[1]
        OrExplanation(result=0, deciding=(), open_sources=(0,))
    """
    array = as_states(states)
    if array.ndim != 2:
        raise ValueError(f"states must have two axes (sources, classes), but their shape is {array.shape}")
    results = kleene_or(array).tolist()
    return tuple(_explain(column, result) for column, result in zip(array.T, results, strict=True))


def _explain(column: NDArray[np.int8], result: int) -> OrExplanation:
    where = tuple(np.flatnonzero(column == result).tolist())
    return OrExplanation(result, (), where) if result == UNKNOWN else OrExplanation(result, where, ())


def known_proportion(states: ArrayLike) -> float:
    """Return the share of cells that are known, in [0, 1]; 0 where there are none. Any shape.

    Example:
        >>> known_proportion([[1, 0], [-1, 0]])
        0.5
    """
    array = as_states(states)
    return float(np.count_nonzero(array)) / array.size if array.size else 0.0


def drop_labels(states: ArrayLike, known_proportion: float, seed: int = DEFAULT_SEED) -> NDArray[np.int8]:
    """Return new states in which each known cell is kept with the given probability, and the others are unknown.

    One number is drawn per known cell, image by image: first an image's positives, then its negatives,
    classes ascending. The draws do not depend on the proportion, so what is known at 10 % is also known
    at 20 %. The share that is left is binomial, not exact.

    Args:
        states: (N, C) of N images and C classes, values in {-1, 0, 1}.
        known_proportion: Probability in [0, 1] to keep a known cell.
        seed: Seed of the PCG64 generator.

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
