"""Known cells that a confident model contradicts.

After confident learning (Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in
dataset labels"), class by class: a cell's *self-confidence* is the probability which the model gives to the
cell's own state. The model counts as confident of a state where its probability reaches the average
self-confidence of the cells known to have that state. A known cell is a conflict where the model is
confident of the opposite and finds it likelier; the conflict with the lowest self-confidence comes first.

A model never changes such a cell; a person keeps it, changes it, or is unsure.

N images, C classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.review.proposals import DEFAULT_THRESHOLD, Thresholds, confidences
from logicmix_studio.review.score_bits import negative_cut, positive_cut, score_bits

_CHUNK_ROWS = 8192


@dataclass(frozen=True)
class Conflicts:
    """Known cells against the model, the strongest contradiction first; M of them."""

    cells: NDArray[np.int64]
    """(M,) flat indices `row * C + class`."""
    states: NDArray[np.int8]
    """(M,) what is known; the model claims the opposite."""
    self_confidence: NDArray[np.float32]
    """(M,) the model's probability of the known state, in [0, 0.5), rising."""


def confident_thresholds(states: NDArray[np.int8], scores: NDArray[np.float16]) -> Thresholds:
    """Return the average self-confidence of known positives and negatives, class by class.

    A class without a known positive (negative) takes the average over all classes, and `DEFAULT_THRESHOLD`
    where nothing is known at all. Averages below 0.5 count as 0.5: nobody is confident of what is less
    likely.

    Args:
        states: (N, C).
        scores: (N, C) float16, calibrated, in [0, 1].
    """
    num_classes = states.shape[1]
    sums, counts = np.zeros((2, num_classes)), np.zeros((2, num_classes))
    for start in range(0, len(states), _CHUNK_ROWS):
        rows = slice(start, start + _CHUNK_ROWS)
        part = scores[rows].ravel()
        for side, sign in enumerate((POSITIVE, NEGATIVE)):
            cells = np.flatnonzero(states[rows] == sign)
            classes = cells % num_classes
            own = confidences(part[cells], np.full(len(cells), sign, dtype=np.int8))
            sums[side] += np.bincount(classes, weights=own, minlength=num_classes)
            counts[side] += np.bincount(classes, minlength=num_classes)
    return Thresholds(_averages(sums[0], counts[0]), _averages(sums[1], counts[1]))


def _averages(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    pooled = sums.sum() / counts.sum() if counts.sum() else DEFAULT_THRESHOLD
    averages = np.divide(sums, counts, out=np.full_like(sums, pooled), where=counts > 0)
    return np.clip(averages, 0.5, 1.0)


def conflict_mask(
    states: NDArray[np.int8],
    scores: NDArray[np.float16],
    excluded_rows: NDArray[np.bool_] | None = None,
    dismissed: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Return (N, C) True where a confident model contradicts a known cell.

    Args:
        states: (N, C).
        scores: (N, C) float16, calibrated, in [0, 1].
        excluded_rows: (N,) True for images that are not reviewed (split `test`).
        dismissed: (N, C) True where a person already upheld the state against the model.
    """
    bits, thresholds = score_bits(scores), confident_thresholds(states, scores)
    mask: NDArray[np.bool_] = (bits >= positive_cut(thresholds.positive)) & (states == NEGATIVE)
    mask |= (bits <= negative_cut(thresholds.negative)) & (states == POSITIVE)
    if excluded_rows is not None:
        mask &= ~excluded_rows[:, np.newaxis]
    if dismissed is not None:
        mask &= ~dismissed
    return mask


def find_conflicts(
    states: NDArray[np.int8],
    scores: NDArray[np.float16],
    excluded_rows: NDArray[np.bool_] | None = None,
    dismissed: NDArray[np.bool_] | None = None,
) -> Conflicts:
    """Return the known cells that a confident model contradicts, ranked; arguments as in `conflict_mask`."""
    cells = np.flatnonzero(conflict_mask(states, scores, excluded_rows, dismissed))
    known = states.ravel()[cells]
    self_confidence = confidences(scores.ravel()[cells], known)
    order = np.argsort(self_confidence, kind="stable")
    return Conflicts(cells[order], known[order], self_confidence[order])
