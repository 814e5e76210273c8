"""The three states of a cell.

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


def _no_state(array: NDArray[Any]) -> str:
    wrong = array[~np.isin(array, (NEGATIVE, UNKNOWN, POSITIVE))].flat[0]
    return f"states must be -1 (negative), 0 (unknown) or 1 (positive), but {wrong} was found"
