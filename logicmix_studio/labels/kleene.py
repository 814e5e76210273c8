"""OR in Kleene's strong three-valued logic, and why it came out as it did.

With NEGATIVE < UNKNOWN < POSITIVE the OR of any number of states is their maximum:

- *domination*: one positive source makes the blend positive, whatever the others are;
- *identity*: negative sources change nothing, so a blend of negatives only is negative;
- *open*: no source is positive and at least one is unknown, so nothing can be said.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.labels.states import UNKNOWN, as_states


def kleene_or(states: ArrayLike, axis: int = 0) -> NDArray[np.int8]:
    """Return the OR of the states along an axis.

    Args:
        states: Any shape, values in {-1, 0, 1}; at least one state along the axis.
        axis: The axis of the sources.

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
    """Why one class of a blend has its state."""

    result: int
    """State of the class in the blend."""

    deciding: tuple[int, ...]
    """Positions of the sources that decide: the positive ones (domination), all of them (identity), none while open."""

    open_sources: tuple[int, ...]
    """Positions of the unknown sources that keep the class open; a yes to any settles it, a no only to the last one."""


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
