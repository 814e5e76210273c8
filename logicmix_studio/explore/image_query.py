"""Which images Browse shows and in which order: one expression over the arrays.

N images, C classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_index import JournalIndex
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.studio import Studio

Mask = npt.NDArray[np.bool_]
Cells = npt.NDArray[np.int8]

STATES: Final[Mapping[str, Callable[[Cells, Cells], Mask]]] = {
    "positive": lambda states, proposals: states == POSITIVE,
    "negative": lambda states, proposals: states == NEGATIVE,
    "known": lambda states, proposals: states != UNKNOWN,
    "pseudo": lambda states, proposals: proposals != 0,
    "pseudo-positive": lambda states, proposals: proposals == POSITIVE,
    "pseudo-negative": lambda states, proposals: proposals == NEGATIVE,
    "unknown": lambda states, proposals: (states == UNKNOWN) & (proposals == 0),
    "open": lambda states, proposals: states == UNKNOWN,
}
"""What a state's name in the address means; "unknown" leaves pseudo-labels out, "open" does not."""

FACETS: Final = ("positive", "negative", "pseudo", "unknown")
SORTS: Final = (
    "name",
    "name-down",
    "score-high",
    "score-low",
    "uncertain",
    "most-unknown",
    "most-known",
    "changed",
    "random",
)
SOURCES: Final = {"imported": 1, "human": 2, "accepted": 3}
_UNSCORED: Final = np.uint16(15361)
"""One above the bits of score 1: everything from here on is no score."""
_SHUFFLE_SEED: Final = 526


@dataclass(frozen=True)
class BrowseSpec:
    """What to show; the empty default shows every image by name."""

    class_name: str = ""
    """Conditions on cells speak of this class; of any class where it is empty."""
    state: str = ""
    score_from: float = 0.0
    score_to: float = 1.0
    split: str | None = None
    """None for all; an empty name for images without a split."""
    run: int | None = None
    """The run whose scores count; the current one unless given."""
    who: str = ""
    """The person whose answer stands in the cell."""
    source: str = ""
    path: str = ""
    """Text in the path, in upper or lower case."""
    sort: str = "name"

    def __post_init__(self) -> None:
        """Refuse names that mean nothing.

        Raises:
            StudioError: If a state, order or source is unknown, or the band is empty.
        """
        _check("state", self.state, ("", *STATES))
        _check("order", self.sort, SORTS)
        _check("source", self.source, ("", *SOURCES))
        if not 0 <= self.score_from <= self.score_to <= 1:
            raise StudioError(
                f"the score band {self.score_from:g} to {self.score_to:g} is none",
                "choose two numbers from 0 to 1",
            )

    @property
    def has_band(self) -> bool:
        """Whether only some scores are wanted."""
        return self.score_from > 0 or self.score_to < 1


@dataclass(frozen=True)
class BrowseView:
    """The answer to a question: it stays as it is while somebody looks through it."""

    spec: BrowseSpec
    rows: npt.NDArray[np.int64]
    """(M,) rows of the images, in order."""
    num_cells: int
    """Cells that meet the conditions, in all of these images."""
    facets: dict[str, int]
    """Images by state, all other conditions being the same."""
    run: int | None
    seq: int


def browse(studio: Studio, index: JournalIndex, spec: BrowseSpec) -> BrowseView:
    """Find and order the images.

    Args:
        studio: The data set.
        index: Who decided what.
        spec: What to show.

    Raises:
        StudioError: If there is no such class or run.
    """
    columns = _columns(studio, spec.class_name)
    run_scores = studio.current if spec.run is None else studio.run_scores(spec.run)
    current, _ = studio.current_choice()
    is_current = run_scores is None or run_scores.run == current
    whole = studio.proposals_array() if is_current or run_scores is None else studio.propose(run_scores)
    states, proposals = studio.ledger.states[:, columns], whole[:, columns]
    bits = None if run_scores is None else run_scores.scores[:, columns].view(np.uint16)
    rows = _row_mask(studio, spec)
    cells = _cell_mask(studio, index, spec, columns, bits)
    facets = {key: _count_rows(STATES[key](states, proposals), cells, rows) for key in FACETS}
    if spec.state:
        wanted = STATES[spec.state](states, proposals)
        cells = wanted if cells is None else cells & wanted
    kept = rows if cells is None else rows & cells.any(axis=1)
    found = np.flatnonzero(kept)
    num_cells = len(found) * states.shape[1] if cells is None else int(np.count_nonzero(cells[found]))
    order = _order(studio, index, spec, found, bits, cells)
    run = None if run_scores is None else run_scores.run
    return BrowseView(spec, found[order], num_cells, facets, run, studio.ledger.seq)


