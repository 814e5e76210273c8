"""The three states of a cell, and the way to float targets and back.

NEGATIVE < UNKNOWN < POSITIVE is the truth order of Kleene's strong logic, so that OR is a maximum.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

POSITIVE: Final = 1
"""The class is present: someone or something trusted said so."""

UNKNOWN: Final = 0
"""Nobody looked. This is not negative."""

NEGATIVE: Final = -1
"""The class is absent, verified."""

STATE_NAMES: Final[dict[int, str]] = {POSITIVE: "positive", UNKNOWN: "unknown", NEGATIVE: "negative"}


def as_states(values: ArrayLike) -> NDArray[np.int8]:
    """Return the values as int8 states, after checking that each is -1, 0 or 1.

    Args:
        values: Any shape; numbers in {-1, 0, 1}. An int8 array is returned as it is, without a copy.

    Raises:
        ValueError: A value is none of the three states.
    """
    array = np.asarray(values)
    if array.size == 0:
        return array.astype(np.int8)
    if array.dtype == np.int8:
        if int(array.min()) < NEGATIVE or int(array.max()) > POSITIVE:
            raise ValueError(_no_state(array))
        return array
    if not np.isin(array, (NEGATIVE, UNKNOWN, POSITIVE)).all():
        raise ValueError(_no_state(array))
    return array.astype(np.int8)


def to_targets(states: ArrayLike) -> NDArray[np.float32]:
    """Return states as float targets, for code that marks unknown by nan.

    Args:
        states: Any shape, values in {-1, 0, 1}.

    Returns:
        The same shape, values in {1, 0, nan}; nan is unknown.

    Example:
        >>> to_targets([1, 0, -1])
        array([ 1., nan,  0.], dtype=float32)
    """
    lookup: NDArray[np.float32] = np.array([0.0, np.nan, 1.0], dtype=np.float32)
    return np.take(lookup, as_states(states) - np.int8(NEGATIVE))


def from_targets(targets: ArrayLike) -> NDArray[np.int8]:
    """Return float targets as states.

    Args:
        targets: Any shape, values in {1, 0, nan}; nan is unknown.

    Raises:
        ValueError: A target is neither 0, 1 nor nan. A number that stands for "uncertain" (-1 in some
            data sets) must become nan first: OR over it as a number would make up negatives.

    Example:
        >>> from_targets([1.0, float("nan"), 0.0])
        array([ 1,  0, -1], dtype=int8)
    """
    array = np.asarray(targets, dtype=np.float64)
    is_unknown = np.isnan(array)
    is_wrong = ~(is_unknown | (array == 0) | (array == 1))
    if is_wrong.any():
        raise ValueError(f"targets must be 0, 1 or nan, but {array[is_wrong].flat[0]:g} was found")
    states = np.where(array == 1, POSITIVE, NEGATIVE).astype(np.int8)
    states[is_unknown] = UNKNOWN
    return states


def _no_state(array: NDArray[Any]) -> str:
    wrong = array[~np.isin(array, (NEGATIVE, UNKNOWN, POSITIVE))].flat[0]
    return f"states must be -1 (negative), 0 (unknown) or 1 (positive), but {wrong} was found"
