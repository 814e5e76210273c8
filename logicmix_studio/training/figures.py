"""A run's mAP never stands alone: on which cells it was measured, how sure it is, and in what words that is said.

No torch here: the trainer writes these figures, everything that shows a run reads them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.training.metrics import NO_INTERVAL, average_precisions, difference, map_interval
from logicmix_studio.words import counted

ENOUGH_POSITIVES: Final = 10
"""With fewer positive cells in all there is no mAP: it would tell of these few cells alone."""
CLOSE: Final = 0.02
"""A narrower interval is told to three digits."""

Place = Literal["test", "held-out"]
Verdict = Literal["better", "worse", "unclear"]


@dataclass(frozen=True)
class Figure:
    """A mean average precision and the known cells that it was measured on."""

    map: float | None
    """Over the classes with cells of both signs; None with fewer than `ENOUGH_POSITIVES`, or without such a class."""
    map_low: float | None
    """Lower end of the 95 % interval; None without a figure, and in results of earlier versions."""
    map_high: float | None
    num_cells: int | None
    """None in results of earlier versions."""
    num_positive: int = 0
    num_measured_images: int = 0
    """Images with such cells."""
    num_measured_classes: int = 0
    num_without_positive: int = 0
    """Classes left out because none of the cells is positive, or there is none."""
    num_without_negative: int = 0
    missing_positives: int = 0
    """How many more positive cells a figure needs."""
    place: Place = "held-out"
    """``test``: images of split test, which measure and never choose anything."""

    @property
    def number(self) -> str:
        """The mAP, to the digits that the interval allows; a dash where there is none."""
        return "–" if self.map is None else f"{self.map:.{self._digits}f}"

    @property
    def interval(self) -> str:
        """The 95 % interval in words; empty where there is none."""
        if self.map_low is None or self.map_high is None:
            return ""
        return f"{self.map_low:.{self._digits}f} to {self.map_high:.{self._digits}f}"

    @property
    def about(self) -> str:
        """What the number is, how sure it is and what it was measured on, in words."""
        if self.map is None:
            return f"no mAP yet: {self._lacking}"
        if self.num_cells is None or self.map_low is None:
            cells = "" if self.num_cells is None else f"{self.num_cells:,} "
            return f"mAP on {cells}held-out cells"
        images = counted(self.num_measured_images, "test image" if self.place == "test" else "image")
        cells = counted(self.num_cells, "cell" if self.place == "test" else "held-out cell")
        left_out = [
            f"{counted(number, 'class')} {'has' if number == 1 else 'have'} {what}"
            for number, what in ((self.num_without_positive, "none"), (self.num_without_negative, "no negative"))
            if number
        ]
        told = f"mAP ({self.interval}) on {cells} of {images}, {self.num_positive:,} positive"
        return "; ".join([told, *left_out])

    @property
    def words(self) -> str:
        """All of it in words.

        Example:
            >>> Figure(0.43, 0.38, 0.47, 19_200, 1310, 960, 13, 7, place="test").words
            'mAP 0.43 (0.38 to 0.47) on 19,200 cells of 960 test images, 1,310 positive; 7 classes have none'
            >>> Figure(None, None, None, 58, 3, missing_positives=7).words
            'no mAP yet: 7 more known positives are needed among the held-out cells'
        """
        return self.about if self.map is None else self.about.replace("mAP", f"mAP {self.number}", 1)

    @property
    def short(self) -> str:
        """What the number was measured on and how sure it is, for a table: "0.38 to 0.47 · 482 held-out cells, …"."""
        if self.map is None:
            return self._lacking
        if self.num_cells is None:
            return "held-out cells"
        cells = f"{self.num_cells:,} {self.place} cells, {self.num_positive:,} positive"
        return " · ".join(filter(None, (self.interval, cells)))

    @property
    def _digits(self) -> int:
        is_close = self.map_low is None or self.map_high is None or self.map_high - self.map_low < CLOSE
        return 3 if is_close else 2

    @property
    def _lacking(self) -> str:
        return lacking(self.missing_positives, f"the {self.place} cells")


def measure_figure(logits: NDArray[Any], states: NDArray[np.int8], place: Place) -> tuple[Figure, NDArray[np.float64]]:
    """Return the figure, and the average precision of each class, (C,), all nan where there is no figure.

    Args:
        logits: (N, C) of any monotone scale; cells where they are nan do not count.
        states: (N, C), 0 for cells that do not count.
        place: Which cells these are.
    """
    states = np.where(np.isnan(logits), 0, states).astype(np.int8)
    has_positive, has_negative = (states > 0).any(axis=0), (states < 0).any(axis=0)
    num_positive = int(np.count_nonzero(states > 0))
    missing = max(0, ENOUGH_POSITIVES - num_positive)
    values = average_precisions(logits, states)
    found = NO_INTERVAL if missing else map_interval(logits, states)
    has_figure = not math.isnan(found.value)
    figure = Figure(
        map=found.value if has_figure else None,
        map_low=found.low if has_figure else None,
        map_high=found.high if has_figure else None,
        num_cells=int(np.count_nonzero(states)),
        num_positive=num_positive,
        num_measured_images=int(np.count_nonzero((states != 0).any(axis=1))),
        num_measured_classes=int(np.count_nonzero(has_positive & has_negative)),
        num_without_positive=int(np.count_nonzero(~has_positive)),
        num_without_negative=int(np.count_nonzero(has_positive & ~has_negative)),
        missing_positives=missing,
        place=place,
    )
    return figure, values if has_figure else np.full_like(values, np.nan)


def figures_of(result: Mapping[str, Any]) -> tuple[Figure, ...]:
    """Return what a ``result.json`` of this or an earlier version tells, that of split test first; empty without any."""
    blocks: list[tuple[Place, Mapping[str, Any]]] = [("test", result.get("test") or {}), ("held-out", result)]
    return tuple(_read(block, place) for place, block in blocks if "map" in block)


def main_figure(result: Mapping[str, Any]) -> Figure | None:
    """Return the figure that stands for a run: of split test, else of the held-out cells, whichever has a number first."""
    figures = figures_of(result)
    return next((figure for figure in figures if figure.map is not None), figures[-1] if figures else None)


def figure_words(result: Mapping[str, Any]) -> str:
    """Return all that a ``result.json`` tells of the mAP in words; empty without any."""
    return " · ".join(figure.words for figure in figures_of(result))


def lacking(missing_positives: int, cells: str) -> str:
    """Return in words why there is no mAP on some cells."""
    if missing_positives == 1:
        return f"1 more known positive is needed among {cells}"
    if missing_positives:
        return f"{missing_positives} more known positives are needed among {cells}"
    return f"no class has known cells of both signs among {cells}"


def _read(block: Mapping[str, Any], place: Place) -> Figure:
    names = [name for name in Figure.__dataclass_fields__ if name != "place"]
    known = {name: block[name] for name in names if block.get(name) is not None}
    return Figure(**{"map": None, "map_low": None, "map_high": None, "num_cells": None, **known, "place": place})


@dataclass(frozen=True)
class Match:
    """How two runs do on the same known cells, which neither was trained on."""

    map: float | None
    """Of the run in question; None where the cells are too few."""
    other_map: float | None
    """Of the run it is compared with."""
    difference: float | None
    """How much higher the mAP of the run in question is."""
    low: float | None
    """Lower end of the difference's 95 % interval, by a paired bootstrap over the images."""
    high: float | None
    num_cells: int
    num_positive: int
    num_images: int
    missing_positives: int
    """How many more positive cells a figure needs."""
    place: Place = "held-out"

    @property
    def verdict(self) -> Verdict:
        """How the run in question does; ``unclear`` where that can't be told."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "unclear"
        return "better" if self.low > 0 else "worse"

    def words(self, run: int, other: int) -> str:
        """Return the verdict with its ground, in words.

        Example:
            >>> Match(0.65, 0.64, 0.012, -0.02, 0.041, 482, 39, 301, 0).words(3, 2)
            "run 3 can't be told from run 2 on 482 shared held-out cells (+0.012, −0.020 to +0.041)"
        """
        verb = {"better": "is better than", "worse": "is worse than", "unclear": "can't be told from"}[self.verdict]
        if self.difference is None or self.low is None or self.high is None:
            cells = lacking(self.missing_positives, f"the shared {self.place} cells")
            return f"run {run} {verb} run {other}: {cells}"
        gap = f"{signed(self.difference)}, {signed(self.low)} to {signed(self.high)}"
        return f"run {run} {verb} run {other} on {self.num_cells:,} shared {self.place} cells ({gap})"

    def as_dict(self) -> dict[str, Any]:
        """Return the content for a JSON file, the verdict included."""
        return {**asdict(self), "verdict": self.verdict}


def match(ours: NDArray[Any], theirs: NDArray[Any], states: NDArray[np.int8], place: Place = "held-out") -> Match:
    """Compare two sets of scores on the same known cells.

    Args:
        ours: (N, C) of any monotone scale; cells where one of both is nan do not count.
        theirs: (N, C).
        states: (N, C), 0 for cells that do not count.
        place: Which cells these are.
    """
    states = np.where(np.isnan(ours) | np.isnan(theirs), 0, states).astype(np.int8)
    num_positive = int(np.count_nonzero(states > 0))
    missing = max(0, ENOUGH_POSITIVES - num_positive)
    own = other = None
    gap = NO_INTERVAL if missing else difference(ours, theirs, states)
    if has_figure := not math.isnan(gap.value):
        own, other = (float(np.nanmean(average_precisions(scores, states))) for scores in (ours, theirs))
    return Match(
        map=own,
        other_map=other,
        difference=gap.value if has_figure else None,
        low=gap.low if has_figure else None,
        high=gap.high if has_figure else None,
        num_cells=int(np.count_nonzero(states)),
        num_positive=num_positive,
        num_images=int(np.count_nonzero((states != 0).any(axis=1))),
        missing_positives=missing,
        place=place,
    )


def signed(value: float) -> str:
    """Return a difference with its sign.

    Example:
        >>> signed(0.012), signed(-0.02)
        ('+0.012', '−0.020')
    """
    return f"{value:+.3f}".replace("-", "−")