def _columns(studio: Studio, class_name: str) -> slice:
    if not class_name:
        return slice(None)
    column = studio.ledger.column_of.get(class_name)
    if column is None:
        raise StudioError(f"there is no class {class_name!r}", "choose another in the filter")
    return slice(column, column + 1)


def _row_mask(studio: Studio, spec: BrowseSpec) -> Mask:
    table = studio.table
    mask = np.ones(table.num_images, dtype=np.bool_)
    if spec.split is not None:
        mask &= np.fromiter((split == spec.split for split in table.splits), np.bool_, table.num_images)
    if spec.path:
        text = spec.path.casefold()
        mask &= np.fromiter((text in path.casefold() for path in table.paths), np.bool_, table.num_images)
    return mask


def _cell_mask(
    studio: Studio, index: JournalIndex, spec: BrowseSpec, columns: slice, bits: npt.NDArray[np.uint16] | None
) -> Mask | None:
    """Return the cells that meet every condition but the state, or None where there is no other."""
    parts: list[Mask] = []
    if spec.has_band:
        shape = studio.ledger.states[:, columns].shape
        parts.append(np.zeros(shape, np.bool_) if bits is None else _in_band(bits, spec))
    if spec.who:
        number = index.person(spec.who)
        deciders = index.deciders()[:, columns]
        parts.append(np.zeros(deciders.shape, np.bool_) if number is None else deciders == number)
    if spec.source:
        parts.append(studio.ledger.sources[:, columns] == SOURCES[spec.source])
    if not parts:
        return None
    mask = parts[0]
    for part in parts[1:]:
        mask = mask & part
    return mask


def _in_band(bits: npt.NDArray[np.uint16], spec: BrowseSpec) -> Mask:
    low, high = np.float16(spec.score_from).view(np.uint16), np.float16(spec.score_to).view(np.uint16)
    mask: Mask = (bits >= low) & (bits <= high)
    return mask


def _count_rows(state: Mask, cells: Mask | None, rows: Mask) -> int:
    both = state if cells is None else state & cells
    return int(np.count_nonzero(both.any(axis=1) & rows))


def _order(
    studio: Studio,
    index: JournalIndex,
    spec: BrowseSpec,
    found: npt.NDArray[np.int64],
    bits: npt.NDArray[np.uint16] | None,
    cells: Mask | None,
) -> npt.NDArray[np.int64]:
    """Return positions in ``found``, first to last; equals stay in the order of names."""
    if spec.sort == "name":
        return np.arange(len(found))
    if spec.sort == "name-down":
        return np.arange(len(found))[::-1]
    if spec.sort == "random":
        return np.random.default_rng(_SHUFFLE_SEED).permutation(len(found))
    if spec.sort == "changed":
        return np.argsort(-index.changed()[found], kind="stable")
    if spec.sort in ("most-unknown", "most-known"):
        known = np.count_nonzero(studio.ledger.states[found], axis=1)
        return np.argsort(known if spec.sort == "most-unknown" else -known, kind="stable")
    if bits is None:
        return np.arange(len(found))
    keys = _score_keys(spec.sort, bits[found], None if cells is None else cells[found])
    return np.argsort(keys, kind="stable")


def _score_keys(sort: str, bits: npt.NDArray[np.uint16], cells: Mask | None) -> npt.NDArray[np.int32]:
    """Return (M,) numbers, the smallest first: the best of an image's cells that meet the conditions."""
    values = bits.astype(np.int32)
    if sort == "score-high":
        values = -values
    elif sort == "uncertain":
        as_score = bits.view(np.float16).astype(np.float32)
        values = (np.abs(as_score - 0.5) * 100_000).astype(np.int32)
    last = np.int32(np.iinfo(np.int32).max)
    values[bits >= _UNSCORED] = last
    if cells is not None:
        values[~cells] = last
    best: npt.NDArray[np.int32] = values.min(axis=1, initial=last)
    return best


def _check(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        names = ", ".join(name for name in allowed if name)
        raise StudioError(f"there is no {what} {value!r}", f"choose one of: {names}")
