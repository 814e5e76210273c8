"""How much of the labels survives mixing: as the trainer draws it, and exactly by formula.

Each image is an anchor once an epoch and partners are drawn independently with replacement, so every source of a
sample is any image with the same chance: a class with positive share p and negative share q is positive in a blend of
k with probability 1 - (1 - p)^k, and negative with q^k.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.labels import NEGATIVE, POSITIVE

Shares = npt.NDArray[np.float64]
"""(2, C) in [0, 1]: the share of samples in which each of C classes is positive, and in which it is negative."""


@dataclass(frozen=True)
class BlendStatistics:
    """What many training samples are made of, and what is known in them."""

    num_draws: int
    num_images: int
    """Images that are trained on."""
    shares: pd.DataFrame
    """`overall` shares of photographs, blends drawn, blends exact, samples drawn and samples exact. Without
    blends where none was drawn."""
    curve: pd.DataFrame
    """Of blends of 1, 2, ... ``sources``, exact, in percent: known cells, and positives among them."""
    classes: pd.DataFrame
    """By class, in percent: positive and negative photographs, samples as drawn, and samples by formula."""

    @property
    def balance(self) -> pd.DataFrame:
        """The shares as bars: ``samples``, ``state`` and ``cells, %``."""
        parts = 100 * self.shares.assign(unknown=1 - self.shares["known"])[["positive", "negative", "unknown"]]
        bars = parts.round(2).rename_axis("samples").reset_index()
        return bars.melt("samples", var_name="state", value_name="cells, %")

    @property
    def words(self) -> str:
        """What mixing does to the balance."""
        known, among = self.shares["known"], self.shares["positive_of_known"]
        if not known["photographs"]:
            return "Nothing is known yet: every blend is unknown throughout. Answer a few cells first."
        if "blends exact" not in known:
            return "Nothing is mixed."
        return (
            f"{self.num_draws:,} samples of {self.num_images:,} images. Known are {known['photographs']:.1%} of the "
            f"cells of photographs, {known['blends drawn']:.1%} of blends (exact {known['blends exact']:.1%}), "
            f"{known['samples drawn']:.1%} of all samples (exact {known['samples exact']:.1%}). Mixing moves the "
            f"positives among the known from {among['photographs']:.0%} to {among['blends exact']:.0%}: one positive "
            "source is enough, but all must be negative. The loss therefore treats photographs and blends apart. With "
            "shares p and q, a class is positive in a blend of k with probability 1 − (1 − p)ᵏ and negative with qᵏ."
        )


def shares_of(states: npt.NDArray[np.int8]) -> Shares:
    """Return the shares of positive and negative cells of each class; (N, C) states with N >= 1."""
    return np.stack([(states == sign).mean(axis=0) for sign in (POSITIVE, NEGATIVE)])


def overall(shares: Shares) -> dict[str, float]:
    """Return the shares over all cells: positive, negative, known, and positives among the known."""
    positive, negative = (shares.sum(axis=1) / max(1, shares.shape[1])).tolist()
    known = positive + negative
    among = positive / known if known else 0.0
    return {"positive": positive, "negative": negative, "known": known, "positive_of_known": among}


def size_weights(probability: float, least: int, most: int) -> dict[int, float]:
    """Return how likely a training sample is to be made of k sources; k = 1 is a photograph.

    It is a blend with the given probability, of ``least`` to ``most`` sources, every number equally likely.

    Example:
        >>> size_weights(0.5, 2, 3)
        {1: 0.5, 2: 0.25, 3: 0.25}
    """
    sizes = range(least, most + 1)
    return {1: 1.0 - probability, **{k: probability / len(sizes) for k in sizes}}


def exact_shares(single: Shares, weights: Mapping[int, float]) -> Shares:
    """Return the shares after mixing photographs, by formula, each number of sources as likely as its relative weight."""
    mixed = [weight * np.stack([1.0 - (1.0 - single[0]) ** k, single[1] ** k]) for k, weight in weights.items()]
    return np.asarray(np.sum(mixed, axis=0) / sum(weights.values()))


def blend_statistics(
    class_names: Sequence[str],
    photographs: npt.NDArray[np.int8],
    samples: npt.NDArray[np.int8],
    mixed: npt.NDArray[np.bool_],
    weights: Mapping[int, float],
) -> BlendStatistics:
    """Compare drawn samples with the formula.

    Args:
        class_names: C names.
        photographs: (T, C) states that are trained on.
        samples: (S, C) labels of the drawn samples.
        mixed: (S,), True where a sample is a blend.
        weights: See `size_weights`.
    """
    single = shares_of(photographs)
    shares = {"photographs": single}
    if mixed.any():
        blends = {k: weight for k, weight in weights.items() if k > 1}
        shares |= {"blends drawn": shares_of(samples[mixed]), "blends exact": exact_shares(single, blends)}
    shares |= {"samples drawn": shares_of(samples), "samples exact": exact_shares(single, weights)}
    curve = pd.DataFrame({"sources": k, **overall(exact_shares(single, {k: 1.0}))} for k in range(1, max(weights) + 3))
    classes = {"class": list(class_names)}
    for name in ("photographs", "samples drawn", "samples exact"):
        for mark, share in zip("●○", shares[name], strict=True):
            classes[f"{name.removeprefix('samples ')} {mark} %"] = (100 * share).round(1)
    return BlendStatistics(
        num_draws=len(samples),
        num_images=len(photographs),
        shares=pd.DataFrame({name: overall(part) for name, part in shares.items()}).T,
        curve=curve.assign(known=100 * curve["known"], positive_of_known=100 * curve["positive_of_known"]),
        classes=pd.DataFrame(classes),
    )
