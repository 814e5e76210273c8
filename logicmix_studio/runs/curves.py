"""A run's events as curves, read as they are written."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from logicmix_studio.files import is_number
from logicmix_studio.training.run_folder import read_events

CHARTS: Final[dict[str, tuple[str, dict[str, str]]]] = {
    "loss": ("step", {"loss_original": "photographs", "loss_mixed": "blends"}),
    "mAP on held-out known cells": ("epoch", {"map": "mAP"}),
    "pseudo-labels in training": ("pseudo", {"positive": "positive", "negative": "negative"}),
    "learning rate": ("step", {"lr": "learning rate"}),
    "images a second": ("step", {"images_per_s": "images a second"}),
    "memory in MB": ("step", {"memory_mb": "memory"}),
}
"""Title of a chart → which events it is drawn from, and the line that each of their values is."""

MOST_POINTS: Final = 400
"""Points of a curve that travel to the browser."""

_LOSS, *_ = CHARTS
_DRAWN = frozenset(name for _, names in CHARTS.values() for name in names)
Points = list[list[float]]


@dataclass
class RunCurves:
    """Everything that a run's events have said so far.

    A run that went on from a checkpoint repeats some steps: what it had said of them before is forgotten.
    """

    offset: int = 0
    """Bytes of the file that have been read."""
    values: dict[tuple[str, str], Points] = field(default_factory=dict)
    """Kind of event and name of the value → [step or epoch, value] pairs."""
    step: int = 0
    epoch: int = 0
    """Epochs finished."""

    def take(self, event: Mapping[str, Any]) -> None:
        """Add one event; kinds that are not drawn change nothing."""
        kind = str(event.get("event"))
        if kind == "step":
            self.step = _place(event, "step", self.step + 1)
            self._add(kind, self.step, event)
        elif kind == "epoch":
            self.epoch = _place(event, "epoch", self.epoch + 1)
            self._forget("pseudo", self.epoch)
            self._add(kind, self.epoch, event)
        elif kind == "pseudo":
            self._add(kind, _place(event, "epoch", self.epoch), event)

    def lines(self, chart: str, *, by_epoch: bool = False) -> dict[str, Points]:
        """Return the lines of one of `CHARTS` that have points, each thinned to `MOST_POINTS`.

        With ``by_epoch`` the loss is drawn over epochs, as it is for a run that tells no steps.
        """
        source, names = CHARTS[chart]
        if chart == _LOSS and (by_epoch or not self.has_steps):
            source = "epoch"
        found = {line: self.values.get((source, name), []) for name, line in names.items()}
        return {line: thin(points) for line, points in found.items() if points}

    def axis(self, chart: str) -> str:
        """Return what a chart is drawn over: step or epoch."""
        source, _ = CHARTS[chart]
        return "step" if source == "step" and (chart != _LOSS or self.has_steps) else "epoch"

    @property
    def has_steps(self) -> bool:
        """Whether it tells its loss step by step; what ends in seconds does not."""
        return ("step", "loss_original") in self.values

    def frame(self, chart: str, *, by_epoch: bool = False) -> pd.DataFrame:
        """Return the lines of a chart as a table ``x, y, line``; see :meth:`lines`."""
        lines = self.lines(chart, by_epoch=by_epoch)
        rows = [(x, y, line) for line, points in lines.items() for x, y in points]
        return pd.DataFrame(rows, columns=["x", "y", "line"])

    def _add(self, kind: str, x: int, event: Mapping[str, Any]) -> None:
        self._forget(kind, x)
        for name, value in event.items():
            if name in _DRAWN and is_number(value):
                self.values.setdefault((kind, name), []).append([x, float(value)])

    def _forget(self, kind: str, first: int) -> None:
        for (of, _), points in self.values.items():
            while of == kind and points and points[-1][0] >= first:
                points.pop()


class CurveReader:
    """Reads the events of many runs, each byte once. May be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._curves: dict[Path, RunCurves] = {}

    def read(self, events_file: Path) -> RunCurves:
        """Return the curves of a run up to the last whole line.

        A file that became shorter was made anew, and is read from its beginning.
        """
        with self._lock:
            curves = self._curves.setdefault(events_file, RunCurves())
            length = events_file.stat().st_size if events_file.is_file() else 0
            if length < curves.offset:
                curves = self._curves[events_file] = RunCurves()
            events, curves.offset = read_events(events_file, curves.offset)
            for event in events:
                curves.take(event)
            return curves

    def forget(self, events_file: Path) -> None:
        """Forget a run that was deleted."""
        with self._lock:
            self._curves.pop(events_file, None)


def _place(event: Mapping[str, Any], name: str, otherwise: int) -> int:
    """Return at which step or epoch an event happened."""
    value = event.get(name)
    return int(value) if is_number(value) else otherwise


def thin(points: Sequence[Sequence[float]], most: int = MOST_POINTS) -> Points:
    """Return a curve with fewer points: means over equal stretches, the last point as it is.

    Args:
        points: [x, y] pairs in the order of x.
        most: How many points may be left; at least 2.

    Example:
        >>> thin([[1, 10.0], [2, 20.0], [3, 30.0], [4, 40.0]], most=3)
        [[1.5, 15.0], [3.5, 35.0], [4, 40.0]]
    """
    if len(points) <= most:
        return [list(point) for point in points]
    values = np.asarray(points, dtype=np.float64)
    starts = np.linspace(0, len(points), most - 1, endpoint=False).astype(np.int64)
    sizes = np.diff(starts, append=len(points))
    means: Points = (np.add.reduceat(values, starts) / sizes[:, np.newaxis]).tolist()
    return [*means, list(points[-1])]
