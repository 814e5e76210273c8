"""The review desk: queues, leases and answers of everybody who reviews at this server.

All that must outlive the process stands in the journal; what is kept here (built queues, leases, skipped cells) is made
anew after a restart.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review import (
    NO_RUN,
    CellView,
    Coverage,
    LeaseTable,
    Queue,
    QueueSpec,
    build_queue,
    open_cells,
    propose,
)
from logicmix_studio.review.answers import Actions
from logicmix_studio.review.dismissed import Kept
from logicmix_studio.review.empty_queue import Waiting, explain_empty
from logicmix_studio.runs.scores import RunScores
from logicmix_studio.store import Decision, Line, Receipt
from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_plants import Plants

KEPT_QUEUES = 8
"""Built queues kept in memory, one for each order; one over 8 million cells takes 16 to 24 MB."""

COUNT_EXACTLY = 100_000
"""Queues up to this length are counted cell by cell."""

BIG_BULK = 5_000
"""After an action on so many cells, passing over them costs more than building the queue anew."""

Cell = int
"""A flat index: row * C + column."""


@dataclass(frozen=True)
class Batch:
    """What a screen gets when it asks for cells."""

    items: list[dict[str, Any]]
    total: int
    """Cells of the queue that wait for an answer."""
    run: int | None
    lost: list[Cell]
    """Cells that the screen still shows, but that somebody else holds by now."""
    empty: dict[str, Any] | None
    """Why nothing came and what to do next; None where items came."""


class ReviewService:
    """Hands out cells and takes answers, for several people at once.

    Args:
        studio: The studio.
        clock: Seconds that never go back; leases are measured with it.
    """

    def __init__(self, studio: Studio, clock: Callable[[], float] = time.monotonic) -> None:
        self.studio = studio
        self.clock = clock
        self.leases = LeaseTable()
        self.plants = Plants(studio)
        self.actions = Actions(studio)
        self.shown: npt.NDArray[np.bool_] = np.zeros(studio.ledger.states.shape, dtype=np.bool_)
        self._kept = Kept(studio.ledger)
        self._skipped: dict[str, set[Cell]] = defaultdict(set)
        self._reserved: frozenset[Cell] = frozenset()
        self._queues: OrderedDict[tuple[Any, ...], Queue] = OrderedDict()
        self._counts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._fronts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._reopened = 0
        self._epoch = 0
        self._building = threading.Lock()
        self._coverage: tuple[tuple[int, int], Coverage] | None = None
        self._splits = np.array(studio.table.splits, dtype=np.str_)
        with studio.ledger.lock:
            for line in studio.ledger.lines:
                self._see(line)
            studio.ledger.listen(self._on_line)

    # cells -------------------------------------------------------------------

    def flat(self, image_id: str, class_name: str) -> Cell:
        """Return the flat index of a cell.

        Raises:
            StudioError: If there is no such cell.
        """
        row, column = self.studio.ledger.position(image_id, class_name)
        return row * self.studio.table.num_classes + column

    def names(self, cell: Cell) -> tuple[str, str]:
        """Return the image id and the class name of a flat index.

        Raises:
            StudioError: If there is no such cell.
        """
        row, column = divmod(cell, max(1, self.studio.table.num_classes))
        if not 0 <= row < self.studio.table.num_images:
            raise StudioError(f"there is no cell {cell}", "reload the page: the data set may have changed")
        return self.studio.image_ids[row], self.studio.class_names[column]

    def scores(self, run: int | None = None) -> RunScores | None:
        """Return the scores of a run, or of the current one where None; None before the first run.

        Raises:
            StudioError: If the run left none.
        """
        return self.studio.current if run is None else self.studio.run_scores(run)

    def view(
        self, *, run: int | None = None, with_proposals: bool = True, with_previous: bool = False
    ) -> CellView:
        """Return the cells as they are now.

        Args:
            run: The run whose scores are shown; the current one unless given.
            with_proposals: Whether the pseudo-labels are needed: they are made anew after each decision.
            with_previous: Whether the pseudo-labels of the run before are needed.

        Raises:
            StudioError: If the run left no scores.
        """
        scores = self.scores(run)
        number = NO_RUN if scores is None else scores.run
        return CellView(
            class_names=self.studio.class_names,
            states=self.studio.ledger.states,
            scores=None if scores is None else scores.scores,
            proposals=self._proposals(scores) if with_proposals else None,
            previous=self._proposals(self._before(number)) if with_previous else None,
            splits=self._splits,
            shown=self.shown,
            unsure_run=self.studio.ledger.unsure_run,
            kept=self._kept.mask(number),
            run=number,
        )

    def _proposals(self, scores: RunScores | None) -> npt.NDArray[np.int8] | None:
        if scores is None:
            return None
        current, _ = self.studio.current_choice()
        return self.studio.proposals_array() if scores.run == current else self.studio.propose(scores)

    def _before(self, run: int) -> RunScores | None:
        """Return the scores of the finished run before one."""
        earlier = [info.run for info in self.studio.finished_runs() if info.run < run]
        return self.studio.run_scores(earlier[-1]) if earlier else None

    def coverage(self) -> Coverage | None:
        """Return how many open cells any threshold covers; None before the first run."""
        view = self.view(with_proposals=False)
        if view.scores is None:
            return None
        key = (view.run, self.studio.ledger.seq)
        with self._building:
            if self._coverage is None or self._coverage[0] != key:
                is_open = open_cells(view.states, view.excluded_rows, view.unsure_run, view.run)
                self._coverage = (key, Coverage(view.scores, is_open))
            return self._coverage[1]

    # handing out -------------------------------------------------------------

    def queue(self, spec: QueueSpec) -> Queue:
        """Return the queue of a spec at today's scores and thresholds, built once."""
        return self._queue(spec)[1]

    def next_batch(
        self, spec: QueueSpec, *, who: str, holder: str, want: int, have: Sequence[Cell], plant: bool = False
    ) -> Batch:
        """Lease the next cells of a queue to one screen of one person.

        Args:
            spec: What to review.
            who: The person.
            holder: The screen: another window of the same person gets other cells.
            want: How many cells, 1 or more.
            have: What the screen still shows; its leases are renewed.
            plant: Whether wrong suggestions may be mixed in to see whether they are noticed.
        """
        key, queue = self._queue(spec)
        now, name = self.clock(), f"{who}/{holder}"
        lost = self.leases.renew(name, have, now)
        self.leases.release(set(self.leases.held(name, now)) - set(have), name)
        closed = set(have) | self._skipped[who] | self._reserved
        view = self.view(run=spec.run, with_proposals=False)
        others = self.leases.held_by_others(name, now)
        cells, _ = queue.next_cells(self._front(key, queue, view), want, view, closed | others)
        taken = self.leases.acquire(name, (int(cell) for cell in cells), want, now)
        total = self._count(key, queue, view)
        items = self.items(taken, self.scores(spec.run))
        if plant and items:
            items = self._mix_in(who, name, items, want)
        empty = None
        if not items:
            waiting = Waiting(total, len(others), len(self._skipped[who]), len(have))
            empty = explain_empty(self.studio, spec, waiting)
        return Batch(items, total, None if queue.run < 0 else queue.run, lost, empty)

    def items(self, cells: Sequence[Cell], said: RunScores | None) -> list[dict[str, Any]]:
        """Return what a screen shows of some cells.

        Args:
            cells: Flat indices.
            said: The scores of the run that is reviewed; None before the first run.
        """
        if not cells:
            return []
        rows, columns = np.divmod(np.asarray(cells, dtype=np.int64), self.studio.table.num_classes)
        claims, scores = self._claims(rows, columns, said)
        states = self.studio.ledger.states[rows, columns]
        items = []
        for place, cell in enumerate(cells):
            row, column = int(rows[place]), int(columns[place])
            items.append(
                {
                    "cell": int(cell),
                    "image": self.studio.image_ids[row],
                    "path": self.studio.table.paths[row],
                    "class": self.studio.class_names[column],
                    "state": int(states[place]),
                    "claim": int(claims[place]),
                    "score": scores[place],
                    "run": None if said is None else said.run,
                }
            )
        return items

    def take_again(self, who: str) -> int:
        """Put the cells a person skipped back into the queues; return how many there were."""
        return len(self._skipped.pop(who, set()))

    @property
    def reserved(self) -> frozenset[Cell]:
        """The cells of open audits."""
        return self._reserved

    def reserve(self, cells: Iterable[Cell]) -> None:
        """Keep the cells of open audits out of every queue."""
        self._reserved = frozenset(cells)

    # taking in ---------------------------------------------------------------

    def answer(
        self,
        decisions: Sequence[Decision],
        *,
        who: str,
        origin: str,
        action_id: str,
        run: int | None,
        note: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> Receipt:
        """Write one action of one or many answers; a planted suggestion is noted and changes no cell.

        Args:
            decisions: The answers.
            who: The person.
            origin: stream, grid or conflicts.
            action_id: The same id twice is one action.
            run: The run whose pseudo-labels were answered.
            note: A person's words.
            extra: Facts beside the cells.

        Raises:
            StudioError: If a cell or an answer is none, or the disk refuses.
        """
        with self.studio.ledger.lock:
            known = self.actions.find(action_id)
            if known is not None:
                return Receipt(line=known, repeated=True)
            real: list[Decision] = []
            planted = Receipt(line=None)
            for place, decision in enumerate(decisions):
                number = f"{action_id}:{place}" if len(decisions) > 1 else action_id
                noted = self.plants.answer(
                    decision, who=who, origin=origin, action_id=number, extra=extra or {}
                )
                if noted is None:
                    real.append(decision)
                else:
                    planted = noted
            if not real:
                return planted
            return self.studio.ledger.decide(
                real, who=who, origin=origin, action_id=action_id, run=run, note=note, extra=extra
            )

    # within ------------------------------------------------------------------

    def _mix_in(self, who: str, name: str, items: list[dict[str, Any]], want: int) -> list[dict[str, Any]]:
        """Mix planted suggestions in; what no longer fits goes back to the queue."""
        mixed = self.plants.mix_in(who, items)
        self.leases.release([item["cell"] for item in mixed[want:]], name)
        return mixed[:want]

    def _queue(self, spec: QueueSpec) -> tuple[tuple[Any, ...], Queue]:
        run = self.studio.current_choice()[0] if spec.run is None else spec.run
        key = (
            spec,
            run,
            self._epoch,
            self.studio.runs_version,
            repr(self.studio.settings.get("thresholds", {})),
        )
        with self._building:
            found = self._queues.get(key)
            if found is None:
                needs_previous = spec.changes in ("new", "withdrawn", "flipped") or spec.order == "flipped"
                view = self.view(run=spec.run, with_previous=needs_previous)
                with (
                    self.studio.ledger.lock
                ):  # a copy: a cell settled while the queue is sorted must not look open
                    states = view.states.copy()
                found = build_queue(replace(view, states=states), spec)
                self._queues[key] = found
                while len(self._queues) > KEPT_QUEUES:
                    old, _ = self._queues.popitem(last=False)
                    self._counts.pop(old, None)
                    self._fronts.pop(old, None)
            self._queues.move_to_end(key)
            return key, found

    def _front(self, key: tuple[Any, ...], queue: Queue, view: CellView) -> int:
        """Return the position of the first cell of a queue that still waits, leased or not."""
        seq, front = self._fronts.get(key, (self._reopened, 0))
        if seq != self._reopened:
            front = 0
        seq = self._reopened
        found, position = queue.next_cells(front, 1, view)
        front = position - 1 if len(found) else position
        self._fronts[key] = (seq, front)
        return front

    def _count(self, key: tuple[Any, ...], queue: Queue, view: CellView) -> int:
        """Return how many cells wait: exactly for queues of usual size, else as of the time it was built."""
        if len(queue) > COUNT_EXACTLY:
            return len(queue) - self._fronts.get(key, (0, 0))[1]
        seq = self.studio.ledger.seq
        known = self._counts.get(key)
        if known is None or known[0] != seq:
            known = (seq, int(queue.waiting(queue.cells, view).sum()))
            self._counts[key] = known
        return known[1]

    def _claims(
        self, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64], said: RunScores | None
    ) -> tuple[npt.NDArray[np.int8], list[float | None]]:
        if said is None:
            return np.zeros(len(rows), dtype=np.int8), [None] * len(rows)
        scores = said.scores[rows]
        every = propose(scores, np.full(scores.shape, UNKNOWN, dtype=np.int8), self.studio.thresholds)
        places = np.arange(len(rows))
        return every[places, columns], [round(float(score), 4) for score in scores[places, columns]]

    def _on_line(self, line: Line) -> None:
        self._see(line)
        cells = [self.flat(cell.image_id, cell.class_name) for cell in line.cells]
        self.leases.release(cells)
        if len(cells) > BIG_BULK:
            self._epoch += 1
        if line.kind == "undo":
            self._reopened = line.seq
            for skipped in self._skipped.values():
                skipped.difference_update(cells)
        elif line.kind == "decide":
            gone = [cell for cell, change in zip(cells, line.cells, strict=True) if change.answer == "skip"]
            self._skipped[line.who].update(gone)

    def _see(self, line: Line) -> None:
        self.actions.see(line)
        ledger = self.studio.ledger
        for cell in line.cells:
            row, column = ledger.row_of.get(cell.image_id), ledger.column_of.get(cell.class_name)
            if row is not None and column is not None:
                self.shown[row, column] = True
        self._kept.see(line)
