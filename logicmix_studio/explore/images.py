"""Find images, look at one with all its cells, find similar ones, set one class for many."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import FoundImages, ImageQuery, JournalIndex, find_images
from logicmix_studio.explore.similar import Similar
from logicmix_studio.images.decode import picture_size
from logicmix_studio.labels import POSITIVE, STATE_NAMES, UNKNOWN
from logicmix_studio.review.proposal_set import ProposalSet, RunScores
from logicmix_studio.runs import Jobs
from logicmix_studio.store import NEVER, CellChange, Dataset, Decision, Line, Receipt, Source

PAGE: Final = 60
"""Images of a page."""
MOST_UNASKED: Final = 100
"""Cells that are set at once without a person having confirmed their number."""
TILE_CELLS: Final = 6
"""Cells that a tile names."""
VIEWS_KEPT: Final = 12
"""Found lists that are remembered, so that they don't shift under somebody who labels in them."""
Claims = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Cell:
    """What is known and claimed of one class in one image."""

    class_name: str
    state: int
    source: str
    """nobody, imported, human or accepted."""
    score: float | None
    """The calibrated score in [0, 1]; None where no model has seen the cell."""
    proposal: int
    """The pseudo-label: +1, -1 or 0."""
    reached: int
    """The sign whose threshold the score reaches, pseudo-label or not; 0 for none."""
    is_unsure: bool
    truth: int | None
    """The complete label, where it is known."""

    @property
    def kind(self) -> str:
        """positive, negative, pseudo or unknown."""
        return "pseudo" if self.state == UNKNOWN and self.proposal else STATE_NAMES[self.state]


@dataclass(frozen=True)
class ImageView:
    """One image with all its cells, or with the few that a tile names."""

    image_id: str
    path: str
    split: str
    cells: tuple[Cell, ...]
    """All: positives and open ones first, then pseudo-labels, the surest first, then negatives."""
    num_known: int
    num_proposals: int
    run: int | None
    """The run whose scores and pseudo-labels are shown."""
    num_more: int = 0
    """Positives and proposed positives that a tile doesn't name."""
    size: tuple[int, int] | None = None
    """Width and height in pixels; None on tiles, and where the file can't be read."""


@dataclass(frozen=True)
class BulkPlan:
    """What setting one class in many images does; every image is in one of the four lists."""

    class_name: str
    state: int
    seen: int
    """The last journal line when the person looked at the images."""
    unknown: list[str] = field(default_factory=list)
    """They are set."""
    known: list[str] = field(default_factory=list)
    """Known otherwise: they are set only where that is said."""
    same: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    """Answered after the person looked: they are left out."""

    @property
    def words(self) -> str:
        """What happens, as a sentence."""
        name, lists = STATE_NAMES[self.state], (self.unknown, self.known, self.same, self.changed)
        says = (f"unknown will be set to {name}", "known already", f"{name} already", "left out: just answered")
        parts = [f"{len(ids)} {words}" for ids, words in zip(lists, says, strict=True) if ids]
        return f"{sum(map(len, lists))} selected: {', '.join(parts)}"


