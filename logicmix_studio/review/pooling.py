"""Precision of every class from few audits, pooled over classes: a Beta-binomial hierarchy.

For one sign and one confidence band, let class c have precision θ_c, of which r_c of n_c audited claims were
right:

    r_c ~ Binomial(n_c, θ_c)        θ_c ~ Beta(a, b)        μ = a / (a + b)

μ is the precision of a typical class, and the larger b, the more alike the classes are. Neither is known:
both are integrated over a grid, μ with a flat prior and b, from 1 up, with one that falls like 1/√b. A b below
1 would put most classes at exactly 100 %, which no audit can show, so it is left out: without any audits of
other classes, the bound of a class is close to the exact one of Clopper and Pearson. A class with many audits
of its own is judged by them; one with few leans on the others, and a class unlike all others goes unnoticed
until it has some.

C classes, G grid points, S draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaln, expit, logsumexp

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_LOGIT_PRECISION = (-4.0, 8.0, 61)
"""Grid of the logit of μ: from 1.8 % to 99.97 %."""

_LOG10_ALIKENESS = (0.0, 2.0, 13)
"""Grid of the decimal logarithm of b."""


@dataclass(frozen=True)
class Hierarchy:
    """What audits of one sign and band say about classes in general: weighted Beta distributions."""

    right: Floats
    """(G,) first parameter, a."""
    wrong: Floats
    """(G,) second parameter, b."""
    log_weights: Floats
    """(G,) log of the weights, which sum to 1."""


@cache
def _grid() -> tuple[Floats, Floats, Floats]:
    low, high, steps = _LOGIT_PRECISION
    precision = expit(np.linspace(low, high, steps))
    low, high, steps = _LOG10_ALIKENESS
    alikeness = np.logspace(low, high, steps)
    mu, wrong = (axis.ravel() for axis in np.meshgrid(precision, alikeness))
    # The grid is even in logit(mu) and log(b): the densities gain the slopes of these.
    log_prior = np.log(mu * (1.0 - mu)) + 0.5 * np.log(wrong)
    return wrong * mu / (1.0 - mu), wrong, log_prior - logsumexp(log_prior)


def fit_hierarchy(right: Ints, total: Ints) -> Hierarchy:
    """Return what is known of classes in general after some audits.

    Args:
        right: (C,) right claims of each class.
        total: (C,) audited claims of each class, 0 or more.
    """
    a, b, log_weights = _grid()
    pairs, times = np.unique(np.stack([right, total - right], axis=1), axis=0, return_counts=True)
    for (good, bad), count in zip(pairs.tolist(), times.tolist(), strict=True):
        if good + bad:
            log_weights = log_weights + count * (betaln(a + good, b + bad) - betaln(a, b))
    return Hierarchy(a, b, log_weights - logsumexp(log_weights))


def draw_precisions(
    hierarchy: Hierarchy, right: Ints, total: Ints, num_draws: int, rng: np.random.Generator
) -> Floats:
    """Draw the precisions of all classes from what is known of them.

    Args:
        hierarchy: From the same audits.
        right: (C,) right claims of each class.
        total: (C,) audited claims of each class.
        num_draws: S.
        rng: Where the draws come from.

    Returns:
        (S, C) in [0, 1].
    """
    weights = np.exp(hierarchy.log_weights)
    points = rng.choice(len(weights), size=num_draws, p=weights / weights.sum())
    good = hierarchy.right[points, np.newaxis] + right
    bad = hierarchy.wrong[points, np.newaxis] + (total - right)
    return rng.beta(good, bad)


def more_audits(
    hierarchy: Hierarchy, right: int, total: int, target: float, level: float, most: int
) -> int | None:
    """Return how many more audits of one class would do, if all turned out right.

    Args:
        hierarchy: What is known of classes in general.
        right: Right claims of the class so far.
        total: Audited claims of the class so far.
        target: Precision that is asked for, in (0, 1).
        level: How sure one wants to be of it.
        most: The highest number to consider.

    Returns:
        The smallest number after which the precision is at least `target` with chance `level`, or None
        above `most`.
    """

    def falls_short(extra: int) -> bool:
        return _chance_below(hierarchy, right + extra, total - right, right, target) > 1.0 - level

    if falls_short(most):
        return None
    low, high = -1, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if falls_short(middle) else (low, middle)
    return high


def _chance_below(hierarchy: Hierarchy, right: int, wrong: int, right_before: int, target: float) -> float:
    # The audits so far are in the weights already; those imagined on top of them still have to be weighed in.
    a, b = hierarchy.right, hierarchy.wrong
    gained = betaln(a + right, b + wrong) - betaln(a + right_before, b + wrong)
    log_weights = hierarchy.log_weights + gained
    weights = np.exp(log_weights - logsumexp(log_weights))
    return float(weights @ betainc(a + right, b + wrong, target))
