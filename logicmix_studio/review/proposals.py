"""What a run's calibrated scores claim: of unknown cells (proposals), and against known ones (conflicts).

A proposal is derived from scores, states and thresholds, never stored with the states. Its confidence is the score for
a proposed positive and `1 - score` for a proposed negative.

Conflicts follow confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in
dataset labels"), class by class: a cell's *self-confidence* is the probability which the model gives to the cell's own
state. The model counts as confident of a state where its probability reaches the average self-confidence of the cells
known to have that state. A known cell is a conflict where the model is confident of the opposite. A model never
changes such a cell; a person keeps it, changes it, or is unsure.

N images, C classes. Scores are (N, C) float16 in [0, 1].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.score_bits import negative_cut, positive_cut, score_bits

DEFAULT_THRESHOLD = 0.95
"""Confidence from which a model's claim becomes a proposal, for both signs."""


@dataclass(frozen=True)
class Thresholds:
    """From which confidence on a claim becomes a proposal, class by class."""

    positive: NDArray[np.float64]
    """(C,), in [0.5, 1]: `score` must reach it."""
    negative: NDArray[np.float64]
    """(C,), in [0.5, 1]: `1 - score` must reach it."""

    def __post_init__(self) -> None:
        """Refuse a threshold outside [0.5, 1]."""
        for sign, values in (("positive", self.positive), ("negative", self.negative)):
            wrong = np.flatnonzero(~((values >= 0.5) & (values <= 1.0)))
            if len(wrong):
                raise StudioError(
                    f"The {sign} threshold of class number {wrong[0]} is {values[wrong[0]]}.",
                    "Choose a number from 0.5 to 1.",
                )

    @classmethod
    def constant(
        cls, num_classes: int, positive: float = DEFAULT_THRESHOLD, negative: float = DEFAULT_THRESHOLD
    ) -> Thresholds:
        """Return the same thresholds for every class."""
        return cls(np.full(num_classes, positive), np.full(num_classes, negative))

    @classmethod
    def from_json(cls, class_names: Sequence[str], saved: Mapping[str, Mapping[str, float]]) -> Thresholds:
        """Return thresholds from `{"positive": {class name: number}, "negative": {...}}`.

        Classes that were not saved have `DEFAULT_THRESHOLD`; saved names that are no class any more are passed over.
        """
        sides = (saved.get(side, {}) for side in ("positive", "negative"))
        return cls(*(np.array([float(side.get(name, DEFAULT_THRESHOLD)) for name in class_names]) for side in sides))

    def to_json(self, class_names: Sequence[str]) -> dict[str, dict[str, float]]:
        """Return the form that `from_json` reads."""
        return {
            "positive": dict(zip(class_names, self.positive.tolist(), strict=True)),
            "negative": dict(zip(class_names, self.negative.tolist(), strict=True)),
        }

    def of(self, sign: int) -> NDArray[np.float64]:
        """Return the (C,) thresholds of one sign."""
        return self.positive if sign == POSITIVE else self.negative

    def replace(self, class_index: int, sign: int, threshold: float) -> Thresholds:
        """Return thresholds that differ in one number."""
        changed = Thresholds(self.positive.copy(), self.negative.copy())
        changed.of(sign)[class_index] = threshold
        return Thresholds(changed.positive, changed.negative)


def claim_signs(scores: NDArray[np.float16], thresholds: Thresholds) -> NDArray[np.int8]:
    """Return (N, C) what the scores claim, whatever is known: +1 present, -1 absent, 0 too little for either.

    A score of exactly 0.5 never claims anything.
    """
    bits = score_bits(scores)
    is_positive = bits >= positive_cut(thresholds.positive)
    return is_positive.view(np.int8) - (bits <= negative_cut(thresholds.negative)).view(np.int8)


def propose(
    scores: NDArray[np.float16],
    states: NDArray[np.int8],
    thresholds: Thresholds,
    excluded_rows: NDArray[np.bool_] | None = None,
    unsure_run: NDArray[np.integer[Any]] | None = None,
    run: int = -1,
) -> NDArray[np.int8]:
    """Return (N, C) int8: +1 a proposed positive, -1 a proposed negative, 0 no proposal. Only unknown cells have one.

    Args:
        scores: What the run says.
        states: (N, C).
        thresholds: For C classes.
        excluded_rows: (N,), True for images that are never proposed (split `test`).
        unsure_run: (N, C), the run whose queue the cell left by "unsure", -1 for never.
        run: The run that claims; cells left unsure in it are closed.
    """
    is_open = states == UNKNOWN
    if excluded_rows is not None:
        is_open &= ~excluded_rows[:, np.newaxis]
    if unsure_run is not None and run >= 0:
        is_open &= unsure_run != run
    proposals = claim_signs(scores, thresholds)
    proposals *= is_open.view(np.int8)
    return proposals


@dataclass(frozen=True)
class Changes:
    """How the proposals of two runs differ; (N, C) masks that do not overlap."""

    new: NDArray[np.bool_]
    """Proposed now, and not before."""
    withdrawn: NDArray[np.bool_]
    """Proposed before, not now, and still unknown."""
    flipped: NDArray[np.bool_]
    """Proposed both times, with the opposite sign."""


def changes(before: NDArray[np.int8], after: NDArray[np.int8], states: NDArray[np.int8] | None = None) -> Changes:
    """Return what a run proposes anew, no longer, or the other way round.

    Args:
        before: (N, C) proposals of the earlier run.
        after: (N, C) proposals of the later run.
        states: (N, C), where given, a cell that a person settled meanwhile is not called withdrawn.
    """
    withdrawn = (before != 0) & (after == 0)
    if states is not None:
        withdrawn &= states == UNKNOWN
    return Changes(new=(before == 0) & (after != 0), withdrawn=withdrawn, flipped=(before != 0) & (after == -before))


def confident_thresholds(states: NDArray[np.int8], scores: NDArray[np.float16]) -> Thresholds:
    """Return the average self-confidence of known positives and negatives, class by class.

    A class without a known positive (negative) takes the average over all classes, and `DEFAULT_THRESHOLD` where
    nothing is known at all. Averages below 0.5 count as 0.5: nobody is confident of what is less likely.
    """
    averages = []
    for sign in (POSITIVE, NEGATIVE):
        has_sign = states == sign
        counts = np.count_nonzero(has_sign, axis=0)
        sums = np.sum(scores, axis=0, dtype=np.float64, where=has_sign)
        sums = sums if sign == POSITIVE else counts - sums
        pooled = sums.sum() / counts.sum() if counts.any() else DEFAULT_THRESHOLD
        each = np.divide(sums, counts, out=np.full(states.shape[1], pooled), where=counts > 0)
        averages.append(np.clip(each, 0.5, 1.0))
    return Thresholds(*averages)


def conflict_mask(
    states: NDArray[np.int8],
    scores: NDArray[np.float16],
    excluded_rows: NDArray[np.bool_] | None = None,
    dismissed: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return (N, C) True where a confident model contradicts a known cell.

    Args:
        states: (N, C).
        scores: What the run says.
        excluded_rows: (N,) True for images that are not reviewed (split `test`).
        dismissed: (N, C) True where a person already upheld the state against the model.
    """
    mask: NDArray[np.bool_] = claim_signs(scores, confident_thresholds(states, scores)) * states == -1
    if excluded_rows is not None:
        mask &= ~excluded_rows[:, np.newaxis]
    if dismissed is not None:
        mask &= ~dismissed
    return mask
