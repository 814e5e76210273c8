"""How fast a person decides, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PAUSE_SECONDS = 60.0
"""A longer gap between two decisions is a pause, and no work."""


@dataclass(frozen=True)
class Pace:
    """How fast decisions came."""

    decisions: int
    """How many there were."""
    active_seconds: float
    """Time spent on them, pauses left out."""

    @property
    def per_minute(self) -> float:
        """Decisions a minute of work; 0 before there are two."""
        return 60.0 * (self.decisions - 1) / self.active_seconds if self.active_seconds > 0 else 0.0


def pace(times: Sequence[float], pause_seconds: float = PAUSE_SECONDS) -> Pace:
    """Return how fast a person decided.

    A pause counts like a typical decision, so that coming back from one neither slows the figure down nor
    speeds it up.

    Args:
        times: When each decision was made, in seconds, in any order.
        pause_seconds: A longer gap is a pause.

    Example:
        >>> pace([0.0, 2.0, 4.0, 1000.0, 1002.0]).per_minute
        30.0
    """
    gaps = np.diff(np.sort(np.asarray(times, dtype=np.float64)))
    working = gaps[gaps <= pause_seconds]
    if not len(working):
        return Pace(len(times), 0.0)
    num_pauses = len(gaps) - len(working)
    return Pace(len(times), float(working.sum() + num_pauses * np.median(working)))


def minutes_left(remaining: int, now: Pace) -> float | None:
    """Return how many minutes of work are left, or None while nobody knows.

    Args:
        remaining: Decisions still to make, 0 or more.
        now: How fast they come.
    """
    if remaining <= 0:
        return 0.0
    return remaining / now.per_minute if now.per_minute > 0 else None
