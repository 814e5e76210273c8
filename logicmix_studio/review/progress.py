"""How many cells are known, how fast a person decides, and how long the rest will take. N images, C classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.store import Line

PAUSE_SECONDS = 60.0
"""A longer gap between two decisions is a pause, and no work."""


@dataclass(frozen=True)
class Counts:
    """Cells of every class by state; each (C,) int64 and together N."""

    positive: npt.NDArray[np.int64]
    negative: npt.NDArray[np.int64]
    pseudo_positive: npt.NDArray[np.int64]
    pseudo_negative: npt.NDArray[np.int64]
    unknown: npt.NDArray[np.int64]
    """Without a pseudo-label."""

    @property
    def known(self) -> int:
        """Known cells of all classes."""
        return int(self.positive.sum() + self.negative.sum())

    @property
    def pseudo(self) -> int:
        """Open pseudo-labels of all classes."""
        return int(self.pseudo_positive.sum() + self.pseudo_negative.sum())

    @property
    def total(self) -> int:
        """All cells."""
        return self.known + self.pseudo + int(self.unknown.sum())


def count_cells(states: npt.NDArray[np.int8], proposals: npt.NDArray[np.int8]) -> Counts:
    """Count the cells of every class, by (N, C) states and proposals; these are 0 wherever a cell is known."""
    positive, negative = per_class(states == POSITIVE), per_class(states == NEGATIVE)
    claimed, denied = per_class(proposals == POSITIVE), per_class(proposals == NEGATIVE)
    return Counts(positive, negative, claimed, denied, len(states) - positive - negative - claimed - denied)


def per_class(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return (C,) how many cells of each class are True."""
    counts: npt.NDArray[np.int64] = np.count_nonzero(mask, axis=0).astype(np.int64)
    return counts


def per_minute(times: Sequence[float]) -> float:
    """Return how many decisions people make in a minute of work, by the times of each in seconds, in any order.

    A pause counts like a typical decision, so that coming back from one neither slows the figure down nor speeds it
    up. 0 where nothing can be said.

    Example:
        >>> per_minute([0.0, 2.0, 4.0, 1000.0, 1002.0])
        30.0
    """
    gaps = np.diff(np.sort(np.asarray(times, dtype=np.float64)))
    working = gaps[gaps <= PAUSE_SECONDS]
    if not working.any():
        return 0.0
    return float(60 * len(gaps) / (working.sum() + (len(gaps) - len(working)) * np.median(working)))


@dataclass(frozen=True)
class Speed:
    """How fast people decide, and how long they need to the goal."""

    goal: float
    """Share of known cells, in [0, 1]."""
    missing: int
    """Cells to the goal."""
    per_minute: float
    """Decisions; one settles ``cells_per_decision`` cells."""
    cells_per_decision: float
    seconds_left: float | None
    """None while nobody knows."""


def speed_to(goal: float, counts: Counts, decided: Sequence[Line]) -> Speed:
    """Return how long people need to a goal, a share of known cells in [0, 1], by their latest decisions."""
    missing = max(0, math.ceil(goal * counts.total) - counts.known)
    each = sum(len(line.cells) for line in decided) / len(decided) if decided else 0.0
    now = per_minute([datetime.fromisoformat(line.time).timestamp() for line in decided])
    left = 60 * missing / (now * each) if now and each else None
    return Speed(goal, missing, now, each, left if missing else 0.0)
