"""The journal as people read it: who decided what and when, and what the labels were at any time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, STATE_NAMES, UNKNOWN
from logicmix_studio.store import CellChange, Ledger, Line

NAMED_CLASSES: Final = 3
"""Classes of a bulk that are named."""


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
        if self.who not in ("", line.who) or self.origin not in ("", line.origin):
            return False
        if not (self.class_name or self.image_id):
            return True
        return any(
            self.class_name in ("", cell.class_name) and self.image_id in ("", cell.image_id) for cell in line.cells
        )


@dataclass(frozen=True)
class PastLabels:
    """What the labels were at a time, and how they differ from now; N images, C classes."""

    time: str
    """UTC, ISO 8601."""
    line: int
    """The last journal line of that time; 0 before the first."""
    states: npt.NDArray[np.int8]
    """(N, C) as they were."""
    counts: pd.DataFrame
    """Cells by state, then and now."""
    changes: pd.DataFrame
    """The cells that differ: image_id, path, class, then, now."""


def list_lines(ledger: Ledger, wanted: HistoryFilter, limit: int) -> pd.DataFrame:
    """Return at most ``limit`` of the lines that fit, newest first.

    One row a line: line, time (UTC), who, where, what (in words), cells, run, undone, revertible.
    """
    with ledger.lock:
        lines = list(ledger.lines)
    rows: list[tuple[object, ...]] = []
    for line in islice(filter(wanted.fits, reversed(lines)), limit):
        is_decided = line.kind == "decide"
        is_undone = is_decided and ledger.is_undone(line.seq)
        place = (line.seq, line.time, line.who, line.origin, describe(line))
        rows.append((*place, len(line.cells), line.run, is_undone, is_decided and not is_undone))
    columns = ["line", "time", "who", "where", "what", "cells", "run", "undone", "revertible"]
    return pd.DataFrame(rows, columns=columns).astype({"run": "Int64"})


def describe(line: Line) -> str:
    """Return what a line did, in words."""
    if line.kind in ("undo", "redo"):
        return f"{'Undone' if line.kind == 'undo' else 'Brought back'}: line {line.of}"
    override = str(line.extra.get("override", ""))
    beside = f" ({line.note or override})" if line.note or override else ""
    if not line.cells:
        return line.note or line.kind
    if len(line.cells) == 1:
        cell = line.cells[0]
        was = "" if cell.before.state == UNKNOWN or _outcome(cell) in ("unsure", "skipped") else _was(cell)
        return f"{cell.class_name}: {_outcome(cell)}{was}{beside}"
    names = list(dict.fromkeys(cell.class_name for cell in line.cells))
    more = " …" if len(names) > NAMED_CLASSES else ""
    outcomes = [_outcome(cell) for cell in line.cells]
    counts = ", ".join(f"{outcomes.count(one):,} {one}" for one in dict.fromkeys(outcomes))
    return f"{len(line.cells):,} cells of {', '.join(names[:NAMED_CLASSES])}{more}: {counts}{beside}"


def cells_of_line(ledger: Ledger, number: int) -> pd.DataFrame:
    """Return the cells that a line changed: image_id, path, class, answer, before, after, score.

    Raises:
        StudioError: If there is no such line.
    """
    rows = []
    for cell in ledger.line(number).cells:
        row = ledger.row_of.get(cell.image_id)
        path = "no longer in the data set" if row is None else ledger.table.paths[row]
        states = (STATE_NAMES[cell.before.state], STATE_NAMES[cell.after.state])
        rows.append((cell.image_id, path, cell.class_name, cell.answer, *states, cell.score))
    columns = ["image_id", "path", "class", "answer", "before", "after", "score"]
    return pd.DataFrame(rows, columns=columns)


def labels_at(ledger: Ledger, time: str) -> PastLabels:
    """Return what the labels were at a time that `parse_time` reads, and what differs from now."""
    moment = parse_time(time)
    with ledger.lock:
        then, now = ledger.states_at(moment), ledger.states.copy()
        number = max((line.seq for line in ledger.lines_until(moment)), default=0)
    rows, columns = np.nonzero(then != now)
    table = ledger.table
    changes = pd.DataFrame(
        {
            "image_id": [table.image_ids[row] for row in rows],
            "path": [table.paths[row] for row in rows],
            "class": [table.class_names[column] for column in columns],
            "then": [STATE_NAMES[int(state)] for state in then[rows, columns]],
            "now": [STATE_NAMES[int(state)] for state in now[rows, columns]],
        }
    )
    counts = pd.DataFrame(
        [
            (STATE_NAMES[state], int((then == state).sum()), int((now == state).sum()))
            for state in (POSITIVE, NEGATIVE, UNKNOWN)
        ],
        columns=["state", "then", "now"],
    )
    return PastLabels(moment, number, then, counts, changes)


def parse_time(text: str) -> str:
    """Return a time, ISO 8601 and UTC where it has no zone, in the form that journal lines carry.

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


def _outcome(cell: CellChange) -> str:
    special = {"unsure": "unsure", "skip": "skipped"}
    return special.get(cell.answer) or STATE_NAMES[cell.after.state]


def _was(cell: CellChange) -> str:
    same = cell.before.state == cell.after.state
    return " (as before)" if same else f" (was {STATE_NAMES[cell.before.state]})"
