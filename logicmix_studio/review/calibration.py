"""From the logits of a model to probabilities: applying a calibration, and checking one.

A calibration is a rising broken line from the raw logit to the logit of the probability of presence, fitted on known
cells that the model did not learn from. Runs of earlier versions have two straight lines instead: where the positive one
is at 0 or above it holds; elsewhere the negative one, as far as it is below 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from logicmix_studio.errors import StudioError

LOGIT_LIMIT = 20.0
"""Raw logits are read no farther out than this."""
_REMEDY = "Remove calibration.json from the run's folder."


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities; the default changes nothing."""

    raw: tuple[float, ...] = (-LOGIT_LIMIT, LOGIT_LIMIT)
    """Raw logits, rising."""
    calibrated: tuple[float, ...] = (-LOGIT_LIMIT, LOGIT_LIMIT)
    """The logits of the probabilities there, never falling; straight between, level beyond."""

    def __post_init__(self) -> None:
        """Refuse what would turn the order of cells round."""
        fits = len(self.raw) == len(self.calibrated) >= 2 and np.isfinite([*self.raw, *self.calibrated]).all()
        if not (fits and (np.diff(self.raw) > 0).all() and (np.diff(self.calibrated) >= 0).all()):
            raise StudioError("A calibration does not rise.", _REMEDY)


def read_calibration(saved: Mapping[str, Any] | None) -> Calibration:
    """Return the calibration of a run's `calibration.json`; other keys are passed over, nothing changes nothing.

    Raises:
        StudioError: If a number is missing or the line does not rise.
    """
    if not saved:
        return Calibration()
    try:
        if "raw" in saved:
            return Calibration(*(tuple(float(value) for value in saved[key]) for key in ("raw", "calibrated")))
        lines = [(float(saved[side]["slope"]), float(saved[side]["intercept"])) for side in ("positive", "negative")]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise StudioError(f"A calibration lacks a number: {error!r}.", _REMEDY) from error
    return _of_lines(*lines)


def _of_lines(positive: tuple[float, float], negative: tuple[float, float]) -> Calibration:
    """Return two straight lines, slope and intercept each, as one broken line."""
    if min(positive[0], negative[0]) <= 0:
        raise StudioError(f"A calibration has the slope {min(positive[0], negative[0])}.", _REMEDY)
    zeros = [float(np.clip(-line[1] / line[0], 1 - LOGIT_LIMIT, LOGIT_LIMIT - 1)) for line in (positive, negative)]
    # Where the lines do not meet there is a level piece at 0 between them, or a step.
    raw = np.array([-LOGIT_LIMIT, min(zeros) - 1e-6, zeros[0], LOGIT_LIMIT])
    if zeros[1] < zeros[0]:
        raw = np.array([-LOGIT_LIMIT, zeros[1], zeros[0], LOGIT_LIMIT])
    else:
        raw[1] = zeros[0] - 1e-6
    below = np.minimum(negative[0] * raw + negative[1], 0.0)
    above = np.maximum(positive[0] * raw + positive[1], 0.0)
    return Calibration(tuple(raw.tolist()), tuple(np.where(raw >= zeros[0], above, below).tolist()))


def calibrate(logits: NDArray[np.floating[Any]], calibration: Calibration) -> NDArray[np.float64]:
    """Return calibrated probabilities, in [0, 1], of logits of any shape; nan stays nan."""
    found: NDArray[np.float64] = expit(
        np.interp(np.asarray(logits, np.float64), calibration.raw, calibration.calibrated)
    )
    return found


def apply_calibration(logits: NDArray[np.float16], calibration: Calibration | None = None) -> NDArray[np.float16]:
    """Return calibrated probabilities of logits of any shape, as `calibrate` does.

    They are worked out once for each of the 65,536 float16 numbers and looked up. nan (an image that could not be read)
    becomes 0.5, which claims nothing.
    """
    if logits.dtype != np.float16:
        raise StudioError(f"Logits must be float16, but are {logits.dtype}.", "Train once more.")
    given = np.arange(2**16, dtype=np.uint16).view(np.float16)
    table = calibrate(given, calibration or Calibration()).astype(np.float16)
    table[np.isnan(given)] = 0.5
    return table[np.ascontiguousarray(logits).view(np.uint16)]
