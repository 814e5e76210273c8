"""All that a queue is made from, in one frozen bundle of arrays, and which cells belong into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import TEST_SPLIT, UNKNOWN
from logicmix_studio.review.proposals import changes, conflict_mask
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.review.score_bits import negative_cut, positive_cut, score_bits, score_values
from logicmix_studio.store import Ledger

NO_RUN = -1
"""The run number before the first run, and of a cell that nobody left as unsure."""


@dataclass(frozen=True)
class CellView:
    """The cells of a data set as a review sees them; N images, C classes.

    The arrays are shared with their owner and never written to. A cell's flat index is `row * C + class`.
    """

    class_names: tuple[str, ...]
    """C names, in column order."""
    states: NDArray[np.int8]
    """(N, C) in {-1, 0, 1}."""
    scores: NDArray[np.float16] | None = None
    """(N, C) calibrated, in [0, 1]; None before the first run."""
    proposals: NDArray[np.int8] | None = None
    """(N, C) +1, -1, or 0 for none; None before the first run."""
    previous: NDArray[np.int8] | None = None
    """(N, C) proposals of the run before; None where there was none."""
    splits: NDArray[np.str_] | None = None
    """(N,) the split of each image; None where there are none."""
    shown: NDArray[np.bool_] | None = None
    """(N, C) True where somebody saw the cell in a review; None for nowhere."""
    unsure_run: NDArray[np.integer[Any]] | None = None
    """(N, C) the run whose queue the cell left as unsure, -1 for never; None for nowhere."""
    dismissed: NDArray[np.bool_] | None = None
    """(N, C) True where a person upheld a known state against the model; None for nowhere."""
    run: int = NO_RUN
    """The run that made the scores."""

    @property
    def num_classes(self) -> int:
        """The number of classes, C."""
        return len(self.class_names)

    @property
    def excluded_rows(self) -> NDArray[np.bool_]:
        """(N,) True for images of the test split, which measure and are never reviewed."""
        if self.splits is None:
            return np.zeros(len(self.states), dtype=np.bool_)
        return np.asarray(self.splits == TEST_SPLIT, dtype=np.bool_)

    @property
    def bits(self) -> NDArray[np.uint16]:
        """(N, C) the bits of the scores, 0.5 everywhere before the first run."""
        nothing = np.float16(0.5)
        return score_bits(np.full(self.states.shape, nothing) if self.scores is None else self.scores)


def flat_index(ledger: Ledger, image_id: str, class_name: str) -> int:
    """Return the flat index of a cell, -1 where its image or class is no longer there."""
    row, column = ledger.row_of.get(image_id), ledger.column_of.get(class_name)
    return -1 if row is None or column is None else row * ledger.table.num_classes + column


def chosen_columns(view: CellView, spec: QueueSpec) -> list[int]:
    """Return the columns of the classes a spec names, in its order; empty where it names none."""
    missing = [name for name in spec.class_names if name not in view.class_names]
    if missing:
        raise StudioError(f"There is no class {missing[0]!r}.", f"The classes are {', '.join(view.class_names[:20])}.")
    return [view.class_names.index(name) for name in spec.class_names]


def queue_members(view: CellView, spec: QueueSpec) -> NDArray[np.bool_]:
    """Return (N, C) True where a cell belongs into the queue; refuses a spec that names a class that is none."""
    mask, columns = _kind_of_cells(view, spec), chosen_columns(view, spec)
    mask &= _rows(view, spec)[:, np.newaxis]
    if columns:
        mask &= np.isin(np.arange(view.num_classes), columns)
    if spec.sign or (spec.score_low, spec.score_high) != (0.0, 1.0):
        mask &= _inside_band(view, spec)
    if spec.never_shown and view.shown is not None:
        mask &= ~view.shown
    if spec.unsure_before:
        mask &= view.unsure_run >= 0 if view.unsure_run is not None else False
    elif view.unsure_run is not None and view.run >= 0:
        mask &= view.unsure_run != view.run
    return mask


def _rows(view: CellView, spec: QueueSpec) -> NDArray[np.bool_]:
    if view.splits is None:
        return np.full(len(view.states), not spec.splits)
    if not spec.splits:
        return ~view.excluded_rows
    return np.isin(view.splits, [name for name in spec.splits if name != TEST_SPLIT])


def _kind_of_cells(view: CellView, spec: QueueSpec) -> NDArray[np.bool_]:
    if spec.changes == "conflict":
        return _conflicts(view)
    if spec.changes:
        return _changed(view, spec.changes)
    mask: NDArray[np.bool_] = view.states == UNKNOWN
    if spec.takes_only_proposals(has_run=view.proposals is not None):
        mask &= proposals_of(view) != 0
    if spec.order == "conflicts":
        mask |= _conflicts(view)
    return mask


def proposals_of(view: CellView) -> NDArray[np.int8]:
    """Return (N, C) the proposals, none before the first run."""
    return np.zeros_like(view.states) if view.proposals is None else view.proposals


def _conflicts(view: CellView) -> NDArray[np.bool_]:
    if view.scores is None:
        return np.zeros(view.states.shape, dtype=np.bool_)
    return conflict_mask(view.states, view.scores, view.excluded_rows, view.dismissed)


def _changed(view: CellView, which: str) -> NDArray[np.bool_]:
    before = np.zeros_like(view.states) if view.previous is None else view.previous
    return np.asarray(getattr(changes(before, proposals_of(view)), which) & (view.states == UNKNOWN))


def _inside_band(view: CellView, spec: QueueSpec) -> NDArray[np.bool_]:
    values = score_values()
    low = int(np.searchsorted(values, spec.score_low, side="left"))
    high = int(np.searchsorted(values, spec.score_high, side="right")) - 1
    if spec.sign > 0:
        low = max(low, int(positive_cut(0.5)))
    if spec.sign < 0:
        high = min(high, int(negative_cut(0.5)))
    bits = view.bits
    return (bits >= low) & (bits <= high)
