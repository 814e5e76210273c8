"""What a run claims about unknown cells.

A proposal is derived from calibrated scores, states and thresholds, never stored with the states. Its
confidence is the score for a proposed positive and `1 - score` for a proposed negative.

N images, C classes.
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

ThresholdsJson = dict[str, dict[str, float]]


@dataclass(frozen=True)
class Thresholds:
    """From which confidence on a claim becomes a proposal, class by class."""

    positive: NDArray[np.float64]
    """(C,), in [0.5, 1]: `score` must reach it."""
    negative: NDArray[np.float64]
    """(C,), in [0.5, 1]: `1 - score` must reach it."""

    def __post_init__(self) -> None:
        """Refuse a threshold outside [0.5, 1] and arrays that do not fit together."""
        if self.positive.ndim != 1 or self.positive.shape != self.negative.shape:
            raise StudioError(
                f"Thresholds need one number a class and sign, but have shapes {self.positive.shape} "
                f"and {self.negative.shape}."
            )
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

        Classes that were not saved have `DEFAULT_THRESHOLD`; saved names that are no class any more are
        passed over.
        """
        sides = [
            np.array(
                [float(saved.get(side, {}).get(name, DEFAULT_THRESHOLD)) for name in class_names], dtype=np.float64
            )
            for side in ("positive", "negative")
        ]
        return cls(*sides)

    def to_json(self, class_names: Sequence[str]) -> ThresholdsJson:
        """Return the form that `from_json` reads."""
        return {
            "positive": dict(zip(class_names, self.positive.tolist(), strict=True)),
            "negative": dict(zip(class_names, self.negative.tolist(), strict=True)),
        }

    def replace(self, class_index: int, sign: int, threshold: float) -> Thresholds:
        """Return thresholds that differ in one number.

        Args:
            class_index: The class.
            sign: `POSITIVE` or `NEGATIVE`.
            threshold: In [0.5, 1].
        """
        positive, negative = self.positive.copy(), self.negative.copy()
        (positive if sign == POSITIVE else negative)[class_index] = threshold
        return Thresholds(positive, negative)


def open_cells(
    states: NDArray[np.int8],
    excluded_rows: NDArray[np.bool_] | None = None,
    unsure_run: NDArray[np.integer[Any]] | None = None,
    run: int = -1,
) -> NDArray[np.bool_]:
    """Return (N, C) the cells about which a run may claim something.

    Args:
        states: (N, C).
        excluded_rows: (N,), True for images that are never proposed (split `test`).
        unsure_run: (N, C), the run whose queue the cell left by "unsure", -1 for never.
        run: The run that claims; cells left unsure in it are closed.
    """
    is_open: NDArray[np.bool_] = states == UNKNOWN
    if excluded_rows is not None:
        is_open &= ~excluded_rows[:, np.newaxis]
    if unsure_run is not None and run >= 0:
        is_open &= unsure_run != run
    return is_open


def propose(
    scores: NDArray[np.float16],
    states: NDArray[np.int8],
    thresholds: Thresholds,
    excluded_rows: NDArray[np.bool_] | None = None,
    unsure_run: NDArray[np.integer[Any]] | None = None,
    run: int = -1,
) -> NDArray[np.int8]:
    """Return (N, C) int8: +1 a proposed positive, -1 a proposed negative, 0 no proposal.

    A score of exactly 0.5 never is a proposal.

    Args:
        scores: (N, C) float16, calibrated, in [0, 1].
        states: (N, C); only unknown cells are proposed.
        thresholds: For C classes.
        excluded_rows: See `open_cells`.
        unsure_run: See `open_cells`.
        run: See `open_cells`.
    """
    bits = score_bits(scores)
    claims_positive = bits >= positive_cut(thresholds.positive)
    claims_negative = bits <= negative_cut(thresholds.negative)
    proposals: NDArray[np.int8] = claims_positive.view(np.int8) - claims_negative.view(np.int8)
    proposals *= open_cells(states, excluded_rows, unsure_run, run).view(np.int8)
    return proposals


def confidences(scores: NDArray[np.float16], signs: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return how sure claims of the given signs are: the score, or one minus it.

    Args:
        scores: Any shape, in [0, 1].
        signs: The same shape; where negative, the claim is that the class is absent.
    """
    wide = scores.astype(np.float32)
    return np.where(signs < 0, 1.0 - wide, wide).astype(np.float32)


def count_proposals(proposals: NDArray[np.int8]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the number of proposed positives and of proposed negatives of each class, (C,) both."""
    positive = np.count_nonzero(proposals == POSITIVE, axis=0)
    negative = np.count_nonzero(proposals == NEGATIVE, axis=0)
    return np.asarray(positive, dtype=np.int64), np.asarray(negative, dtype=np.int64)


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
