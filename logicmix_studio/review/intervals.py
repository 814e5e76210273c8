"""Exact intervals for a share (Clopper and Pearson 1934): how right are the claims, given so many right answers?

They hold for a number of checks that was fixed before the first look. Numbers and arrays are broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv

DEFAULT_LEVEL = 0.95
"""Chance, before looking, that an interval will hold the truth."""

Floats = NDArray[np.float64]


def clopper_pearson(right: ArrayLike, total: ArrayLike, level: float = DEFAULT_LEVEL) -> tuple[Floats, Floats]:
    """Return the two-sided interval of a share; 0 and 1 where nothing was checked.

    Example:
        >>> low, high = clopper_pearson(10, 10)
        >>> round(float(low), 3), float(high)
        (0.692, 1.0)
    """
    wrong = np.asarray(total) - np.asarray(right)
    tail = (1.0 + level) / 2.0
    return clopper_pearson_lower(right, total, tail), 1.0 - clopper_pearson_lower(wrong, total, tail)


def clopper_pearson_lower(right: ArrayLike, total: ArrayLike, level: float = DEFAULT_LEVEL) -> Floats:
    """Return the one-sided lower bound of a share; 0 where nothing was checked.

    Args:
        right: Number of right ones, 0 to `total`.
        total: Number of checks.
        level: In (0, 1).

    Example:
        >>> round(float(clopper_pearson_lower(59, 59)), 4), round(float(clopper_pearson_lower(40, 40)), 3)
        (0.9505, 0.928)
    """
    good, every = np.broadcast_arrays(np.asarray(right, np.float64), np.asarray(total, np.float64))
    if np.any(good < 0) or np.any(good > every):
        raise ValueError("right must lie between 0 and total")
    return np.where(good > 0, betaincinv(np.maximum(good, 1.0), every - good + 1.0, 1.0 - level), 0.0)


def look_level(level: float, looks: int) -> float:
    """Return the level of a bound at one of several looks: look k allows the error (1 - level) / k.

    Whoever checks until a bound reaches the target looks again and again, and a bound of 95 % that is asked eight times
    is too high at one of the looks in one case in five. With these levels, one look misleads in 5 % of cases, two in
    6.5 %, four in 8 %, eight in 9 %: worked out exactly for claims just short of targets of 90 to 98 %, each time with
    as many further checks as could be enough.

    Example:
        >>> look_level(0.95, 1), look_level(0.95, 2)
        (0.95, 0.975)
    """
    return 1.0 - (1.0 - level) / max(looks, 1)