class ImageService:
    """What Browse shows and does. May be called from any thread.

    A method raises `StudioError` where it is given an image, a class, a run or a state that is none.
    """

    def __init__(self, dataset: Dataset, proposed: ProposalSet, jobs: Jobs) -> None:
        self._dataset, self._proposed = dataset, proposed
        self._index = JournalIndex(dataset.ledger)
        self.features = Similar(proposed, jobs)
        self._guard = threading.Lock()
        self._views: dict[tuple[ImageQuery, int], FoundImages] = {}

    @property
    def people(self) -> list[str]:
        """Everybody who has decided something, the first one first."""
        return self._index.people

    def find(self, query: ImageQuery, *, seq: int | None = None) -> FoundImages:
        """Find images; with ``seq`` return what was found at that journal line, where it is remembered."""
        found = None if seq is None else self._views.get((query, seq))
        if found is None:
            found = find_images(self._dataset, self._proposed, self._index, query)
        key = (query, found.seq)
        with self._guard:
            others = [item for item in self._views.items() if item[0] != key]
            self._views = dict([*others, (key, found)][-VIEWS_KEPT:])
        return found

    def tiles(self, found: FoundImages, start: int = 0, count: int = PAGE) -> list[ImageView]:
        """Return a page of what was found, each image with the few cells that say most about it."""
        return self._tiles(found.rows[start : start + count].tolist(), found.query.class_name, found.run)

    def similar(self, image_id: str, count: int = 12) -> tuple[int | None, list[tuple[ImageView, float]]]:
        """Return the images most alike, nearest first, with their cosines in [-1, 1], and the run that saw them so.

        None and no image where no run left features.
        """
        self._dataset.row_of(image_id)
        known = self.features.of_image(image_id)
        if known is None:
            return None, []
        row_of = self._dataset.ledger.row_of
        found = known[1].nearest(image_id, count, row_of)
        tiles = self._tiles([row_of[one] for one, _ in found], "", None)
        return known[0], list(zip(tiles, (cosine for _, cosine in found), strict=True))

    def image(self, image_id: str) -> ImageView:
        """Return an image with all its cells: state, source, score, pseudo-label, and the truth where it is known."""
        row = self._dataset.row_of(image_id)
        scores, claims = self._proposed.current, self._proposed.array()[row]
        cells = self._cells(row, range(len(claims)), scores, claims)
        size = picture_size(self._dataset.image_path(image_id))
        return self._view(row, sorted(cells, key=_looked_at), scores, claims, 0, size)

    def explain(self, image_id: str, class_name: str) -> str:
        """Return in words where a cell's state comes from and what the model says of it."""
        row, column = self._dataset.ledger.position(image_id, class_name)
        scores = self._proposed.current
        cell = self._cells(row, [column], scores, self._proposed.array()[row])[0]
        known = {"imported": "Known from the import.", "human": "A person said so."}
        known["accepted"] = "A person agreed with a pseudo-label."
        unsure = "Somebody was unsure about it." if cell.is_unsure else "Nobody has looked at it."
        said = known.get(cell.source, unsure)
        if scores is None:
            return f"{said} No run has finished yet."
        if cell.score is None:
            return f"{said} Run {scores.run} says nothing of it."
        gives = f"{said} Run {scores.run} gives it {cell.score:.2f}"
        if cell.proposal:
            return f"{gives} and suggests {STATE_NAMES[cell.proposal]}."
        if cell.state == UNKNOWN and self._dataset.table.is_test[row]:
            return f"{gives}; test images get no pseudo-labels."
        return f"{gives}: too little for a pseudo-label." if not (cell.state or cell.reached) else f"{gives}."

    def history(self, image_id: str, class_name: str) -> pd.DataFrame:
        """Return what was decided about one cell, the latest first.

        One row an action: line, time (UTC), who, where, what (in words), state (then), cells (of it), note, undone.
        """
        ledger, rows = self._dataset.ledger, []
        for line in reversed(ledger.history(image_id, class_name)):
            cell = next(one for one in line.cells if (one.image_id, one.class_name) == (image_id, class_name))
            is_undone = line.kind == "decide" and ledger.is_undone(line.seq)
            place = (line.seq, line.time, line.who, line.origin, _words(line, cell))
            rows.append((*place, STATE_NAMES[cell.after.state], len(line.cells), line.note, is_undone))
        columns = ["line", "time", "who", "where", "what", "state", "cells", "note", "undone"]
        return pd.DataFrame(rows, columns=columns)

    def answer(
        self,
        image_id: str,
        class_name: str,
        state: int,
        *,
        who: str,
        seen_state: int | None = None,
        action_id: str | None = None,
        ms: float | None = None,
    ) -> Receipt:
        """Answer one cell: accept or reject its pseudo-label, be unsure, or set or change its state.

        The state is +1, -1, or 0 for "unsure" about an unknown cell and "unknown again" of a known one. A cell that is
        known otherwise by now than as the person saw it, ``seen_state``, is left out and reported. The same
        ``action_id`` twice is one action; ``ms`` is how long the person looked.
        """
        ledger, proposed = self._dataset.ledger, self._proposed
        with ledger.lock:
            row, column = ledger.position(image_id, class_name)
            now, claim = int(ledger.states[row, column]), int(proposed.array()[row, column])
            answer = "set" if now or not claim else "accept" if claim == state else "reject"
            if now == state == UNKNOWN:
                answer = "unsure"
            decision = Decision(image_id, class_name, state, answer, proposed.score_of(image_id, class_name))
            is_new = action_id is None or ledger.find(action_id) is None
            if is_new and seen_state is not None and now not in (seen_state, UNKNOWN):
                return Receipt(line=None, skipped=(decision,))
            extra = {} if ms is None else {"ms": round(ms)}
            more: dict[str, Any] = {"run": proposed.choice()[0], "extra": extra, "action_id": action_id}
            return ledger.decide([decision], who=who, origin="browse", **more)

    def plan_set(self, image_ids: Iterable[str], class_name: str, state: int, seen: int | None = None) -> BulkPlan:
        """Say what setting one class in many images would do.

        ``seen`` is the last journal line when the person looked at them (``FoundImages.seq``), now unless given.
        """
        ledger = self._dataset.ledger
        with ledger.lock:
            plan = BulkPlan(class_name, state, ledger.seq if seen is None else seen)
            for image_id in dict.fromkeys(image_ids):
                now = ledger.states[ledger.position(image_id, class_name)]
                lines = ledger.history(image_id, class_name)
                otherwise = plan.unknown if now == UNKNOWN else plan.known
                is_changed = bool(lines) and lines[-1].seq > plan.seen
                (plan.changed if is_changed else plan.same if now == state else otherwise).append(image_id)
            return plan

    def set_cells(
        self,
        plan: BulkPlan,
        *,
        who: str,
        overwrite: bool = False,
        expected: int | None = None,
        action_id: str | None = None,
    ) -> tuple[BulkPlan, Receipt]:
        """Do what a plan says, as one journal line and one undo; return what held at that moment, and the receipt.

        Args:
            plan: What the person looked at.
            who: The person.
            overwrite: Whether cells that are known otherwise are changed, too.
            expected: How many cells the person was told; needed for more than :data:`MOST_UNASKED`.
            action_id: The same id twice is one action.

        Raises:
            StudioError: If the number of cells is another than expected, or needs to be named.
        """
        ledger = self._dataset.ledger
        with ledger.lock:
            if action_id is not None and (line := ledger.find(action_id)) is not None:
                return plan, Receipt(line=line, repeated=True)
            images = (*plan.unknown, *plan.known, *plan.same, *plan.changed)
            now = self.plan_set(images, plan.class_name, plan.state, plan.seen)
            chosen = (*now.unknown, *(now.known if overwrite else ()))
            if expected is None and len(chosen) > MOST_UNASKED:
                told = f"{len(chosen):,} cells would be written, more than {MOST_UNASKED}"
                raise StudioError(told, f"name their number to confirm: expected={len(chosen)}")
            decisions = [Decision(image_id, plan.class_name, plan.state) for image_id in chosen]
            return now, ledger.decide(decisions, who=who, origin="browse", action_id=action_id, expected=expected)

    def _tiles(self, rows: Iterable[int], class_name: str, run: int | None) -> list[ImageView]:
        """Return images with the class that was asked for, their positives and their surest proposed positives."""
        scores, tiles = self._proposed.scores(run), []
        array = self._proposed.of(scores)
        asked = [self._dataset.column_of(class_name)] if class_name else []
        for row in rows:
            proposed = np.flatnonzero(array[row] == POSITIVE)
            if scores is not None:
                proposed = proposed[np.argsort(-scores.scores[row, proposed].astype(np.float32), kind="stable")]
            positive = np.flatnonzero(self._dataset.states[row] == POSITIVE)
            shown = [int(one) for one in (*positive, *proposed) if one not in asked]
            cells = self._cells(row, [*asked, *shown[:TILE_CELLS]], scores, array[row])
            tiles.append(self._view(row, cells, scores, array[row], max(0, len(shown) - TILE_CELLS)))
        return tiles

    def _view(self, row: int, cells: Sequence[Cell], scores: RunScores | None, claims: Claims, *more: Any) -> ImageView:
        table, known = self._dataset.table, int(np.count_nonzero(self._dataset.states[row]))
        place = table.image_ids[row], table.paths[row], table.splits[row]
        run, claimed = scores.run if scores else None, int(np.count_nonzero(claims))
        return ImageView(*place, tuple(cells), known, claimed, run, *more)

    def _cells(self, row: int, columns: Iterable[int], scores: RunScores | None, claims: Claims) -> list[Cell]:
        dataset, ledger, thresholds = self._dataset, self._dataset.ledger, self._proposed.thresholds

        def cell(column: int) -> Cell:
            score, reached = None, 0
            if scores is not None and scores.is_scored[row, column]:
                score = round(float(scores.scores[row, column]), 4)
                reached = int(score >= thresholds.positive[column])
                reached -= int(1 - score >= thresholds.negative[column])
            return Cell(
                class_name=dataset.class_names[column],
                state=int(ledger.states[row, column]),
                source=Source(ledger.sources[row, column]).name.lower(),
                score=score,
                proposal=int(claims[column]),
                reached=reached,
                is_unsure=bool(ledger.unsure_run[row, column] != NEVER),
                truth=None if dataset.complete is None else int(dataset.complete[row, column]),
            )

        return [cell(column) for column in columns]


def _looked_at(cell: Cell) -> tuple[int, float]:
    group = ("positive", "unknown", "pseudo", "negative").index(cell.kind)
    score = cell.score or 0.0
    return group, -score if cell.kind == "unknown" else -max(score, 1 - score)


def _words(line: Line, cell: CellChange) -> str:
    name = STATE_NAMES[cell.after.state]
    if line.kind != "decide":
        return f"{'took back' if line.kind == 'undo' else 'brought back'} line {line.of}: {name}"
    said = {"accept": f"accepted: {name}", "reject": f"rejected: {name}", "unsure": "was unsure", "skip": "skipped"}
    return said.get(cell.answer, f"set to {name}")
