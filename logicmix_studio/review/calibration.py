"""From scores to probabilities: applying a calibration, and checking one.

A calibration is two lines from the raw logit of a score to the logit of the calibrated probability of presence,
fitted on held-out known cells. Where the positive line is at 0 or above it holds; elsewhere the negative one, as far as it
is below 0. So the order of scores is kept, also by lines that do not meet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE, UNKNOWN
from logicmix_studio.review.intervals import clopper_pearson

LOGIT_LIMIT = 20.0
"""Raw logits are read no farther out than this, which is where scores of exactly 0 and 1 count."""
NUM_BINS = 10
"""Bins of a reliability curve."""


@dataclass(frozen=True)
class Line:
    """A straight line in logits."""

    slope: float = 1.0
    """More than 0."""
    intercept: float = 0.0

    def __post_init__(self) -> None:
        """Refuse a line that does not rise."""
        if not (self.slope > 0 and np.isfinite([self.slope, self.intercept]).all()):
            raise StudioError(
                f"A calibration has slope {self.slope} and intercept {self.intercept}.",
                "The slope must be above 0: remove calibration.json from the run's folder.",
            )


@dataclass(frozen=True)
class Calibration:
    """How scores become probabilities; the default changes nothing."""

    positive: Line = Line()
    """Where it is at 0 or above: the calibrated probability is 0.5 or more."""
    negative: Line = Line()
    """Elsewhere."""

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Calibration:
        """Return the calibration of a run's `calibration.json`; other keys are passed over.

        Raises:
            StudioError: If a number is missing or the slope is not above 0.
        """
        try:
            lines = [
                Line(float(saved[side]["slope"]), float(saved[side]["intercept"])) for side in ("positive", "negative")
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise StudioError(
                f"A calibration lacks a number: {error!r}.", "Remove calibration.json from the run's folder."
            ) from error
        return cls(*lines)


def calibrate(scores: NDArray[np.floating[Any]], calibration: Calibration) -> NDArray[np.float64]:
    """Return calibrated probabilities of scores of any shape, in [0, 1], by the formula."""
    logits = np.clip(logit(np.asarray(scores, dtype=np.float64)), -LOGIT_LIMIT, LOGIT_LIMIT)
    positive = calibration.positive.slope * logits + calibration.positive.intercept
    negative = calibration.negative.slope * logits + calibration.negative.intercept
    calibrated: NDArray[np.float64] = expit(np.where(positive >= 0, positive, np.minimum(negative, 0.0)))
    return calibrated


def apply_calibration(scores: NDArray[np.float16], calibration: Calibration | None = None) -> NDArray[np.float16]:
    """Return calibrated scores of any shape, all in [0, 1], from the raw ones that a run wrote.

    The formula is worked out once for each of the 65,536 float16 numbers and looked up. Numbers outside [0, 1] become 0
    or 1, and nan (an image that could not be read) becomes 0.5, which claims nothing.
    """
    if scores.dtype != np.float16:
        raise StudioError(f"Scores must be float16, but are {scores.dtype}.", "Train once more.")
    given = np.arange(2**16, dtype=np.uint16).view(np.float16)
    # The absolute value turns -0, which has other bits than 0, into 0.
    table = np.abs(np.clip(given, 0.0, 1.0))
    if calibration is not None:
        table = calibrate(table, calibration).astype(np.float16)
    table[np.isnan(given)] = 0.5
    return table[np.ascontiguousarray(scores).view(np.uint16)]


def reliability_curve(scores: NDArray[np.floating[Any]], states: NDArray[np.int8]) -> pd.DataFrame:
    """Return what was claimed against what was so, a row for each of ten bins of scores with at least one known cell.

    Scores and states are of one shape; unknown cells are left out.

    Returns:
        claimed (mean score), observed (share that is positive), lower and upper end of its exact interval, cells.
    """
    is_known = states != UNKNOWN
    cells = pd.DataFrame({"claimed": scores[is_known].astype(np.float64), "observed": states[is_known] == POSITIVE})
    bins = np.minimum((cells["claimed"] * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    curve = cells.groupby(bins).mean()
    total = bins.value_counts().sort_index().to_numpy()
    curve["lower"], curve["upper"] = clopper_pearson((curve["observed"] * total).round(), total)
    return curve.assign(cells=total).reset_index(drop=True)
