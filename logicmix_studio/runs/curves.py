"""A run's events as curves, read as they are written."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from logicmix_studio.training.run_folder import read_events

STEP_KEYS: Final = ("loss_original", "loss_mixed", "lr", "images_per_s", "memory_mb")
"""What a step event says, each a curve over steps."""

EPOCH_KEYS: Final = ("loss_original", "loss_mixed", "map")
"""What an epoch event says, each a curve over epochs."""

PSEUDO_KEYS: Final = ("positive", "negative", "changed")
"""What a pseudo event says, each a curve over epochs."""

MOST_POINTS: Final = 400
"""Points of a curve that travel to the browser."""

MOST_MESSAGES: Final = 50

Points = list[list[float]]


@dataclass
class RunCurves:
    """Everything that a run's events have said so far.

    A run that went on from a checkpoint repeats some steps: what it had said of them before is forgotten.
    """

    offset: int = 0
    """Bytes of the file that have been read."""
    steps: dict[str, Points] = field(default_factory=lambda: {key: [] for key in STEP_KEYS})
    epochs: dict[str, Points] = field(default_factory=lambda: {key: [] for key in EPOCH_KEYS})
    pseudo: dict[str, Points] = field(default_factory=lambda: {key: [] for key in PSEUDO_KEYS})
    stages: list[dict[str, Any]] = field(default_factory=list)
    """Each stage: its words, and the seconds since the first event."""
    messages: list[dict[str, Any]] = field(default_factory=list)
    epoch: int = 0
    """Epochs finished."""
    num_epochs: int | None = None
    pseudo_per_class: dict[str, Any] = field(default_factory=dict)
    """The latest pseudo-labels of the trainer, as the event gives them per class."""
    started: float | None = None
    """Time of the first event, in seconds since 1970."""
    last: float | None = None
    """Time of the last event."""
    step: int = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """Add one event; kinds that are not drawn only move the clock."""
        time = event.get("time")
        if isinstance(time, int | float):
            self.started = time if self.started is None else self.started
            self.last = time
        kind = event.get("event")
        if kind == "step":
            self._take_step(event)
        elif kind == "epoch":
            self._take_epoch(event)
        elif kind == "pseudo":
            self._take_pseudo(event)
        elif kind == "stage":
            self.stages.append({"words": str(event.get("text", "")), "at": self._elapsed()})
        elif kind == "message":
            entry = {
                "level": event.get("level", "info"),
                "text": str(event.get("text", "")),
                "at": self._elapsed(),
            }
            self.messages = [*self.messages, entry][-MOST_MESSAGES:]

    def to_json(self) -> dict[str, Any]:
        """Return all curves, each thinned to `MOST_POINTS`."""
        return {
            "offset": self.offset,
            "steps": {key: thin(points) for key, points in self.steps.items()},
            "epochs": {key: thin(points) for key, points in self.epochs.items()},
            "pseudo": {key: thin(points) for key, points in self.pseudo.items()},
            "pseudo_per_class": self.pseudo_per_class,
            "stages": self.stages,
            "messages": self.messages,
            "epoch": self.epoch,
            "num_epochs": self.num_epochs,
            "elapsed_s": self._elapsed(),
        }

    def _take_step(self, event: Mapping[str, Any]) -> None:
        step = int(event.get("step", self.step + 1))
        if step <= self.step:
            _forget(self.steps, step)
        self.step = step
        _add(self.steps, step, event)

    def _take_epoch(self, event: Mapping[str, Any]) -> None:
        epoch = int(event.get("epoch", self.epoch + 1))
        if epoch <= self.epoch:
            _forget(self.epochs, epoch)
            _forget(self.pseudo, epoch)
        self.epoch = epoch
        self.num_epochs = event.get("epochs", self.num_epochs)
        _add(self.epochs, epoch, event)

    def _take_pseudo(self, event: Mapping[str, Any]) -> None:
        epoch = int(event.get("epoch", self.epoch))
        _forget(self.pseudo, epoch)
        _add(self.pseudo, epoch, event)
        per_class = event.get("per_class")
        self.pseudo_per_class = dict(per_class) if isinstance(per_class, Mapping) else {}

    def _elapsed(self) -> float:
        return 0.0 if self.started is None or self.last is None else round(self.last - self.started, 3)


class CurveReader:
    """Reads the events of many runs, each byte once. May be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._curves: dict[Path, RunCurves] = {}

    def read(self, events_file: Path) -> RunCurves:
        """Return the curves of a run up to the last whole line.

        A file that became shorter was made anew, and is read from its beginning.

        Args:
            events_file: ``events.jsonl``; a missing file has no events.
        """
        with self._lock:
            curves = self._curves.setdefault(events_file, RunCurves())
            size = events_file.stat().st_size if events_file.exists() else 0
            if size < curves.offset:
                curves = self._curves[events_file] = RunCurves()
            events, curves.offset = read_events(events_file, curves.offset)
            for event in events:
                curves.take(event)
            return curves

    def forget(self, events_file: Path) -> None:
        """Forget a run that was deleted."""
        with self._lock:
            self._curves.pop(events_file, None)


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


def _add(curves: Mapping[str, Points], x: int, event: Mapping[str, Any]) -> None:
    for key, points in curves.items():
        value = event.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            points.append([x, float(value)])


def _forget(curves: Mapping[str, Points], first: int) -> None:
    for points in curves.values():
        while points and points[-1][0] >= first:
            points.pop()
