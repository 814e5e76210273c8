"""Queues: the cells a person asked for, in the order they asked for.

All orders come from sorting 16-bit keys, which is a counting sort in numpy: 8 million cells take some
tenths of a second, and any page is a slice.

N images, C classes, M cells in the queue.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE, TEST_SPLIT, UNKNOWN
from logicmix_studio.review.cell_hash import cell_hash
from logicmix_studio.review.cells import CellView
from logicmix_studio.review.conflicts import conflict_mask
from logicmix_studio.review.proposals import changes
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.review.score_bits import (
    LAST_BIT,
    certainty_ranks,
    negative_cut,
    positive_cut,
    score_values,
)
from logicmix_studio.review.usefulness import answer_gains, usefulness

_FIRST_CHUNK = 256
_AFTER = np.uint16(LAST_BIT + 1)
"""Added to a key to put a cell behind all others."""

Keys = tuple[NDArray[np.uint16], ...]


@dataclass(frozen=True)
class Queue:
    """Cells in the order in which they are asked for; built once, read by position."""

    spec: QueueSpec
    cells: NDArray[np.integer]
    """(M,) flat indices `row * C + class`."""
    states: NDArray[np.int8]
    """(M,) their states when the queue was built."""
    run: int
    """The run whose scores ordered it."""

    def __len__(self) -> int:
        return len(self.cells)

    def page(self, start: int, count: int) -> NDArray[np.int64]:
        """Return up to `count` cells from a position on, settled or not."""
        return self.cells[max(start, 0) : max(start, 0) + count].astype(np.int64)

    def next_cells(
        self, start: int, count: int, view: CellView, skip: Container[int] = frozenset()
    ) -> tuple[NDArray[np.int64], int]:
        """Return the next cells that still wait for an answer.

        Args:
            start: The position to look from.
            count: How many cells are wanted.
            view: The cells as they are now.
            skip: Flat indices to leave out, such as those leased to others.

        Returns:
            Up to `count` flat indices, and the position to go on from.
        """
        found: list[int] = []
        position, size = max(start, 0), _FIRST_CHUNK
        while position < len(self.cells) and len(found) < count:
            offsets = np.flatnonzero(self.waiting(view, position, position + size))
            for offset in offsets.tolist():
                cell = int(self.cells[position + offset])
                if cell in skip:
                    continue
                found.append(cell)
                if len(found) == count:
                    return np.array(found, dtype=np.int64), position + offset + 1
            position, size = min(position + size, len(self.cells)), size * 2
        return np.array(found, dtype=np.int64), position

    def waiting(self, view: CellView, start: int = 0, stop: int | None = None) -> NDArray[np.bool_]:
        """Return which cells between two positions still wait for an answer.

        A cell waits while its state is what it was when the queue was built, nobody kept it against the
        model since, and nobody left it unsure in this run (unless the queue is of such cells).

        Args:
            view: The cells as they are now.
            start: First position.
            stop: Position after the last; the end of the queue where None.
        """
        cells = self.cells[start:stop]
        waits: NDArray[np.bool_] = view.states.ravel()[cells] == self.states[start:stop]
        if view.kept is not None:
            waits &= ~view.kept.ravel()[cells]
        if view.unsure_run is not None and self.run >= 0 and not self.spec.unsure_before:
            waits &= view.unsure_run.ravel()[cells] != self.run
        return waits


def build_queue(view: CellView, spec: QueueSpec) -> Queue:
    """Return the queue that a spec asks for.

    Cells of the test split are never in a queue. Cells that sort alike follow one another image by image.

    Args:
        view: The cells as they are now.
        spec: Filters and order.

    Raises:
        StudioError: If the spec names a class that is none.
    """
    columns = _columns(view, spec)
    cells = np.flatnonzero(_candidates(view, spec, columns))
    keys = _KEYS[spec.order](view, spec, cells)
    order: NDArray[np.intp] | None = None
    for key in reversed(keys):
        step = np.argsort(key if order is None else key[order], kind="stable")
        order = step if order is None else order[step]
    if order is not None:
        cells = cells[order]
    small = view.states.size <= np.iinfo(np.int32).max
    kept = cells.astype(np.int32) if small else cells
    return Queue(spec, kept, view.states.ravel()[cells], view.run)


def _columns(view: CellView, spec: QueueSpec) -> list[int]:
    missing = [name for name in spec.class_names if name not in view.class_names]
    if missing:
        raise StudioError(
            f"There is no class {missing[0]!r}.", f"The classes are {', '.join(view.class_names)}."
        )
    return [view.class_names.index(name) for name in spec.class_names]


def _candidates(view: CellView, spec: QueueSpec, columns: list[int]) -> NDArray[np.bool_]:
    mask = _chosen_cells(view, spec)
    mask &= _chosen_rows(view, spec)[:, np.newaxis]
    if columns:
        mask &= np.isin(np.arange(view.num_classes), columns)
    if spec.sign or (spec.score_low, spec.score_high) != (0.0, 1.0):
        low, high = _band(spec)
        bits = view.bits
        mask &= (bits >= low) & (bits <= high)
    if spec.never_shown and view.shown is not None:
        mask &= ~view.shown
    if spec.unsure_before:
        mask &= view.unsure_run >= 0 if view.unsure_run is not None else False
    elif view.unsure_run is not None and view.run >= 0:
        mask &= view.unsure_run != view.run
    return mask


def _chosen_rows(view: CellView, spec: QueueSpec) -> NDArray[np.bool_]:
    if view.splits is None:
        return np.full(len(view.states), not spec.splits or spec.splits == ("",))
    if not spec.splits:
        return ~view.excluded_rows
    return np.isin(view.splits, [name for name in spec.splits if name != TEST_SPLIT])


def _chosen_cells(view: CellView, spec: QueueSpec) -> NDArray[np.bool_]:
    if spec.changes == "conflict":
        return _conflicts(view)
    if spec.changes:
        return _changed(view, spec.changes)
    mask: NDArray[np.bool_] = view.states == UNKNOWN
    if spec.takes_only_proposals(has_run=view.proposals is not None):
        mask &= _proposals(view) != 0
    if spec.order == "conflicts":
        mask |= _conflicts(view)
    return mask


def _proposals(view: CellView) -> NDArray[np.int8]:
    return np.zeros_like(view.states) if view.proposals is None else view.proposals


def _conflicts(view: CellView) -> NDArray[np.bool_]:
    if view.scores is None:
        return np.zeros(view.states.shape, dtype=np.bool_)
    return conflict_mask(view.states, view.scores, view.excluded_rows, view.kept)


def _changed(view: CellView, which: str) -> NDArray[np.bool_]:
    before = np.zeros_like(view.states) if view.previous is None else view.previous
    mask: NDArray[np.bool_] = getattr(changes(before, _proposals(view)), which)
    mask &= view.states == UNKNOWN
    return mask


def _band(spec: QueueSpec) -> tuple[np.uint16, np.uint16]:
    values = score_values()
    low = int(np.searchsorted(values, spec.score_low, side="left"))
    high = int(np.searchsorted(values, spec.score_high, side="right")) - 1
    if spec.sign > 0:
        low = max(low, int(positive_cut(0.5)))
    if spec.sign < 0:
        high = min(high, int(negative_cut(0.5)))
    return np.uint16(low), np.uint16(high)


def _classes(view: CellView, cells: NDArray[np.int64]) -> NDArray[np.int64]:
    return cells % max(view.num_classes, 1)


def _by_uncertainty(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    return (certainty_ranks()[view.bits.ravel()[cells]],) if view.scores is not None else ()


def _by_confidence(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    falling = LAST_BIT - certainty_ranks()
    return (falling[view.bits.ravel()[cells]],) if view.scores is not None else ()


def _by_flip(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    keys = _by_confidence(view, spec, cells)
    if not keys or view.previous is None:
        return keys
    is_flipped = view.previous.ravel()[cells] * _proposals(view).ravel()[cells] < 0
    return (keys[0] + ~is_flipped * _AFTER,)


def _by_conflict(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    if view.scores is None:
        return ()
    bits, states = view.bits.ravel()[cells], view.states.ravel()[cells]
    # Self-confidence below 0.5 is the lower, the more certain the model is of the opposite.
    rank = certainty_ranks()[bits]
    return (np.where(states == UNKNOWN, rank + _AFTER, LAST_BIT - rank).astype(np.uint16),)


def _by_class(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    rank = np.arange(view.num_classes, dtype=np.uint16)
    columns = _columns(view, spec)
    rank[columns] = np.arange(len(columns), dtype=np.uint16)
    return (rank[_classes(view, cells)], *_by_confidence(view, spec, cells))


def _by_rarity(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    num_positive = np.count_nonzero(view.states == POSITIVE, axis=0)
    rank = np.empty(view.num_classes, dtype=np.uint16)
    rank[np.argsort(num_positive, kind="stable")] = np.arange(view.num_classes, dtype=np.uint16)
    return (rank[_classes(view, cells)], *_by_confidence(view, spec, cells))


def _by_usefulness(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    gains = answer_gains(view.states, view.excluded_rows)
    worth = usefulness(view.bits.ravel()[cells], _classes(view, cells), gains)
    highest = worth.max(initial=0.0)
    if highest > 0:
        worth /= highest
    # The bits of a float16 in [0, 1] rise with it: to a part in a thousand, sorted as whole numbers.
    return ((LAST_BIT - worth.astype(np.float16).view(np.uint16)).astype(np.uint16),)


def _by_chance(view: CellView, spec: QueueSpec, cells: NDArray[np.int64]) -> Keys:
    random = cell_hash(cells, spec.seed)
    high = (random >> np.uint64(48)).astype(np.uint16)
    low = (random >> np.uint64(32)).astype(np.uint16)
    return high, low


_KEYS: dict[str, Callable[[CellView, QueueSpec, NDArray[np.int64]], Keys]] = {
    "conflicts": _by_conflict,
    "flipped": _by_flip,
    "uncertain": _by_uncertainty,
    "confident": _by_confidence,
    "class": _by_class,
    "rarest": _by_rarity,
    "useful": _by_usefulness,
    "random": _by_chance,
}
