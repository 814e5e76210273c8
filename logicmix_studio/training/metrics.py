"""Metrics over known cells only: an unknown cell never enters one. Numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.training.calibrate import calibration_error


@dataclass(frozen=True)
class Metrics:
    """How well scores agree with known cells."""

    map: float
    """Mean average precision over the classes with known cells of both signs; nan where there is none."""
    average_precision: NDArray[np.float64]
    """(C,), nan where a class lacks known cells of either sign."""
    overall_f1: float
    """OF1: F1 of all cells together at a score of 0.5."""
    class_f1: float
    """CF1: F1 of the mean precision and the mean recall over classes."""
    calibration_error: float
    """Expected calibration error."""
    loss: float
    """Mean log loss."""
    num_cells: int
    """Known cells that were looked at."""

    def as_dict(self, class_names: Sequence[str]) -> dict[str, Any]:
        """Return the metrics for ``result.json``, per-class values by name."""
        return {
            "map": self.map,
            "ap": dict(zip(class_names, self.average_precision.tolist(), strict=True)),
            "of1": self.overall_f1,
            "cf1": self.class_f1,
            "ece": self.calibration_error,
            "loss": self.loss,
            "num_cells": self.num_cells,
        }


def measure(scores: NDArray[Any], states: NDArray[np.int8]) -> Metrics:
    """Compare scores with known cells.

    Args:
        scores: (N, C) in [0, 1].
        states: (N, C) in {-1, 0, 1}; 0 is unknown and left out.
    """
    scores = np.asarray(scores, dtype=np.float64)
    known = states != 0
    per_class = np.array(
        [average_precision(scores[known[:, c], c], states[known[:, c], c] > 0) for c in range(states.shape[1])]
    )
    has_value = ~np.isnan(per_class)
    overall, by_class = _f1_scores(scores >= 0.5, states)
    truth = states[known] > 0
    return Metrics(
        map=float(per_class[has_value].mean()) if has_value.any() else float("nan"),
        average_precision=per_class,
        overall_f1=overall,
        class_f1=by_class,
        calibration_error=calibration_error(scores[known], truth),
        loss=_log_loss(scores[known], truth),
        num_cells=int(known.sum()),
    )


@dataclass(frozen=True)
class Difference:
    """How much better one set of scores is than another, in mAP on the same known cells."""

    value: float
    """mAP of the first less that of the second."""
    low: float
    """Lower end of the 95 % interval."""
    high: float
    """Upper end."""

    @property
    def verdict(self) -> int:
        """1: the first is better; -1: the second is; 0: it can't be told."""
        return int(self.low > 0) - int(self.high < 0)


def difference(ours: NDArray[Any], theirs: NDArray[Any], states: NDArray[np.int8], seed: int = 526) -> Difference:
    """Compare two sets of scores by a paired bootstrap over images.

    Args:
        ours: (N, C) scores.
        theirs: (N, C) scores.
        states: (N, C), 0 for cells that do not count.
        seed: Of the draws.

    Returns:
        All nan where there is no mAP.
    """
    rows = np.flatnonzero((states != 0).any(axis=1))
    pair = [np.asarray(scores, dtype=np.float64)[rows] for scores in (ours, theirs)]
    states = states[rows]
    value = measure_map(pair[0], states) - measure_map(pair[1], states)
    generator = np.random.default_rng(seed)
    drawn = []
    for _ in range(max(100, min(1000, 20_000 // states.shape[1]))):
        some = generator.integers(len(rows), size=len(rows)) if len(rows) else rows
        drawn.append(measure_map(pair[0][some], states[some]) - measure_map(pair[1][some], states[some]))
    kept = np.array(drawn)[~np.isnan(drawn)]
    if np.isnan(value) or not kept.size:
        return Difference(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(kept, (0.025, 0.975))
    return Difference(value, float(low), float(high))


def measure_map(scores: NDArray[np.float64], states: NDArray[np.int8]) -> float:
    """Return the mean average precision alone; see :func:`measure`."""
    known = states != 0
    values = [average_precision(scores[known[:, c], c], states[known[:, c], c] > 0) for c in range(states.shape[1])]
    found = [value for value in values if not np.isnan(value)]
    return float(np.mean(found)) if found else float("nan")


def average_precision(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Return the average precision of one class: recall steps times precision, equal scores taken together.

    Args:
        scores: (M,) any numbers.
        truth: (M,) True for positives.

    Returns:
        A number in [0, 1], nan unless there are cells of both signs.
    """
    num_positive = int(truth.sum())
    if num_positive in (0, truth.size):
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(truth[order])
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    found = hits[last_of_tie]
    precision = found / (last_of_tie + 1)
    steps = np.diff(found, prepend=0) / num_positive
    return float((precision * steps).sum())


def _f1_scores(claimed: NDArray[np.bool_], states: NDArray[np.int8]) -> tuple[float, float]:
    known = states != 0
    truth = states > 0
    hits = (claimed & truth & known).sum(axis=0).astype(np.float64)
    claims = (claimed & known).sum(axis=0)
    positives = truth.sum(axis=0)
    overall = _f1(_ratio(hits.sum(), claims.sum()), _ratio(hits.sum(), positives.sum()))
    used = positives > 0
    if not used.any():
        return overall, float("nan")
    precision = np.divide(hits, claims, out=np.zeros_like(hits), where=claims > 0)[used].mean()
    recall = (hits[used] / positives[used]).mean()
    return overall, _f1(float(precision), float(recall))


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _log_loss(scores: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    if scores.size == 0:
        return float("nan")
    chance = np.clip(np.where(truth, scores, 1.0 - scores), 1e-7, 1.0)
    return float(-np.log(chance).mean())
