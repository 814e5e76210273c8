"""How much of the labels survives mixing: by drawing, and exactly by formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import NEGATIVE, POSITIVE, kleene_or

LARGEST_BLEND = 6
"""Most sources that the screen draws or builds."""


@dataclass(frozen=True)
class MixingShares:
    """For each of C classes, the share of samples in which it is positive, and in which it is negative."""

    positive: npt.NDArray[np.float64]
    """(C,) in [0, 1]."""
    negative: npt.NDArray[np.float64]
    """(C,) in [0, 1]."""

    def overall(self) -> dict[str, float]:
        """Return the shares over all cells: known, positive, negative, and positives among the known."""
        positive, negative = float(self.positive.mean()), float(self.negative.mean())
        known = positive + negative
        return {
            "known": known,
            "positive": positive,
            "negative": negative,
            "positive_of_known": positive / known if known else 0.0,
        }


def shares_of(states: npt.NDArray[np.int8]) -> MixingShares:
    """Return the shares of positive and negative cells of each class.

    Args:
        states: (N, C) with N >= 1, values in {-1, 0, 1}.
    """
    return MixingShares((states == POSITIVE).mean(axis=0), (states == NEGATIVE).mean(axis=0))


def size_weights(probability: float, k_min: int, k_max: int) -> dict[int, float]:
    """Return how likely a training sample is to be made of k sources; k = 1 is an original.

    Args:
        probability: Of mixing at all, in [0, 1].
        k_min: Fewest sources of a blend.
        k_max: Most sources of a blend; every number between is equally likely.

    Example:
        >>> size_weights(0.5, 2, 3)
        {1: 0.5, 2: 0.25, 3: 0.25}
    """
    sizes = range(k_min, k_max + 1)
    return {1: 1.0 - probability, **{k: probability / len(sizes) for k in sizes}}


def exact_shares(single: MixingShares, weights: dict[int, float]) -> MixingShares:
    """Return the shares after mixing, by formula.

    Sources are drawn independently and uniformly with replacement, so a class with positive share p and
    negative share q is positive in a blend of k with probability 1 - (1 - p)^k, and negative with q^k.

    Args:
        single: Shares of the images themselves.
        weights: How likely each number of sources is; see `size_weights`. They are normalised.
    """
    total = sum(weights.values())
    positive = sum(weight * (1.0 - (1.0 - single.positive) ** k) for k, weight in weights.items())
    negative = sum(weight * single.negative**k for k, weight in weights.items())
    return MixingShares(np.asarray(positive / total), np.asarray(negative / total))


def drawn_shares(states: npt.NDArray[np.int8], draws: Sequence[Sequence[int]]) -> MixingShares:
    """Return the shares in samples that were really drawn.

    Args:
        states: (N, C), values in {-1, 0, 1}.
        draws: Rows of the sources of each sample; at least one sample.
    """
    return shares_of(np.stack([kleene_or(states[list(rows)]) for rows in draws]))


def size_curve(single: MixingShares, largest: int = LARGEST_BLEND) -> list[dict[str, float]]:
    """Return the exact overall shares of blends of k = 1, 2, ... sources."""
    return [{"k": k, **exact_shares(single, {k: 1.0}).overall()} for k in range(1, largest + 1)]


def class_table(
    class_names: Sequence[str], before: MixingShares, drawn: MixingShares, exact: MixingShares
) -> list[dict[str, Any]]:
    """Return for each class its shares [positive, negative] before mixing, as drawn and by formula."""
    return [
        {
            "class": name,
            "before": [float(before.positive[column]), float(before.negative[column])],
            "drawn": [float(drawn.positive[column]), float(drawn.negative[column])],
            "exact": [float(exact.positive[column]), float(exact.negative[column])],
        }
        for column, name in enumerate(class_names)
    ]
