"""Means with their intervals, and tests of whether methods differ. Pure: numbers in, numbers out.

S scenarios (data set and known proportion), M methods, higher values are better.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval."""

    mean: float
    """nan without a value."""
    low: float
    """nan with fewer than two values."""
    high: float
    count: int

    def words(self, digits: int, scale: float = 1.0) -> str:
        """Return the mean with its interval, both times a scale.

        Example:
            >>> Estimate(0.5, 0.45, 0.55, 3).words(1, 100), mean_interval([2]).words(0), mean_interval([]).words(0)
            ('50.0 (45.0 to 55.0)', '2 (one seed)', '–')
        """
        if not self.count:
            return "–"
        mean, low, high = (f"{scale * value:,.{digits}f}" for value in (self.mean, self.low, self.high))
        return f"{mean} (one seed)" if self.count == 1 else f"{mean} ({low} to {high})"


def mean_interval(values: ArrayLike, level: float = 0.95) -> Estimate:
    """Return the mean of independent values with the interval of Student's t.

    Args:
        values: Any shape; nan is left out.
        level: How sure, in (0, 1).

    Example:
        >>> found = mean_interval([1.0, 2.0, 3.0])
        >>> round(found.low, 3), found.mean, round(found.high, 3)
        (-0.484, 2.0, 4.484)
    """
    numbers = np.asarray(values, dtype=np.float64).ravel()
    numbers = numbers[~np.isnan(numbers)]
    count = len(numbers)
    mean = float(numbers.mean()) if count else float("nan")
    if count < 2:
        return Estimate(mean, float("nan"), float("nan"), count)
    half = float(stats.t.ppf((1 + level) / 2, count - 1) * numbers.std(ddof=1) / np.sqrt(count))
    return Estimate(mean, mean - half, mean + half, count)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's step-down rule, in the order given.

    Example:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order.tolist()):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@dataclass(frozen=True)
class PairTest:
    """How two methods differ over scenarios."""

    first: str
    second: str
    difference: float
    """Mean of the first less that of the second."""
    effect: float
    """Matched-pairs rank-biserial correlation in [-1, 1]: 1 where the first is better everywhere; 0 where all are equal."""
    p: float
    """Of a two-sided Wilcoxon signed-rank test; 1 where all are equal."""
    p_holm: float
    """The same, adjusted for the number of pairs."""


def paired_tests(values: NDArray[np.float64], names: Sequence[str]) -> list[PairTest]:
    """Compare every two methods by a Wilcoxon signed-rank test over scenarios, adjusted by Holm's rule.

    Args:
        values: (S, M), without nan.
        names: M methods.
    """
    pairs = list(combinations(range(len(names)), 2))
    differences = [values[:, one] - values[:, other] for one, other in pairs]
    p_values = [float(stats.wilcoxon(each).pvalue) if each.any() else 1.0 for each in differences]
    return [
        PairTest(names[one], names[other], float(each.mean()), rank_biserial(each), p, adjusted)
        for (one, other), each, p, adjusted in zip(pairs, differences, p_values, holm(p_values), strict=True)
    ]


def rank_biserial(differences: NDArray[np.float64]) -> float:
    """Return the matched-pairs rank-biserial correlation of (S,) differences: sums of ranks for less against.

    Example:
        >>> rank_biserial(np.array([1.0, 2.0, -3.0, 0.0]))
        0.0
    """
    some = differences[differences != 0]
    if not len(some):
        return 0.0
    ranks = stats.rankdata(np.abs(some))
    return float((ranks * np.sign(some)).sum() / ranks.sum())


@dataclass(frozen=True)
class RankTest:
    """Whether several methods differ over scenarios, and by how many ranks two must differ."""

    average_ranks: tuple[float, ...]
    """Of each method, 1 for the best."""
    p: float
    """Of Friedman's test; nan with fewer than three methods or two scenarios."""
    critical_difference: float
    """Of average ranks, by Nemenyi's test at a level of 5 %."""


def rank_test(values: NDArray[np.float64]) -> RankTest:
    """Rank methods by Friedman's test and return Nemenyi's critical difference (Demsar, JMLR 7, 2006).

    Args:
        values: (S, M), without nan; higher is better.
    """
    num_scenarios, num_methods = values.shape
    ranks = stats.rankdata(-values, axis=1).mean(axis=0)
    is_tested = num_methods > 2 and num_scenarios > 1 and bool((values != values[:, :1]).any())
    p = float(stats.friedmanchisquare(*values.T).pvalue) if is_tested else float("nan")
    quantile = float(stats.studentized_range.ppf(0.95, num_methods, np.inf)) / np.sqrt(2) if num_methods > 1 else 0.0
    critical = float(quantile * np.sqrt(num_methods * (num_methods + 1) / (6 * num_scenarios)))
    return RankTest(tuple(ranks.tolist()), p, critical)
