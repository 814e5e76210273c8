"""What Overview shows, worked out from the arrays and the journal.

N images, C classes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.progress import Pace, minutes_left, pace
from logicmix_studio.runs import RunInfo
from logicmix_studio.store import Line
from logicmix_studio.studio import Studio

MAX_POINTS = 240
"""Points of the curve of known cells."""
PACE_LINES = 400
"""The last decisions that say how fast people are."""
MAX_TOGETHER = 60
"""Classes of one heat map."""
ANSWERS = frozenset({"accept", "reject", "set"})
"""Answers that settle a cell."""
DEFAULT_GOAL = 0.5
"""Share of known cells that people aim at until they say otherwise."""


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
    """Count the cells of every class by state.

    Args:
        states: (N, C) in {-1, 0, 1}.
        proposals: (N, C) in {-1, 0, 1}, 0 wherever a cell is known.
    """
    positive, negative = _per_class(states == POSITIVE), _per_class(states == NEGATIVE)
    pseudo_positive, pseudo_negative = _per_class(proposals == POSITIVE), _per_class(proposals == NEGATIVE)
    unknown = len(states) - positive - negative - pseudo_positive - pseudo_negative
    return Counts(positive, negative, pseudo_positive, pseudo_negative, unknown)


def true_precision(
    proposals: npt.NDArray[np.int8], complete: npt.NDArray[np.int8]
) -> dict[str, dict[str, float | int | None]]:
    """Return how many pseudo-labels are true, by sign, where the complete labels are known.

    Args:
        proposals: (N, C) in {-1, 0, 1}.
        complete: (N, C) the truth; 0 where even that is unknown, which counts for nothing.
    """
    found: dict[str, dict[str, float | int | None]] = {}
    for key, value in (("positive", POSITIVE), ("negative", NEGATIVE)):
        judged = (proposals == value) & (complete != UNKNOWN)
        total = int(np.count_nonzero(judged))
        right = int(np.count_nonzero(judged & (complete == value)))
        found[key] = {"right": right, "total": total, "precision": right / total if total else None}
    return found


def together(states: npt.NDArray[np.int8], columns: Sequence[int]) -> dict[str, npt.NDArray[np.int64]]:
    """Count how often two classes are known to be there together.

    Args:
        states: (N, C).
        columns: K columns.

    Returns:
        ``both`` (K, K): images where both are positive; the diagonal counts one class's positives. ``judged``
        (K, K): images where the row's class is positive and the column's class is known.
    """
    chosen = states[:, list(columns)]
    positive = (chosen == POSITIVE).astype(np.float32)
    known = (chosen != UNKNOWN).astype(np.float32)
    return {
        "both": (positive.T @ positive).round().astype(np.int64),
        "judged": (positive.T @ known).round().astype(np.int64),
    }


@dataclass
class KnownCurve:
    """Known cells over time, read from the journal a little further at each call."""

    imported: int
    """Known cells of the import."""
    created: str
    """When the import was made; ISO 8601."""
    seen: int = 0
    """Journal lines that have been read."""
    times: list[str] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def read(self, lines: Sequence[Line]) -> list[tuple[str, int]]:
        """Return at most 240 points of (time, known cells), the first being the import.

        Args:
            lines: The whole journal, oldest first.
        """
        with self.guard:
            now = self.known[-1] if self.known else self.imported
            for line in lines[self.seen :]:
                change = sum((cell.after.state != 0) - (cell.before.state != 0) for cell in line.cells)
                if change:
                    now += change
                    self.times.append(line.time)
                    self.known.append(now)
            self.seen = len(lines)
            points = [(self.created, self.imported), *zip(self.times, self.known, strict=True)]
        if len(points) <= MAX_POINTS:
            return points
        kept = np.unique(np.linspace(0, len(points) - 1, MAX_POINTS).round().astype(int))
        return [points[i] for i in kept]


def progress(studio: Studio, known: int, total: int) -> dict[str, Any]:
    """Return how fast people decide and how long they need to the goal.

    Args:
        studio: The data set.
        known: Known cells now.
        total: All cells.
    """
    decided = [line for line in studio.ledger.lines[-4 * PACE_LINES :] if line.kind == "decide"][-PACE_LINES:]
    speed = pace([_seconds(line.time) for line in decided])
    cells = sum(len(line.cells) for line in decided)
    goal = float(studio.settings.get("goal", DEFAULT_GOAL))
    missing = max(0, int(np.ceil(goal * total)) - known)
    each = cells / len(decided) if decided else 0.0
    by_cell = Pace(speed.decisions, speed.active_seconds / each) if each else speed
    minutes = minutes_left(missing, by_cell)
    return {
        "goal": goal,
        "missing": missing,
        "per_minute": round(speed.per_minute, 1),
        "cells_per_decision": round(each, 1),
        "decisions": sum(1 for line in studio.ledger.lines if line.kind == "decide"),
        "seconds_left": None if minutes is None else minutes * 60,
    }


def rounds(studio: Studio) -> list[dict[str, Any]]:
    """Return the runs, oldest first, each with what people answered until the next one."""
    infos = studio.jobs.list()
    answered = _answers_between(studio.ledger.lines, [info.created for info in infos])
    current, _ = studio.current_choice()
    return [
        {
            "run": info.run,
            "name": info.name,
            "recipe": info.recipe,
            "status": info.status,
            "star": info.star,
            "time": info.created,
            "map": info.map,
            "comparison": info.result.get("comparison"),
            "is_current": info.run == current,
            "answers": answers,
            "agreement": agreement(studio.ledger.lines, info.run),
            "truth": _truth_of(studio, info),
        }
        for info, answers in zip(infos, answered[1:], strict=True)
    ]


def agreement(lines: Sequence[Line], run: int) -> dict[str, int]:
    """Return how many of a run's pseudo-labels people accepted and rejected.

    These were not drawn at random, so they are no estimate of precision.
    """
    answers = [
        cell.answer for line in lines if line.run == run and line.kind == "decide" for cell in line.cells
    ]
    return {"accepted": answers.count("accept"), "rejected": answers.count("reject")}


def chosen_columns(studio: Studio, names: Sequence[str], top: int) -> list[int]:
    """Return the columns of named classes, or of those with most known positives.

    Raises:
        StudioError: If there is no such class.
    """
    if names:
        missing = [name for name in names if name not in studio.ledger.column_of]
        if missing:
            raise StudioError(
                f"there is no class {missing[0]!r}", "reload the page: the data set may have changed"
            )
        return [studio.ledger.column_of[name] for name in names][:MAX_TOGETHER]
    positives = _per_class(studio.ledger.states == POSITIVE)
    order = np.argsort(-positives, kind="stable")[: min(top, MAX_TOGETHER)]
    return sorted(int(column) for column in order)


def _per_class(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = np.count_nonzero(mask, axis=0).astype(np.int64)
    return counts


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _answers_between(lines: Sequence[Line], starts: Sequence[float]) -> list[dict[str, int]]:
    """Count settled cells before the first start, between the starts, and after the last one."""
    bounds = np.asarray(starts, dtype=np.float64)
    counts = [{"cells": 0, "lines": 0} for _ in range(len(bounds) + 1)]
    for line in lines:
        if line.kind != "decide":
            continue
        place = int(np.searchsorted(bounds, _seconds(line.time), side="right"))
        counts[place]["lines"] += 1
        counts[place]["cells"] += sum(cell.answer in ANSWERS for cell in line.cells)
    return counts


def _truth_of(studio: Studio, info: RunInfo) -> dict[str, Any] | None:
    """Return the true precision of what a finished run claims on cells that are unknown today."""
    if studio.complete is None or info.status != "finished":
        return None
    try:
        scores = studio.run_scores(info.run)
    except StudioError:
        return None  # a run whose scores are gone still has its place in the line
    return true_precision(studio.propose(scores), studio.complete)
