"""What training would get to see: before it is started, and against the last time.

N images, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.usefulness import MIX_PROBABILITY, NUM_SOURCES

SOURCE_NAMES: Final[dict[str, int]] = {"imported": 1, "human": 2, "accepted": 3}
"""Where a known state comes from, and its number in the array of sources."""

OPEN_PSEUDO: Final = "open pseudo-label"
"""The name under which proposals that nobody answered are counted."""

_STATES = (NEGATIVE, UNKNOWN, POSITIVE)


@dataclass(frozen=True)
class TrainingSet:
    """What a run started now would learn from."""

    positive: dict[str, NDArray[np.int64]]
    """Source name → (C,) positive cells."""
    negative: dict[str, NDArray[np.int64]]
    """Source name → (C,) negative cells."""
    without_positive: tuple[str, ...]
    """Classes without any known positive: they cannot be learnt."""
    without_negative: tuple[str, ...]
    """Classes without any known negative."""


def training_set(
    class_names: Sequence[str],
    states: NDArray[np.int8],
    sources: NDArray[np.uint8],
    proposals: NDArray[np.int8] | None = None,
    excluded_rows: NDArray[np.bool_] | None = None,
) -> TrainingSet:
    """Count the cells of each class by sign and source.

    Args:
        class_names: C names.
        states: (N, C).
        sources: (N, C), numbers of `SOURCE_NAMES`.
        proposals: (N, C) in {-1, 0, 1}, or None before the first run.
        excluded_rows: (N,) True for images that are not trained on (split `test`).
    """
    rows = slice(None) if excluded_rows is None else ~excluded_rows
    states, sources = states[rows], sources[rows]
    open_ones = np.zeros_like(states) if proposals is None else proposals[rows] * (states == UNKNOWN)
    counts = {}
    for sign in (POSITIVE, NEGATIVE):
        has_sign = states == sign
        counts[sign] = {name: _per_class(has_sign & (sources == number)) for name, number in SOURCE_NAMES.items()}
        counts[sign][OPEN_PSEUDO] = _per_class(open_ones == sign)
    return TrainingSet(
        positive=counts[POSITIVE],
        negative=counts[NEGATIVE],
        without_positive=_without(class_names, states == POSITIVE),
        without_negative=_without(class_names, states == NEGATIVE),
    )


def _per_class(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.asarray(np.count_nonzero(mask, axis=0), dtype=np.int64)


def _without(class_names: Sequence[str], mask: NDArray[np.bool_]) -> tuple[str, ...]:
    counts = _per_class(mask).tolist()
    return tuple(name for name, count in zip(class_names, counts, strict=True) if not count)


@dataclass(frozen=True)
class LabelDifference:
    """How the known cells differ from those of an earlier training set; (C,) each."""

    new_positive: NDArray[np.int64]
    """Unknown then, positive now."""
    new_negative: NDArray[np.int64]
    """Unknown then, negative now."""
    forgotten: NDArray[np.int64]
    """Known then, unknown now."""
    turned: NDArray[np.int64]
    """Known both times, with the opposite sign."""


def label_difference(before: NDArray[np.int8], after: NDArray[np.int8]) -> LabelDifference:
    """Return how many cells of each class changed.

    Args:
        before: (N, C) states of the earlier training set.
        after: (N, C) states now, rows and classes alike.
    """
    table = _transitions(before, after)
    return LabelDifference(
        new_positive=table[:, 1, 2],
        new_negative=table[:, 1, 0],
        forgotten=table[:, 0, 1] + table[:, 2, 1],
        turned=table[:, 0, 2] + table[:, 2, 0],
    )


@dataclass(frozen=True)
class BlendDifference:
    """Labels of blends in one epoch, as expected over the draws; (C,) each."""

    drawn: float
    """Blends in an epoch, the same for every class."""
    known_before: NDArray[np.float64]
    """Blends whose label was known."""
    known_after: NDArray[np.float64]
    """Blends whose label is known now."""
    settled: NDArray[np.float64]
    """Blends whose label was open and is known now."""


def blend_difference(
    before: NDArray[np.int8],
    after: NDArray[np.int8],
    excluded_rows: NDArray[np.bool_] | None = None,
    num_sources: Sequence[int] = NUM_SOURCES,
    mix_probability: float = MIX_PROBABILITY,
) -> BlendDifference:
    """Return how many blends turn from open to known by the answers between two states of the labels.

    With the share of cells that went from one state to another, class by class, each quantity is a
    polynomial in K, and exact in expectation: a blend is open where no source is positive and not all are
    negative.

    Args:
        before: (N, C) states before the answers.
        after: (N, C) states after them.
        excluded_rows: (N,) True for images that are not trained on (split `test`).
        num_sources: The K in use, equally likely, each 1 or more.
        mix_probability: Share of draws that are blends.
    """
    rows = slice(None) if excluded_rows is None else ~excluded_rows
    before, after = before[rows], after[rows]
    drawn = len(before) * mix_probability
    share = _transitions(before, after) / max(len(before), 1)
    known_before = np.mean([_known(share.sum(axis=2), k) for k in num_sources], axis=0)
    known_after = np.mean([_known(share.sum(axis=1), k) for k in num_sources], axis=0)
    settled = np.mean([_settled(share, k) for k in num_sources], axis=0)
    return BlendDifference(drawn, drawn * known_before, drawn * known_after, drawn * settled)


def _transitions(before: NDArray[np.int8], after: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return (C, 3, 3) the number of cells from one state (negative, unknown, positive) to another."""
    num_classes = before.shape[1]
    table = np.zeros((num_classes, 3, 3), dtype=np.int64)
    for index, state in enumerate(_STATES):
        table[:, index, index] = np.count_nonzero(before == state, axis=0)
    changed = np.flatnonzero(before != after)
    source, goal = before.ravel()[changed] + 1, after.ravel()[changed] + 1
    np.add.at(table, (changed % max(num_classes, 1), source, goal), 1)
    np.add.at(table, (changed % max(num_classes, 1), source, source), -1)
    return table


def _known(share: NDArray[np.float64], num_sources: int) -> NDArray[np.float64]:
    # A source is positive at least once, or all are negative.
    return 1.0 - (share[:, 0] + share[:, 1]) ** num_sources + share[:, 0] ** num_sources


def _settled(share: NDArray[np.float64], num_sources: int) -> NDArray[np.float64]:
    # Chance of "no positive before and known after" less that of "all negative before and known after".
    return _known_after(share[:, :2].sum(axis=1), num_sources) - _known_after(share[:, 0], num_sources)


def _known_after(share: NDArray[np.float64], num_sources: int) -> NDArray[np.float64]:
    # share: (C, 3) of sources that had an allowed state before, by their state after.
    negative, unknown, positive = share.T
    open_or_known = (negative + unknown + positive) ** num_sources
    no_positive: NDArray[np.float64] = (negative + unknown) ** num_sources
    return np.asarray(open_or_known - no_positive + negative**num_sources)
