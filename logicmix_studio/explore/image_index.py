"""Who decided which cell last, and when each image changed: read from the journal a little further at each call.

N images, C classes.
"""

from __future__ import annotations

import threading

import numpy as np
import numpy.typing as npt

from logicmix_studio.store import Ledger, Line

NOBODY = -1
"""The person of a cell that no person has settled."""


class JournalIndex:
    """What the ledger's arrays do not hold: the person behind every cell, and every image's last line."""

    def __init__(self, ledger: Ledger) -> None:
        """Prepare an index; nothing is read yet."""
        self._people: list[str] = []
        self._ledger = ledger
        self._guard = threading.Lock()
        self._seen = 0
        self._number: dict[str, int] = {}
        self._person: npt.NDArray[np.int16] | None = None
        self._changed: npt.NDArray[np.int32] = np.zeros(len(ledger.states), dtype=np.int32)

    @property
    def people(self) -> list[str]:
        """Names in the order in which they first decided."""
        with self._guard:
            self._read()
            return list(self._people)

    def person(self, name: str) -> int | None:
        """Return a person's number, or None for somebody who never decided."""
        with self._guard:
            self._read()
            return self._number.get(name)

    def deciders(self) -> npt.NDArray[np.int16]:
        """Return (N, C) the number of the person whose answer stands in each cell, or -1."""
        with self._guard:
            self._read()
            if self._person is None:
                self._person = np.full(self._ledger.states.shape, NOBODY, dtype=np.int16)
            return self._person

    def changed(self) -> npt.NDArray[np.int32]:
        """Return (N,) the number of the last journal line that touched each image, or 0."""
        with self._guard:
            self._read()
            return self._changed

    def _read(self) -> None:
        lines = self._ledger.lines
        for line in lines[self._seen :]:
            self._take(line)
        self._seen = len(lines)

    def _take(self, line: Line) -> None:
        if not line.cells:
            return
        if self._person is None:
            self._person = np.full(self._ledger.states.shape, NOBODY, dtype=np.int16)
        who = line.who if line.of is None else self._ledger.line(line.of).who
        number = self._number.setdefault(who, len(self._people))
        if number == len(self._people):
            self._people.append(who)
        for cell in line.cells:
            row = self._ledger.row_of.get(cell.image_id)
            column = self._ledger.column_of.get(cell.class_name)
            if row is None or column is None:
                continue
            self._changed[row] = line.seq
            is_undo = line.kind == "undo"
            self._person[row, column] = (
                self._before(line, cell.image_id, cell.class_name) if is_undo else number
            )

    def _before(self, line: Line, image_id: str, class_name: str) -> int:
        """Return who stands behind a cell once a line has been undone."""
        undone = {line.of}
        for earlier in reversed(self._ledger.history(image_id, class_name)):
            if earlier.seq >= line.seq or earlier.seq in undone:
                continue
            if earlier.kind == "undo":
                undone.add(earlier.of)
            elif earlier.kind == "decide":
                return self._number.get(earlier.who, NOBODY)
            elif earlier.of is not None and earlier.of not in undone:
                return self._number.get(self._ledger.line(earlier.of).who, NOBODY)
        return NOBODY
