"""Who decided which cell last, and when each image changed: read from the journal a little further at each call."""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from logicmix_studio.store import Ledger, Line

NOBODY = -1
"""The person of a cell that no person has settled."""


class JournalIndex:
    """What the ledger's arrays do not hold; N images, C classes.

    Args:
        ledger: The ledger; nothing is read of it yet.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._guard = threading.Lock()
        self._seen = 0
        self._people: list[str] = []
        self._undone: set[int | None] = set()
        self._person: npt.NDArray[np.int16] = np.full(ledger.states.shape, NOBODY, dtype=np.int16)
        self._changed: npt.NDArray[np.int32] = np.zeros(len(ledger.states), dtype=np.int32)

    @property
    def people(self) -> list[str]:
        """Names in the order in which they first decided; a person's place is the number in :meth:`deciders`."""
        self._read()
        return list(self._people)

    def deciders(self) -> npt.NDArray[np.int16]:
        """Return (N, C) the number of the person whose answer stands in each cell, or -1."""
        self._read()
        return self._person

    def changed(self) -> npt.NDArray[np.int32]:
        """Return (N,) the number of the last journal line that touched each image, or 0."""
        self._read()
        return self._changed

    def _read(self) -> None:
        with self._guard:
            lines = self._ledger.lines
            for line in lines[self._seen :]:
                self._take(line)
                self._seen += 1

    def _take(self, line: Line) -> None:
        if line.kind == "undo":
            self._undone.add(line.of)
        elif line.kind == "redo":
            self._undone.discard(line.of)
        who = line.who if line.of is None else self._ledger.line(line.of).who
        if line.cells and who not in self._people:
            self._people.append(who)
        for cell in line.cells:
            row, column = self._ledger.row_of.get(cell.image_id), self._ledger.column_of.get(cell.class_name)
            if row is not None and column is not None:
                self._changed[row] = line.seq
                stands = self._before(line, row, column) if line.kind == "undo" else who
                self._person[row, column] = NOBODY if stands is None else self._people.index(stands)

    def _before(self, line: Line, row: int, column: int) -> str | None:
        """Return who stands behind a cell once a line has been undone."""
        table = self._ledger.table
        lines = self._ledger.history(table.image_ids[row], table.class_names[column])
        stand = (one.who for one in reversed(lines) if one.kind == "decide" and one.seq not in self._undone)
        return next(stand, None)
