r"""How much answers are worth to training with LogicMix: one that may be given, and those between two states.

A blend of K sources has an open label for a class where no source is positive and not all are negative.
Answering an unknown cell settles the open labels of the blends that contain it:

* answered positive: every blend with it becomes positive, if no source was positive already;
* answered negative: a blend with it becomes negative, if all its other sources are negative.

Let N images be trained on, `n_pos` and `n_neg` of them known positive and negative for the class, and let
every slot of a blend hold each image with the same chance (the anchors of an epoch are each image once,
partners are drawn with replacement). Then the expected number of labels settled in an epoch with N draws,
each mixed with probability `p`, is

    positive:  N p [ (1 - n_pos/N)^K - (1 - (n_pos + 1)/N)^K ]
    negative:  N p [ ((n_neg + 1)/N)^K - (n_neg/N)^K ]

averaged over the K in use: exact, because the first bracket is the chance of "no positive source, but this
cell among them" and the second that of "all sources negative or this cell, and this cell among them". With
the model's score q, the usefulness of a cell is

    (q * positive + (1 - q) * negative) * H(q)

where H is the entropy of q in bits: 1 for a coin toss, 0 for a score of 0 or 1. N images, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.score_bits import score_values

MIX_PROBABILITY = 0.5
"""Share of training draws that are blends (released configuration of LogicMix)."""

NUM_SOURCES = (2, 3)
"""Numbers of sources of a blend, equally likely (released configuration of LogicMix)."""


@dataclass(frozen=True)
class AnswerGains:
    """Open labels of blends that a positive, and a negative, answer is expected to settle in one epoch; (C,) each."""

    positive: NDArray[np.float64]
    negative: NDArray[np.float64]


def answer_gains(states: NDArray[np.int8], excluded_rows: NDArray[np.bool_] | None = None) -> AnswerGains:
    """Return what settling one unknown cell of each class is worth.

    Args:
        states: (N, C).
        excluded_rows: (N,) True for images that are not trained on (split `test`).
    """
    trained = states if excluded_rows is None or not excluded_rows.any() else states[~excluded_rows]
    num_images = max(len(trained), 1)
    positive = np.count_nonzero(trained == POSITIVE, axis=0) / num_images
    negative = np.count_nonzero(trained == NEGATIVE, axis=0) / num_images
    one = 1.0 / num_images
    # A class without any unknown cell has nothing to gain; its "one more positive" would fall below zero.
    rest = np.maximum(1.0 - positive - one, 0.0)
    gain_positive = np.mean([(1.0 - positive) ** k - rest**k for k in NUM_SOURCES], axis=0)
    gain_negative = np.mean([(negative + one) ** k - negative**k for k in NUM_SOURCES], axis=0)
    draws = len(trained) * MIX_PROBABILITY
    return AnswerGains(draws * gain_positive, draws * gain_negative)


@cache
def entropy_of_bits() -> NDArray[np.float32]:
    """Return (15361,) the entropy in bits of every score; read-only."""
    chance = score_values()[1:-1]
    inner = -(chance * np.log2(chance) + (1.0 - chance) * np.log2(1.0 - chance))
    entropy = np.concatenate([[0.0], inner, [0.0]]).astype(np.float32)
    entropy.setflags(write=False)
    return entropy


def usefulness(bits: NDArray[np.uint16], classes: NDArray[np.integer[Any]], gains: AnswerGains) -> NDArray[np.float32]:
    """Return how useful an answer to each cell is, 0 or more.

    Args:
        bits: The bits of the cells' scores, any shape; see `score_bits`.
        classes: The cells' classes, the same shape or one that broadcasts to it.
        gains: For all classes.
    """
    expected: NDArray[np.float32] = score_values().astype(np.float32)[bits]
    expected *= (gains.positive - gains.negative).astype(np.float32)[classes]
    expected += gains.negative.astype(np.float32)[classes]
    expected *= entropy_of_bits()[bits]
    return np.maximum(expected, 0.0, out=expected)


@dataclass(frozen=True)
class BlendDifference:
    """Labels of blends in one epoch, as expected over the draws; (C,) each."""

    drawn: float
    """Blends in an epoch, the same for every class."""
    known_before: NDArray[np.float64]
    known_after: NDArray[np.float64]
    settled: NDArray[np.float64]
    """Blends whose label was open and is known now."""


def blend_difference(
    before: NDArray[np.int8], after: NDArray[np.int8], excluded_rows: NDArray[np.bool_] | None = None
) -> BlendDifference:
    """Return how many blends turn from open to known by the answers between two (N, C) states of the labels.

    With the share of cells that went from one state to another, class by class, each quantity is a polynomial in K,
    and exact in expectation: a blend is open where no source is positive and not all are negative.
    """
    rows = slice(None) if excluded_rows is None else ~excluded_rows
    before, after = before[rows], after[rows]
    drawn = len(before) * MIX_PROBABILITY
    # (C, 3, 3): the share of cells from one state (negative, unknown, positive) to another.
    share = np.zeros((before.shape[1], 3, 3))
    for then, now in product((NEGATIVE, UNKNOWN, POSITIVE), repeat=2):
        share[:, then + 1, now + 1] = np.count_nonzero((before == then) & (after == now), axis=0) / max(len(before), 1)

    def expected(known: Callable[[int], NDArray[np.float64]]) -> NDArray[np.float64]:
        return drawn * np.asarray(np.mean([known(k) for k in NUM_SOURCES], axis=0))

    # Settled: the chance of "no positive before and known after" less that of "all negative before and known after".
    return BlendDifference(
        drawn,
        known_before=expected(lambda k: _known(share.sum(axis=2), k)),
        known_after=expected(lambda k: _known(share.sum(axis=1), k)),
        settled=expected(lambda k: _known(share[:, 0] + share[:, 1], k) - _known(share[:, 0], k)),
    )


def _known(share: NDArray[np.float64], num_sources: int) -> NDArray[np.float64]:
    """Return the chance that all sources are in `share`, (C, 3) by state, and one is positive or all are negative."""
    negative, unknown, positive = share.T
    chance = (negative + unknown + positive) ** num_sources - (negative + unknown) ** num_sources
    return np.asarray(chance + negative**num_sources)
