"""Queues: the cells a person asked for, in the order they asked for.

Building a queue gives each cell a 16-bit key and counts the keys; that takes about a tenth of a second for
8 million cells. The cells themselves are found and sorted in segments of some ten thousand when they are
reached, each in a few milliseconds.

N images, C classes, M cells in the queue.
"""

from __future__ import annotations

import threading
from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review.cells import CellView, queue_members
from logicmix_studio.review.queue_orders import LAST_KEY, sort_keys
from logicmix_studio.review.queue_spec import QueueSpec

_NOT_IN_QUEUE = np.uint16(LAST_KEY + 1)
_NUM_KEYS = LAST_KEY + 1
_SEGMENT = 32_768
"""Cells of a segment, at least; cells of one first key stay together."""

_MAX_SEGMENTS = 8
_COUNT_CHUNK = 65_536
"""Keys counted at once: `bincount` copies them to 64 bits, which a processor's cache should hold."""

_FIRST_CHUNK = 256

Cells = NDArray[np.int64]


class Queue:
    """The cells that a spec asks for, in its order; built once, read by position, from any thread.

    Cells of the test split are never in a queue. Cells that sort alike follow one another image by image.

    Args:
        view: The cells as they are when the queue is built.
        spec: Filters and order.

    Raises:
        StudioError: If the spec names a class that is none.
    """

    def __init__(self, view: CellView, spec: QueueSpec) -> None:
        members, keys = queue_members(view, spec), sort_keys(view, spec)
        self.spec = spec
        self.run = view.run
        has_conflicts = "conflicts" in (spec.order, f"{spec.changes}s")
        self._known = view.states.ravel().copy() if has_conflicts else None
        self._second = keys.second
        self._keys: NDArray[np.uint16] = np.where(members, keys.first, _NOT_IN_QUEUE).ravel()
        self._starts, self._bounds = _cut_segments(_count_keys(self._keys))
        self._segments: dict[int, Cells] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def cells(self) -> Cells:
        """(M,) all flat indices `row * C + class` in order; takes as long as sorting them."""
        return self.page(0, len(self))

    def page(self, start: int, count: int) -> Cells:
        """Return up to `count` cells from a position on, settled or not."""
        start, stop = max(start, 0), min(max(start, 0) + max(count, 0), len(self))
        if start >= stop:
            return np.zeros(0, dtype=np.int64)
        first, last = (int(index) - 1 for index in np.searchsorted(self._starts, (start, stop - 1), side="right"))
        parts = [self._segment(index) for index in range(first, last + 1)]
        offset = int(self._starts[first])
        return np.concatenate(parts)[start - offset : stop - offset]

    def next_cells(
        self, start: int, count: int, view: CellView, skip: Container[int] = frozenset()
    ) -> tuple[Cells, int]:
        """Return the next cells from a position on that still wait for an answer, and the position to go on from.

        Settled cells are passed over at some milliseconds for 32,768 of them: after a bulk action on many more, a new
        queue is quicker.

        Args:
            start: The position to look from.
            count: How many cells are wanted at the most.
            view: The cells as they are now.
            skip: Flat indices to leave out, such as those leased to others.
        """
        found: list[int] = []
        position, size = max(start, 0), _FIRST_CHUNK
        while position < len(self) and len(found) < count:
            cells = self.page(position, size)
            for offset in np.flatnonzero(self.waiting(cells, view)).tolist():
                cell = int(cells[offset])
                if cell in skip:
                    continue
                found.append(cell)
                if len(found) == count:
                    return np.array(found, dtype=np.int64), position + offset + 1
            position, size = position + len(cells), min(size * 2, _SEGMENT)
        return np.array(found, dtype=np.int64), position

    def waiting(self, cells: Cells, view: CellView) -> NDArray[np.bool_]:
        """Return (M,) which of (M,) cells of the queue still wait for an answer, as the view has them now.

        A cell waits while its state is what it was when the queue was built, nobody upheld it against the model since,
        and nobody left it unsure in this run (unless the queue is of such cells).
        """
        states = view.states.ravel()[cells]
        waits: NDArray[np.bool_] = states == (UNKNOWN if self._known is None else self._known[cells])
        if view.dismissed is not None:
            waits &= (states == UNKNOWN) | ~view.dismissed.ravel()[cells]
        if view.unsure_run is not None and self.run >= 0 and not self.spec.unsure_before:
            waits &= view.unsure_run.ravel()[cells] != self.run
        return waits

    def _segment(self, index: int) -> Cells:
        with self._lock:
            if index not in self._segments:
                while len(self._segments) >= _MAX_SEGMENTS:
                    self._segments.pop(next(iter(self._segments)))
                self._segments[index] = self._sort_segment(int(self._bounds[index]), int(self._bounds[index + 1]))
            return self._segments[index]

    def _sort_segment(self, low: int, high: int) -> Cells:
        # One comparison does for both ends: keys below `low` wrap around to large numbers.
        cells = np.flatnonzero((self._keys - np.uint16(low)) < np.uint16(high - low))
        if self._second is not None:
            cells = cells[np.argsort(self._second(cells), kind="stable")]
        return cells[np.argsort(self._keys[cells], kind="stable")] if high - low > 1 else cells


def _count_keys(keys: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Return (65535,) how many cells of the queue have each key."""
    counts = np.zeros(_NUM_KEYS + 1, dtype=np.int64)
    for start in range(0, len(keys), _COUNT_CHUNK):
        counts += np.bincount(keys[start : start + _COUNT_CHUNK], minlength=len(counts))
    return counts[:_NUM_KEYS]


def _cut_segments(counts: NDArray[np.int64]) -> tuple[Cells, Cells]:
    """Return the (S + 1,) first positions and first keys of segments, each with the end as its last entry."""
    before = np.concatenate([[0], np.cumsum(counts)])
    bounds = [0]
    while bounds[-1] < len(counts):
        wanted = before[bounds[-1]] + _SEGMENT
        nearest = int(np.searchsorted(before, wanted, side="left"))
        bounds.append(min(max(nearest, bounds[-1] + 1), len(counts)))
    keys = np.array(bounds, dtype=np.int64)
    return before[keys], keys
