"""Which images Browse shows and in which order: one expression over the arrays. N images, C classes, M found ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.proposal_set import ProposalSet, RunScores
from logicmix_studio.store import Dataset, Ledger, Line, Source

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
"""What a state's name in a filter means; "unknown" leaves pseudo-labels out, "open" does not."""
COUNTED: Final = ("positive", "negative", "pseudo", "unknown")
SORTS: Final = {
    "name": "Name",
    "name-down": "Name, backwards",
    "score-high": "Highest score",
    "score-low": "Lowest score",
    "uncertain": "Most uncertain",
    "most-unknown": "Most unknown",
    "most-known": "Most known",
    "changed": "Changed last",
    "random": "Shuffled",
}
"""The orders, in words."""
SOURCES: Final = {"imported": Source.IMPORTED, "human": Source.HUMAN, "accepted": Source.ACCEPTED}
NO_SPLIT: Final = "none"
_SHUFFLE_SEED: Final = 526
NOBODY: Final = -1
"""The person of a cell that no person has settled."""


class JournalIndex:
    """Who decided which cell last, and when each image changed, as the ledger's arrays do not hold it.

    It is read from the journal a little further at each call.
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
        who = (self._ledger.target(line) or line).who
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


@dataclass(frozen=True)
class ImageQuery:
    """Which images to find; the empty default finds every one, by name. All conditions can be combined."""

    class_name: str = ""
    """Conditions on cells speak of this class; of any class where it is empty."""
    state: str = ""
    path: str = ""
    """Text in the path, in upper or lower case."""
    sort: str = "name"
    score_from: float = 0.0
    score_to: float = 1.0
    split: str = ""
    """Empty for all; "none" for images without a split."""
    person: str = ""
    """The person whose answer stands in the cell."""
    source: str = ""
    run: int | None = None
    """The run whose scores count; the current one unless given."""
    images: str = ""
    """Only these images: ids with commas between; all where it is empty."""

    def __post_init__(self) -> None:
        """Refuse names that mean nothing, and an empty band."""
        for what, names in {"state": STATES, "sort": SORTS, "source": SOURCES}.items():
            asked = getattr(self, what)
            if asked and asked not in names:
                raise StudioError(f"there is no {what} {asked!r}", f"choose one of: {', '.join(names)}")
        if not 0 <= self.score_from <= self.score_to <= 1:
            raise StudioError(
                f"the score band {self.score_from:g} to {self.score_to:g} is none",
                "choose two numbers from 0 to 1, the smaller one first",
            )


@dataclass(frozen=True)
class FoundImages:
    """The answer to a query: it stays as it is while somebody looks through it."""

    query: ImageQuery
    rows: npt.NDArray[np.int64]
    """(M,) the images, in order."""
    num_cells: int
    """Cells that meet the conditions, in all of these images."""
    counts: dict[str, int]
    """Images by state, all other conditions being the same."""
    num_test: int
    """How many of the images are of split test: they are counted, but get no pseudo-labels."""
    run: int | None
    seq: int
    """The last journal line that was taken into account."""

    def beside(self, row: int) -> tuple[int | None, int | None]:
        """Return the rows before and after an image; None at the ends, or where the image was not found."""
        around = [None, *self.rows.tolist(), None]
        at = around.index(row, 1) if row in around else 0
        return (around[at - 1], around[at + 1]) if at else (None, None)


def find_images(dataset: Dataset, proposed: ProposalSet, index: JournalIndex, query: ImageQuery) -> FoundImages:
    """Find and order images; refuses a class, an image or a run that is none."""
    column = dataset.column_of(query.class_name) if query.class_name else None
    columns = slice(None) if column is None else slice(column, column + 1)
    seq, scores = dataset.ledger.seq, proposed.scores(query.run)
    claims, states = proposed.of(scores)[:, columns], dataset.states[:, columns]
    rows, cells = _row_mask(dataset, query), _cell_mask(dataset, index, query, columns, scores)

    def of_state(state: str) -> Mask:
        wanted = STATES[state](states, claims)
        return wanted if cells is None else cells & wanted

    counts = {state: int(np.count_nonzero(of_state(state).any(axis=1) & rows)) for state in COUNTED}
    if query.state:
        cells = of_state(query.state)
    found = np.flatnonzero(rows if cells is None else rows & cells.any(axis=1))
    num_cells = len(found) * states.shape[1] if cells is None else int(np.count_nonzero(cells[found]))
    order = np.argsort(_keys(dataset, index, query.sort, found, columns, scores, cells), kind="stable")
    num_test = int(np.count_nonzero(dataset.table.is_test[found]))
    run = None if scores is None else scores.run
    return FoundImages(query, found[order], num_cells, counts, num_test, run, seq)


def _row_mask(dataset: Dataset, query: ImageQuery) -> Mask:
    table, mask = dataset.table, np.ones(dataset.table.num_images, dtype=np.bool_)
    if query.split:
        mask &= np.fromiter(((split or NO_SPLIT) == query.split for split in table.splits), np.bool_)
    if query.images:
        chosen = [dataset.row_of(image_id) for image_id in query.images.split(",")]
        mask &= np.isin(np.arange(table.num_images), chosen)
    if query.path:
        text = query.path.casefold()
        mask &= np.fromiter((text in path.casefold() for path in table.paths), np.bool_)
    return mask


def _cell_mask(
    dataset: Dataset, index: JournalIndex, query: ImageQuery, columns: slice, scores: RunScores | None
) -> Mask | None:
    """Return the cells that meet every condition but the state, or None where there is no other."""
    parts: list[Mask] = []
    if query.score_from > 0 or query.score_to < 1:
        if scores is None:
            return np.zeros(dataset.states[:, columns].shape, np.bool_)
        low, high = (np.float16(edge).view(np.uint16) for edge in (query.score_from, query.score_to))
        bits = scores.scores[:, columns].view(np.uint16)
        parts.append((bits >= low) & (bits <= high) & scores.is_scored[:, columns])
    if query.person:
        people = index.people
        number = people.index(query.person) if query.person in people else len(people)
        parts.append(index.deciders()[:, columns] == number)
    if query.source:
        parts.append(dataset.ledger.sources[:, columns] == SOURCES[query.source])
    mask: Mask | None = np.logical_and.reduce(parts) if parts else None
    return mask


def _keys(
    dataset: Dataset,
    index: JournalIndex,
    sort: str,
    found: npt.NDArray[np.int64],
    columns: slice,
    scores: RunScores | None,
    cells: Mask | None,
) -> npt.NDArray[Any]:
    """Return (M,) a number for each image, the smallest first; equals stay in the order of names."""
    by_name = np.arange(len(found))
    if sort == "random":
        return np.random.default_rng(_SHUFFLE_SEED).permutation(len(found))
    if sort == "changed":
        return -index.changed()[found]
    if sort in ("most-unknown", "most-known"):
        known: npt.NDArray[np.int64] = np.count_nonzero(dataset.states[found], axis=1)
        return known if sort == "most-unknown" else -known
    if scores is None or sort not in ("score-high", "score-low", "uncertain"):
        return -by_name if sort == "name-down" else by_name
    values = scores.scores[found, columns].astype(np.float32)
    values = {"score-high": -values, "score-low": values, "uncertain": np.abs(values - 0.5)}[sort]
    values[~scores.is_scored[found, columns]] = np.inf
    if cells is not None:
        values[~cells[found]] = np.inf
    best: npt.NDArray[np.float32] = values.min(axis=1, initial=np.inf)
    return best
