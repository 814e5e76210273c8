"""What a finished run says of every cell, and where such scores come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

UNSCORED = 0.5
"""The score of a cell whose image or class is newer than the run: it claims nothing."""


@dataclass(frozen=True)
class RunScores:
    """What a finished run says of every cell.

    N images, C classes.
    """

    run: int
    scores: npt.NDArray[np.float16]
    """(N, C) calibrated probabilities in [0, 1]; 0.5 where the run did not know the image or the class."""
    scored_rows: npt.NDArray[np.bool_]
    """(N,) images that the run knew."""
    scored_columns: npt.NDArray[np.bool_]
    """(C,) classes that the run knew."""
    heldout: npt.NDArray[np.bool_]
    """(N, C), True for known cells that were held out of training."""
    calibration: Mapping[str, Any]
    """The file ``calibration.json``; empty where scores are raw."""
    result: Mapping[str, Any]
    """The file ``result.json``."""

    def is_scored(self, row: int, column: int) -> bool:
        """Return whether the run knew the image and the class of a cell."""
        return bool(self.scored_rows[row] and self.scored_columns[column])


class ScoredRuns(Protocol):
    """The finished runs, as far as reviewing needs to know them."""

    @property
    def version(self) -> int:
        """Rises whenever a run's state or the choice of scores changes."""

    def numbers(self) -> list[int]:
        """Return the runs that left scores, oldest first."""

    def choice(self) -> tuple[int | None, str]:
        """Return the run whose scores make the pseudo-labels, and why it is that one, in words."""

    def scores(self, run: int) -> RunScores:
        """Return the scores of a finished run."""
