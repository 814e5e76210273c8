"""From raw scores to scores that mean what they say, for both signs.

The asymmetric loss pushes raw sigmoid scores far from the share of cells that are truly positive: at a raw
score of 0.5 about one cell in thirty is. So the raw logit is bent at a breakpoint ``k`` and scaled on each side by
a slope of its own,

    calibrated logit = slope_positive * max(z - k, 0) - slope_negative * max(k - z, 0),

which is fitted on held-out known cells by penalised likelihood: with few cells it stays near a prior that
follows from the loss alone. The map is increasing and continuous, and at the breakpoint the calibrated score is
0.5. Numpy only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.review.calibration import LOGIT_LIMIT, calibrate
from logicmix_studio.review.calibration import Calibration as Lines

_SLOPE_DEVIATION = 0.5
_BREAKPOINT_DEVIATION = 1.5
_BINS = 15


@dataclass(frozen=True)
class LossShape:
    """The exponents and the shift of a partial asymmetric loss."""

    gamma_positive: float = 0.0
    gamma_negative: float = 0.0
    shift: float = 0.0


@dataclass(frozen=True)
class Calibration:
    """The map from raw to calibrated scores, and how well it fits."""

    breakpoint: float = 0.0
    """Raw logit at which the calibrated score is 0.5."""
    slope_positive: float = 1.0
    """Slope above the breakpoint."""
    slope_negative: float = 1.0
    """Slope below the breakpoint."""
    ece_before: float = float("nan")
    """Calibration error of the raw scores on the held-out cells."""
    ece_after: float = float("nan")
    """The same after calibration, on the cells it was fitted on."""
    num_cells: int = 0
    """Known cells it was fitted on."""

    def as_dict(self) -> dict[str, Any]:
        """Return the content of ``calibration.json``.

        Each sign is written as slope and intercept of a line in the raw logit; both lines cross zero at the
        breakpoint.
        """
        return {
            "positive": {"slope": self.slope_positive, "intercept": -self.slope_positive * self.breakpoint},
            "negative": {"slope": self.slope_negative, "intercept": -self.slope_negative * self.breakpoint},
            "ece_before": self.ece_before,
            "ece_after": self.ece_after,
            "num_cells": self.num_cells,
        }


def apply_calibration(scores: ArrayLike, calibration: Mapping[str, Any] | Calibration | None) -> NDArray[np.float32]:
    """Turn raw scores into calibrated ones, as the review does, but in float32 and keeping nan.

    Args:
        scores: Raw scores in [0, 1], of any shape.
        calibration: What :func:`fit_calibration` returned or ``calibration.json`` holds; nothing leaves
            scores as they are.
    """
    raw = np.asarray(scores, dtype=np.float32)
    if calibration is None:
        return raw
    lines = calibration.as_dict() if isinstance(calibration, Calibration) else calibration
    return calibrate(raw, Lines.from_json(lines)).astype(np.float32)


def fit_calibration(scores: ArrayLike, states: ArrayLike, shape: LossShape | None = None) -> Calibration:
    """Fit the calibration on known cells that the model has not been trained on.

    Args:
        scores: (M,) raw scores in [0, 1].
        states: (M,) of +1 and -1; cells that are unknown (0) are left out.
        shape: The loss that trained the model: it says where a raw score is to be expected for an even
            chance. Without it, raw scores are expected to be right.
    """
    flat_scores = np.asarray(scores, dtype=np.float64).ravel()
    flat_states = np.asarray(states).ravel()
    known = flat_states != 0
    logits, truth = raw_logits(flat_scores[known]).astype(np.float64), flat_states[known] > 0
    prior = np.array(prior_from_loss(shape or LossShape()))

    def loss(parameters: NDArray[np.float64]) -> float:
        margins = _bend(logits, *_natural(parameters)) * np.where(truth, 1.0, -1.0)
        off = (parameters - prior) / np.array([_BREAKPOINT_DEVIATION, _SLOPE_DEVIATION, _SLOPE_DEVIATION])
        return float(np.logaddexp(0.0, -margins).sum() + 0.5 * (off @ off))

    # The optimiser is slow to import, and the studio's server only applies calibrations.
    from scipy.optimize import minimize  # noqa: PLC0415

    # Steps of a simplex made by scipy itself would be next to nothing where the prior is zero.
    simplex = np.vstack([prior, prior + np.diag([_BREAKPOINT_DEVIATION, _SLOPE_DEVIATION, _SLOPE_DEVIATION])])
    found = minimize(
        loss,
        prior,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-6, "maxiter": 2000},
    )
    bend, slope_positive, slope_negative = _natural(found.x)
    fitted = Calibration(bend, slope_positive, slope_negative, num_cells=int(known.sum()))
    before = calibration_error(flat_scores[known], truth)
    after = calibration_error(apply_calibration(flat_scores[known], fitted), truth)
    return Calibration(bend, slope_positive, slope_negative, before, after, fitted.num_cells)


def prior_from_loss(shape: LossShape) -> tuple[float, float, float]:
    """Return breakpoint and log-slopes to expect of a model trained with an asymmetric loss.

    At the loss's minimum the odds of a positive follow from the raw score p: with q = 1 - p they are
    (p - shift)^gamma_negative * p / ((q + shift) * q^gamma_positive). The breakpoint is where they are even; the
    slopes are the mean steepness of their logarithm over the three raw logits above and below it.
    """
    grid = np.linspace(-12.0, 12.0, 4801)
    p = _sigmoid(grid)
    q = 1.0 - p
    with np.errstate(divide="ignore"):
        odds = shape.gamma_negative * np.log(np.maximum(p - shape.shift, 0.0)) + np.log(p)
    odds = np.maximum(odds - np.log(q + shape.shift) - shape.gamma_positive * np.log(q), -40.0)
    bend = float(grid[int(np.argmin(np.abs(odds)))])
    above = float(np.interp(bend + 3.0, grid, odds)) / 3.0
    below = -float(np.interp(bend - 3.0, grid, odds)) / 3.0
    return bend, float(np.log(max(above, 0.1))), float(np.log(max(below, 0.1)))


def calibration_error(scores: ArrayLike, truth: ArrayLike) -> float:
    """Return the expected calibration error: gap between score and share of positives, over 15 even bins.

    Args:
        scores: (M,) in [0, 1].
        truth: (M,) bool.

    Returns:
        A number in [0, 1], nan where there is no cell.
    """
    flat = np.asarray(scores, dtype=np.float64).ravel()
    positive = np.asarray(truth, dtype=np.float64).ravel()
    if flat.size == 0:
        return float("nan")
    bins = np.minimum((flat * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.bincount(bins, weights=flat - positive, minlength=_BINS)
    return float(np.abs(gaps).sum() / flat.size)


def raw_logits(scores: ArrayLike) -> NDArray[np.float32]:
    """Return log(p / (1 - p)), no farther from zero than :data:`LOGIT_LIMIT`."""
    p = np.asarray(scores, dtype=np.float64)
    with np.errstate(divide="ignore"):
        logits = np.log(p) - np.log1p(-p)
    return np.asarray(np.clip(logits, -LOGIT_LIMIT, LOGIT_LIMIT), dtype=np.float32)


def _natural(parameters: NDArray[np.float64]) -> tuple[float, float, float]:
    slopes = np.exp(np.clip(parameters[1:], -4.0, 4.0))
    return float(parameters[0]), float(slopes[0]), float(slopes[1])


def _bend(
    logits: NDArray[np.float64], bend: float, slope_positive: float, slope_negative: float
) -> NDArray[np.float64]:
    distance = logits - bend
    return np.where(distance >= 0, slope_positive * distance, slope_negative * distance)


def _sigmoid(logits: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))
