"""Conflicts that people dismissed: a known state that was upheld against a run is no conflict with it."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store import Ledger, Line

REMEMBERED_RUNS = 3
"""Runs whose masks are remembered."""


class Dismissed:
    """Which known states people upheld against a run's scores, run by run.

    Args:
        ledger: Its lines say so, old and new ones.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._masks: OrderedDict[int, npt.NDArray[np.bool_]] = OrderedDict()
        ledger.listen(self._see)

    def mask(self, run: int) -> npt.NDArray[np.bool_]:
        """Return (N, C) True where a person upheld a known state against a run's scores."""
        with self._ledger.lock:
            if run not in self._masks:
                self._masks[run] = np.zeros(self._ledger.states.shape, dtype=np.bool_)
                for line in self._ledger.lines:
                    self._mark(line, run)
                if len(self._masks) > REMEMBERED_RUNS:
                    self._masks.popitem(last=False)
            self._masks.move_to_end(run)
            return self._masks[run]

    def _see(self, line: Line) -> None:
        for run in self._masks:
            self._mark(line, run)

    def _mark(self, line: Line, run: int) -> None:
        if line.run != run:
            return
        for cell in line.cells:
            row = self._ledger.row_of.get(cell.image_id)
            column = self._ledger.column_of.get(cell.class_name)
            if row is None or column is None:
                continue
            is_same = cell.before._replace(source=0) == cell.after._replace(source=0) and cell.after.state != UNKNOWN
            self._masks[run][row, column] = is_same and cell.answer in ("set", "redo")
