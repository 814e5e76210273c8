"""Where positives are likely: what the likeliest cells of each class promise, and what such pages brought.

N images, C classes.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import POSITIVE, UNKNOWN
from logicmix_studio.review.score_bits import HALF_BIT, score_bits, score_values
from logicmix_studio.store import Ledger, Line

WORTH_A_PAGE: Final = 0.5
"""Positives that a page must promise to be opened."""


def likeliest_sums(scores: NDArray[np.float16], is_open: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    """Return (C,) what the scores of each class's likeliest open cells come to: positives to expect among them.

    A score of exactly 0.5 claims nothing and counts as 0. Nothing is sorted as a whole.

    Args:
        scores: (N, C) calibrated, in [0, 1].
        is_open: (N, C) True for cells that may be asked about.
        size: Cells of a class that count, 1 or more.

    Example:
        >>> scores = np.array([[0.9], [0.25], [0.75]], dtype=np.float16)
        >>> likeliest_sums(scores, scores < 0.8, 1).tolist()
        [0.75]
    """
    bits = score_bits(scores)
    chances = np.where(is_open & (bits != HALF_BIT), bits, np.uint16(0))
    first = max(0, len(chances) - size)
    if first:
        chances = np.partition(chances, first, axis=0)[first:]
    return np.asarray(score_values()[chances].sum(axis=0))


class PageYield:
    """What pages of tiles brought, against what the scores on them promised; by run and class, from the journal."""

    def __init__(self, ledger: Ledger) -> None:
        self._columns, num_classes = ledger.column_of, ledger.table.num_classes
        self._sums: defaultdict[int, NDArray[np.float64]] = defaultdict(lambda: np.zeros((2, num_classes)))
        with ledger.lock:
            for line in ledger.lines:
                self._take(line)
            ledger.listen(self._take)

    def correction(self, run: int) -> NDArray[np.float64]:
        """Return (C,) positives for each that a run's scores promised; 1 before the first page.

        One positive more is counted on both sides, so that a page that brought none does not rule out a class.
        """
        promised, brought = self._sums[run]
        return np.asarray((1.0 + brought) / (1.0 + promised))

    def _take(self, line: Line) -> None:
        """Add what a line settled, and take away what it opened again."""
        if line.origin != "grid" or line.run is None:
            return
        for cell in line.cells:
            column, was, now = self._columns.get(cell.class_name), cell.before.state, cell.after.state
            if column is not None and cell.score is not None:
                promised = cell.score * ((now != UNKNOWN) - (was != UNKNOWN))
                self._sums[line.run][:, column] += promised, (now == POSITIVE) - (was == POSITIVE)
