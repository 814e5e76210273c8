"""The orders of a queue, as sort keys.

Every cell has a first key, a whole number of 16 bits: the lower, the sooner. Where cells of one first key
need an order among themselves, a second key is worked out for those few cells when they are reached.

N images, C classes, M cells.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import POSITIVE, UNKNOWN
from logicmix_studio.review.cell_hash import cell_hash
from logicmix_studio.review.cells import CellView, chosen_columns, proposals_of
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.review.score_bits import LAST_BIT, certainty_ranks
from logicmix_studio.review.usefulness import answer_gains, usefulness

LAST_KEY = 65534
"""The highest key of a cell; one more marks cells that are not in the queue."""

AFTER = LAST_BIT + 1
"""Added to the rank of a score to put a cell behind all others."""

_CHUNK = 65_536

Keys = NDArray[np.uint16]


@dataclass(frozen=True)
class SortKeys:
    """How cells are sorted."""

    first: Keys
    """(N, C) or (1, C), the same for all images; at most `LAST_KEY`."""
    second: Callable[[NDArray[np.int64]], Keys] | None = None
    """(M,) flat indices → (M,) keys among cells of the same first key; None: by flat index."""


def sort_keys(view: CellView, spec: QueueSpec) -> SortKeys:
    """Return the keys of the order that a spec asks for."""
    return _ORDERS[spec.order](view, spec)


def _flipped(view: CellView, spec: QueueSpec) -> SortKeys:
    keys = _falling_certainty()[view.bits]
    if view.previous is not None:
        keys += (view.previous * proposals_of(view) >= 0) * np.uint16(AFTER)
    return SortKeys(keys)


def _conflicts(view: CellView, spec: QueueSpec) -> SortKeys:
    bits, known = view.bits, view.states != UNKNOWN
    keys = certainty_ranks()[bits] + np.uint16(AFTER)
    # A contradicted cell's self-confidence is the lower, the more certain the model is of the opposite.
    keys[known] = _falling_certainty()[bits[known]]
    return SortKeys(keys)


def _rarest(view: CellView, spec: QueueSpec) -> SortKeys:
    num_positive = np.count_nonzero(view.states == POSITIVE, axis=0)
    return _by_class(view, np.argsort(num_positive, kind="stable").tolist())


def _by_class(view: CellView, columns: Sequence[int]) -> SortKeys:
    """Sort class after class, the most certain cells of each first."""
    rank = np.zeros((1, view.num_classes), dtype=np.uint16)
    rank[0, columns] = np.arange(len(columns), dtype=np.uint16)
    bits, falling = view.bits.ravel(), _falling_certainty()
    return SortKeys(rank, lambda cells: falling[bits[cells]])


def _useful(view: CellView, spec: QueueSpec) -> SortKeys:
    gains = answer_gains(view.states, view.excluded_rows)
    most = max(gains.positive.max(initial=0.0), gains.negative.max(initial=0.0)) or 1.0
    bits, classes = view.bits, np.arange(view.num_classes)
    keys = np.empty(bits.shape, dtype=np.uint16)
    rows = max(1, _CHUNK // max(1, view.num_classes))
    for start in range(0, len(bits), rows):
        part = slice(start, start + rows)
        worth = usefulness(bits[part], classes, gains) * np.float32(LAST_KEY / most)
        keys[part] = np.uint16(LAST_KEY) - worth.astype(np.uint16)
    return SortKeys(keys)


def _random(view: CellView, spec: QueueSpec) -> SortKeys:
    high = np.empty(view.states.size, dtype=np.uint16)
    for start in range(0, len(high), _CHUNK):
        chunk = np.arange(start, min(start + _CHUNK, len(high)))
        high[chunk] = cell_hash(chunk, spec.seed) >> np.uint64(48)

    def low(cells: NDArray[np.int64]) -> Keys:
        return (cell_hash(cells, spec.seed) >> np.uint64(32)).astype(np.uint16)

    return SortKeys(np.minimum(high, np.uint16(LAST_KEY)).reshape(view.states.shape), low)


def _falling_certainty() -> Keys:
    return np.uint16(LAST_BIT) - certainty_ranks()


_ORDERS: dict[str, Callable[[CellView, QueueSpec], SortKeys]] = {
    "conflicts": _conflicts,
    "flipped": _flipped,
    "uncertain": lambda view, spec: SortKeys(certainty_ranks()[view.bits]),
    "confident": lambda view, spec: SortKeys(_falling_certainty()[view.bits]),
    "class": lambda view, spec: _by_class(view, chosen_columns(view, spec) or range(view.num_classes)),
    "rarest": _rarest,
    "useful": _useful,
    "random": _random,
}
