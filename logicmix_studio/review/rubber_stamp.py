"""Does a person look, or only agree?

Among the tiles and cards of a review, a few known cells are shown with the wrong suggestion on purpose.
Whoever looks rejects them. Their answers measure and change no state.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review.cells import CellView
from logicmix_studio.review.intervals import DEFAULT_LEVEL, clopper_pearson

FEWEST_CHECKS = 10
"""Below this many answers nothing is said about a person."""

TOLERABLE_SHARE = 0.1
"""A share of accepted mistakes that is no cause for concern."""


@dataclass(frozen=True)
class PlantedSuggestions:
    """Known cells with the wrong suggestion; P of them."""

    cells: NDArray[np.int64]
    """(P,) flat indices `row * C + class`."""
    suggested: NDArray[np.int8]
    """(P,) what is suggested: the opposite of what is known."""


def plant_suggestions(view: CellView, count: int, seed: int, sign: int = 0) -> PlantedSuggestions:
    """Draw known cells to be shown with the wrong suggestion.

    Where there are scores, only cells on whose state the model agrees are drawn, so that what is planted as
    a mistake is one.

    Args:
        view: The cells as they are now; images of the test split are left out.
        count: How many are wanted; fewer come where fewer are known.
        seed: Seed of the draw.
        sign: Where not 0, only suggestions of this sign, to fit into a page of one sign.
    """
    allowed = view.states != UNKNOWN if not sign else view.states == -sign
    allowed &= ~view.excluded_rows[:, np.newaxis]
    if view.scores is not None:
        half = np.float16(0.5)
        allowed &= np.where(view.states > 0, view.scores > half, view.scores < half)
    known = np.flatnonzero(allowed)
    rng = np.random.default_rng(seed)
    cells = rng.choice(known, size=min(count, len(known)), replace=False)
    return PlantedSuggestions(cells, -view.states.ravel()[cells])


@dataclass(frozen=True)
class RubberStamp:
    """How often a person accepted a planted mistake."""

    who: str
    accepted: int
    """Planted mistakes accepted."""
    shown: int
    """Planted mistakes answered."""
    interval: tuple[float, float]
    """Two-sided, of the share accepted."""

    @property
    def share(self) -> float | None:
        """Share of planted mistakes accepted, or None where none was answered."""
        return self.accepted / self.shown if self.shown else None

    def message(self) -> str:
        """Return what to tell the person, kindly."""
        caught = self.shown - self.accepted
        if self.shown < FEWEST_CHECKS:
            return f"Too early to say: {self.shown} of {FEWEST_CHECKS} planted mistakes were shown so far."
        if self.interval[0] > TOLERABLE_SHARE:
            return (
                f"{self.accepted} of {self.shown} planted mistakes went through. It happens to everybody "
                "after a while: a short break, or fewer tiles a page, helps."
            )
        praise = " Thank you for looking closely." if self.accepted <= TOLERABLE_SHARE * self.shown else ""
        return f"You caught {caught} of {self.shown} planted mistakes.{praise}"


def rubber_stamp(who: str, accepted: int, shown: int, level: float = DEFAULT_LEVEL) -> RubberStamp:
    """Return how often a person accepted a planted mistake.

    Args:
        who: The person.
        accepted: Planted mistakes accepted, 0 to `shown`.
        shown: Planted mistakes answered with accept or reject.
        level: Of the exact interval.
    """
    low, high = clopper_pearson(accepted, shown, level)
    return RubberStamp(who, accepted, shown, (float(low), float(high)))
