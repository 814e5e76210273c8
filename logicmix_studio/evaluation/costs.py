"""What a person's work costs: seconds, key presses and looks, by a model that is written down.

The numbers are for practised people, photographs of everyday objects and about 20 classes:

- A yes or no to one class of one photograph: 1 s. Bearman et al., "What's the Point" (ECCV 2016), count 1 s for each
  class of an image of PASCAL VOC, 20 s for all 20.
- A tile of a grid that shows one class: 0.3 s, as the eye only looks for what does not belong; a tile that is marked
  costs what a yes or no costs. Krishna et al., "Embracing Error to Enable Rapid Crowdsourcing" (CHI 2016), show several
  images a second and find more errors the faster it goes: 0.3 s is a judgement on the careful side of theirs.
- A photograph looked at with all its classes: 2 s, and 1 s for each class that is marked. Naming a class among many takes
  longer by the logarithm of their number (Hick 1952): a mark costs ``doubling`` more for each doubling beyond 20 classes.

They are judgements all the same: vary them (``--cost tile=0.5``), or take those of your own people from the journal
(``--own-times``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

import numpy as np
from scipy.optimize import nnls

from logicmix_studio.errors import StudioError
from logicmix_studio.files import is_number
from logicmix_studio.labels import POSITIVE
from logicmix_studio.store.line import Line

FEW_CLASSES = 20
"""Up to so many classes a mark costs no more."""
MIN_ACTS = 20
"""Fewer acts of a kind say nothing of what it costs."""
PAUSE = 5.0
"""An act that took so many times the median had a pause in it."""
_COSTS_OF = {"stream": ("answer",), "grid": ("page", "tile", "mark"), "label": ("image", "positive")}


@dataclass(frozen=True)
class CostModel:
    """Seconds of a person's time."""

    answer: float = 1.0
    """A yes or no to one cell."""
    tile: float = 0.3
    """A tile of a grid that is passed over."""
    mark: float = 0.7
    """Marking a tile, beside looking at it."""
    page: float = 0.5
    """Confirming a page of tiles and getting the next."""
    image: float = 2.0
    """A photograph, looked at with all its classes."""
    positive: float = 1.0
    """Marking a class of a photograph, or taking a mark away."""
    doubling: float = 0.25
    """What a mark costs more for each doubling of the classes beyond 20."""
    bulk: float = 5.0
    """Reading what accepting many claims at once would do, and doing it."""

    def __post_init__(self) -> None:
        """Refuse a cost below zero."""
        for field in fields(self):
            if not 0.0 <= getattr(self, field.name) < math.inf:
                raise StudioError(f"the cost {field.name} is {getattr(self, field.name)}", "give seconds, 0 or more")

    @classmethod
    def create(cls, changes: Mapping[str, float]) -> CostModel:
        """Return the usual costs but for some.

        Raises:
            StudioError: If there is no such cost, or it is below zero.
        """
        names = [field.name for field in fields(cls)]
        if unknown := set(changes) - set(names):
            raise StudioError(f"there is no cost {min(unknown)!r}", f"choose among {', '.join(names)}")
        return cls(**changes)

    def of_mark(self, num_classes: int) -> float:
        """Return what marking one of so many classes of a photograph costs."""
        return self.positive + self.doubling * max(0.0, math.log2(max(1, num_classes) / FEW_CLASSES))


@dataclass(frozen=True)
class Effort:
    """What was spent so far; efforts can be added.

    Example:
        >>> Effort(1.0, 1, 1) + Effort(0.3, 0, 1)
        Effort(seconds=1.3, keys=1, looks=2)
    """

    seconds: float = 0.0
    keys: int = 0
    """Key presses and clicks."""
    looks: int = 0
    """Pictures shown."""

    def __add__(self, other: Effort) -> Effort:
        return Effort(self.seconds + other.seconds, self.keys + other.keys, self.looks + other.looks)


def own_costs(lines: Iterable[Line]) -> dict[str, float]:
    """Return what acts cost the people of a journal, in seconds, by the names of :class:`CostModel`.

    Answers of the stream, pages of the grid and photographs labelled at once are told apart; each time is split up by
    non-negative least squares into its page and tiles and marks, or its photograph and marks. Acts with a pause in them
    are left out, and so are kinds with fewer than MIN_ACTS acts.
    """
    acts: dict[str, list[tuple[float, ...]]] = {name: [] for name in _COSTS_OF}
    for line in lines:
        ms = line.extra.get("ms")
        parts = _parts(line) if line.kind == "decide" and line.origin in acts else None
        if parts is not None and is_number(ms) and ms > 0:
            acts[line.origin].append((ms / 1000, *parts))
    costs: dict[str, float] = {}
    for origin, names in _COSTS_OF.items():
        rows = np.array(acts[origin])
        if len(rows) >= MIN_ACTS:
            rows = rows[rows[:, 0] <= PAUSE * np.median(rows[:, 0])]
            found, _ = nnls(rows[:, 1:], rows[:, 0])
            costs |= {name: round(float(cost), 3) for name, cost in zip(names, found, strict=True)}
    return costs


def _parts(line: Line) -> tuple[float, ...] | None:
    """Return how many of each of its costs an act had; None where the line does not say it."""
    states = [cell.after.state for cell in line.cells]
    if line.origin == "stream":
        return (1.0,)
    if line.origin == "grid":
        tiles, sign = line.extra.get("tiles"), line.extra.get("sign")
        if not (is_number(tiles) and is_number(sign)):
            return None
        return 1.0, float(tiles), float(sum(state == -sign for state in states))
    filled = line.extra.get("filled")
    return (1.0, float(states.count(POSITIVE) - len(filled))) if isinstance(filled, list | tuple) else None
