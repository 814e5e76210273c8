"""The journal as people read it: who decided what and when, and what the labels were at any time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.answers import WITHDRAWN, Actions
from logicmix_studio.store import CellChange, Line
from logicmix_studio.studio import Studio

PREVIEW_CELLS: Final = 6
"""Cells of a bulk that a list shows."""

CHANGED_CELLS: Final = 200
"""Cells that differ between then and now, shown at the most."""


@dataclass(frozen=True)
class HistoryFilter:
    """Which lines a person wants to see; empty means all."""

    who: str = ""
    class_name: str = ""
    origin: str = ""
    image_id: str = ""
    before: int | None = None
    """Only lines with a smaller number."""

    def fits(self, line: Line) -> bool:
        """Return whether a line is wanted."""
        if self.before is not None and line.seq >= self.before:
            return False
        if (self.who and line.who != self.who) or (self.origin and line.origin != self.origin):
            return False
        if not (self.class_name or self.image_id):
            return True
        return any(
            (not self.class_name or cell.class_name == self.class_name)
            and (not self.image_id or cell.image_id == self.image_id)
            for cell in line.cells
        )


def list_lines(studio: Studio, actions: Actions, wanted: HistoryFilter, limit: int) -> dict[str, Any]:
    """Return the newest lines that fit, and whether there are more.

    Args:
        studio: The studio.
        actions: Knows which notes were taken back.
        wanted: Which lines.
        limit: How many at the most.
    """
    with studio.ledger.lock:
        lines = list(studio.ledger.lines)
    found: list[Line] = []
    for line in reversed(lines):
        if wanted.fits(line):
            found.append(line)
        if len(found) > limit:
            break
    return {
        "lines": [describe_line(studio, actions, line) for line in found[:limit]],
        "more": len(found) > limit,
        "people": sorted({line.who for line in lines}),
        "origins": sorted({line.origin for line in lines}),
        "total": len(lines),
    }


def describe_line(
    studio: Studio, actions: Actions, line: Line, *, offset: int = 0, count: int = PREVIEW_CELLS
) -> dict[str, Any]:
    """Return one line for the screen.

    Args:
        studio: The studio.
        actions: Knows which notes were taken back.
        line: The line.
        offset: First cell to show.
        count: Cells to show.
    """
    is_answer = line.kind == "note" and ("plant" in line.extra or "said" in line.extra)
    undone = studio.ledger.is_undone(line.seq) if line.kind == "decide" else actions.is_withdrawn(line.seq)
    return {
        "seq": line.seq,
        "kind": line.kind,
        "time": line.time,
        "who": line.who,
        "origin": line.origin,
        "run": line.run,
        "of": line.of if line.of is not None else line.extra.get(WITHDRAWN),
        "note": line.note,
        "ms": line.extra.get("ms"),
        "audit": line.extra.get("audit"),
        "override": line.extra.get("override"),
        "count": len(line.cells),
        "summary": _summary(line),
        "cells": [_cell(studio, cell) for cell in line.cells[offset : offset + count]],
        "undone": undone,
        "can_revert": (line.kind == "decide" or is_answer) and not undone,
    }


def labels_at(studio: Studio, time: str) -> dict[str, Any]:
    """Return what the labels were at a time, class by class, and what differs from now.

    Args:
        studio: The studio.
        time: ISO 8601; without a zone it is UTC.

    Raises:
        StudioError: If the time cannot be read.
    """
    moment = parse_time(time)
    then = studio.ledger.states_at(moment)
    now = studio.ledger.states
    differs = then != now
    rows, columns = np.nonzero(differs)
    shown = [
        {
            "image": studio.image_ids[row],
            "path": studio.table.paths[row],
            "class": studio.class_names[column],
            "then": int(then[row, column]),
            "now": int(now[row, column]),
        }
        for row, column in zip(rows[:CHANGED_CELLS].tolist(), columns[:CHANGED_CELLS].tolist(), strict=True)
    ]
    counts = {
        name: {state: np.count_nonzero(states == value, axis=0).tolist() for state, value in _STATES.items()}
        for name, states in (("then", then), ("now", now))
    }
    with studio.ledger.lock:
        seq = max((line.seq for line in studio.ledger.lines if line.time <= moment), default=0)
    return {"time": moment, "seq": seq, "counts": counts, "changed": int(differs.sum()), "cells": shown}


def parse_time(text: str) -> str:
    """Return a time in the form that journal lines carry.

    Args:
        text: ISO 8601; without a zone it is UTC.

    Raises:
        StudioError: If it cannot be read.

    Example:
        >>> parse_time("2024-05-01T10:00")
        '2024-05-01T10:00:00.000000+00:00'
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise StudioError(f"{text!r} is no time", "write it like 2024-05-01T10:00") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


_STATES: Final[Mapping[str, int]] = {"positive": POSITIVE, "negative": NEGATIVE, "unknown": UNKNOWN}


def _summary(line: Line) -> dict[str, int]:
    """Count the cells of a line by what became of them."""
    counts: dict[str, int] = {}
    for cell in line.cells:
        name = _outcome(cell)
        counts[name] = counts.get(name, 0) + 1
    return counts


def _outcome(cell: CellChange) -> str:
    if cell.answer in ("unsure", "skip"):
        return cell.answer
    return {POSITIVE: "positive", NEGATIVE: "negative"}.get(cell.after.state, "unknown")


def _cell(studio: Studio, cell: CellChange) -> dict[str, Any]:
    row = studio.ledger.row_of.get(cell.image_id)
    return {
        "image": cell.image_id if row is not None else None,
        "path": studio.table.paths[row] if row is not None else "no longer in the data set",
        "class": cell.class_name,
        "answer": cell.answer,
        "score": cell.score,
        "before": cell.before.state,
        "after": cell.after.state,
    }
