"""Reviewing: queues of questions for several people at once, their answers, conflicts and history.

All that must outlive the process stands in the journal; what is remembered here (queues, leases, skipped cells) is
made anew after a restart.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.cards import (
    Batch,
    Card,
    Cell,
    Pile,
    PilePage,
    Provenance,
    Reversal,
    explain_empty,
    explain_unlikely,
)
from logicmix_studio.review.cells import NO_RUN, CellView, flat_index
from logicmix_studio.review.history import HistoryFilter, PastLabels, cells_of_line, labels_at, list_lines
from logicmix_studio.review.leases import LeaseTable
from logicmix_studio.review.likeliest import WORTH_A_PAGE
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import claim_signs
from logicmix_studio.review.queue import Queue
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.store import Dataset, Decision, Line, Receipt, Source

MAX_QUEUES = 8
"""Built queues that are remembered, one for each order; one over 8 million cells takes 16 to 24 MB."""

COUNT_EXACTLY = 100_000
"""Queues up to this length are counted cell by cell."""

LIKELIEST_FIRST = ((POSITIVE, "confident"), (NEGATIVE, "uncertain"))
"""Signs, and the order in which the cells on that side of 0.5 come by falling score."""

BIG_BULK = 5_000
"""After an action on so many cells, passing over them costs more than building the queue anew."""

SHOWN_AGAIN = 50
"""Cells of an undone action that a screen may show again."""


class ReviewService:
    """Hands out cells, takes answers, and tells what was decided. May be called from any thread.

    A method raises `StudioError` where it is given a cell, a class or a run that is none, or a run without scores.
    ``who`` is the person and ``holder`` the screen: another window of the same person gets other cells. ``run`` is the
    run that is reviewed, the current one unless given. The same ``action_id`` twice is one action, and ``ms`` says how
    long the person looked. ``clock`` gives seconds that never go back; leases are measured with it.
    """

    def __init__(self, dataset: Dataset, proposed: ProposalSet, clock: Callable[[], float] = time.monotonic) -> None:
        self.dataset = dataset
        self.proposed = proposed
        self.clock = clock
        self.leases = LeaseTable()
        self.shown: npt.NDArray[np.bool_] = np.zeros(dataset.states.shape, dtype=np.bool_)
        self._skipped: dict[str, set[Cell]] = defaultdict(set)
        self.reserved: frozenset[Cell] = frozenset()
        """The cells of open audits, which are left out of every queue."""
        self._queues: OrderedDict[tuple[Any, ...], Queue] = OrderedDict()
        self._counts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._fronts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._reopened = 0
        self._epoch = 0
        self._building, self._handing_out = threading.Lock(), threading.Lock()
        self._splits = np.array(dataset.table.splits, dtype=np.str_)
        with dataset.ledger.lock:
            for line in dataset.ledger.lines:
                self._show(line)
            dataset.ledger.listen(self._on_line)

    # cells -------------------------------------------------------------------

    def flat(self, image_id: str, class_name: str) -> Cell:
        """Return the flat index of a cell."""
        row, column = self.dataset.ledger.position(image_id, class_name)
        return row * self.dataset.table.num_classes + column

    def view(self, *, run: int | None = None, with_proposals: bool = True, with_previous: bool = False) -> CellView:
        """Return the cells as they are now.

        Pseudo-labels, and those of the run before, are made anew after each decision: ask for them where needed.
        """
        scores = self.proposed.scores(run)
        number = NO_RUN if scores is None else scores.run
        before = self.proposed.before(number) if with_previous else None
        return CellView(
            class_names=self.dataset.class_names,
            states=self.dataset.ledger.states,
            scores=None if scores is None else scores.scores,
            proposals=self.proposed.of(scores) if scores is not None and with_proposals else None,
            previous=None if before is None else self.proposed.of(before),
            splits=self._splits,
            shown=self.shown,
            unsure_run=self.dataset.ledger.unsure_run,
            dismissed=self.proposed.dismissed.mask(number),
            run=number,
        )

    # handing out -------------------------------------------------------------

    def next_batch(self, spec: QueueSpec, *, who: str, holder: str, want: int = 50, have: Sequence[Cell] = ()) -> Batch:
        """Lease the next cells of a queue to one screen of one person.

        Args:
            spec: What to review.
            who: The person.
            holder: The screen.
            want: How many cells, 1 or more.
            have: What the screen still shows; its leases are renewed, its others end.
        """
        key, queue = self._queue(spec)
        now, name = self.clock(), f"{who}/{holder}"
        closed = set(have) | self._skipped[who] | self.reserved
        view = self.view(run=spec.run, with_proposals=False)
        with self._handing_out:  # who looks meanwhile would find the same cells, and get none of them
            lost = self.leases.renew(name, have, now)
            others = self.leases.held_by_others(name, now)
            cells, _ = queue.next_cells(self._front(key, queue, view), want, view, closed | others)
            taken = self.leases.acquire(name, (int(cell) for cell in cells), want, now)
        total = self._count(key, queue, view)
        empty = None
        if not taken:
            empty = explain_empty(
                spec,
                total=total,
                others=len(others),
                skipped=len(self._skipped[who]),
                held=len(have),
                has_run=view.scores is not None,
                has_previous=self.proposed.before(view.run) is not None,
            )
        return Batch(self.cards(taken, spec.run), total, None if queue.run < 0 else queue.run, lost, empty)

    def cards(self, cells: Sequence[Cell], run: int | None = None) -> list[Card]:
        """Return what a screen shows of some cells."""
        if not cells:
            return []
        if min(cells) < 0 or max(cells) >= self.dataset.states.size:
            raise StudioError("there is no such cell", "reload the page: the data set may have changed")
        table, scores = self.dataset.table, self.proposed.scores(run)
        rows, columns = np.divmod(np.asarray(cells, dtype=np.int64), table.num_classes)
        states, number = self.dataset.ledger.states[rows, columns], None
        claims, values, is_scored = np.zeros_like(states), np.zeros(len(rows)), np.zeros(len(rows), dtype=np.bool_)
        if scores is not None:
            number = scores.run
            claims = claim_signs(scores.scores[rows], self.proposed.thresholds)[np.arange(len(rows)), columns]
            values = scores.scores[rows, columns].astype(np.float64).round(4)
            is_scored = scores.is_scored[rows, columns]
        told = (part.tolist() for part in (rows, columns, states, claims, values, is_scored))
        return [
            Card(
                int(cell),
                table.image_ids[row],
                table.paths[row],
                table.class_names[column],
                state,
                claim,
                value if scored else None,
                number,
            )
            for cell, row, column, state, claim, value, scored in zip(cells, *told, strict=True)
        ]

    def piles(self, run: int | None = None, splits: Sequence[str] = ()) -> list[Pile]:
        """Return how many pseudo-labels wait for each class and sign, the largest pile first; none is empty.

        Only images of ``splits`` count; all but those of the test split where empty.
        """
        proposals = self.proposed.of(self.proposed.scores(run))
        if splits:
            proposals = proposals[np.isin(self._splits, splits)]
        found = [
            Pile(name, sign, int(count))
            for sign in (POSITIVE, NEGATIVE)
            for name, count in zip(self.dataset.class_names, np.count_nonzero(proposals == sign, axis=0), strict=True)
            if count
        ]
        return sorted(found, key=lambda pile: -pile.cells)

    def next_page(
        self,
        *,
        who: str,
        holder: str,
        class_name: str = "",
        sign: int = 0,
        run: int | None = None,
        split: str = "",
        want: int = 24,
        have: Sequence[Cell] = (),
    ) -> PilePage:
        """Lease a page of pseudo-labels of one class and sign, the surest first.

        Where no class or sign is named, or that pile has none left, it is one of the largest pile of that class, else
        of any, that has some.
        ``have`` are cells that were left undecided; see :meth:`next_batch`.
        """

        def take(name: str, side: int) -> PilePage:
            spec = QueueSpec.of(order="confident", scope="proposals", class_name=name, sign=side, run=run, split=split)
            return PilePage(name, side, self.next_batch(spec, who=who, holder=holder, want=want, have=have))

        asked = take(class_name, sign) if class_name and sign else None
        if asked is not None and asked.batch.cards:
            return asked
        piles = sorted(self.piles(run, (split,) if split else ()), key=lambda pile: pile.class_name != class_name)
        pages = (take(pile.class_name, pile.sign) for pile in piles)
        return next((page for page in pages if page.batch.cards), None) or asked or take(class_name, sign)

    def likeliest_page(
        self,
        *,
        who: str,
        holder: str,
        class_name: str = "",
        run: int | None = None,
        split: str = "",
        want: int = 24,
        have: Sequence[Cell] = (),
    ) -> PilePage:
        """Lease the page of unknown cells that promises most positives, whatever its class unless one is named.

        Its cells are the likeliest of the class: those that the model finds in the image rather than not, with
        POSITIVE taken for granted, else those below, with NEGATIVE. No page is worth opening that promises less than
        half a positive; see :meth:`ProposalSet.promises`. ``have`` are cells that were left undecided.
        """
        if want < 1:
            raise StudioError(f"{want} cells make no page", "ask for 1 or more")
        scores, name = self.proposed.scores(run), f"{who}/{holder}"
        column = self.dataset.column_of(class_name) if class_name else None
        lost = self.leases.renew(name, have, self.clock())
        if scores is None:
            empty = explain_unlikely(has_run=False, is_held=False)
            return PilePage(class_name, 0, Batch([], 0, None, lost, empty))
        others = self.leases.held_by_others(name, self.clock())
        closed = {*have, *self._skipped[who], *self.reserved, *others}
        promises = self.proposed.promises(scores, want, split=split, left_out=closed)
        columns = np.argsort(-promises, kind="stable").tolist() if column is None else [column]
        worth_it = [place for place in columns if promises[place] >= WORTH_A_PAGE]
        for place, (sign, order) in product(worth_it, LIKELIEST_FIRST):
            named = self.dataset.class_names[place]
            spec = QueueSpec.of(order=order, scope="open", class_name=named, sign=sign, run=run, split=split)
            batch = self.next_batch(spec, who=who, holder=holder, want=want, have=have)
            if batch.cards:
                chances = sum(card.score or 0.0 for card in batch.cards)
                correction = float(self.proposed.pages.correction(scores.run)[place])
                return PilePage(named, sign, batch, min(chances * correction, float(len(batch.cards))))
        is_held = bool(closed) and self.proposed.promises(scores, want, split=split)[columns].max() >= WORTH_A_PAGE
        empty = explain_unlikely(has_run=True, is_held=bool(is_held))
        return PilePage(class_name, 0, Batch([], 0, scores.run, lost, empty))

    def release(self, who: str, holder: str, cells: Sequence[Cell] | None = None) -> None:
        """Give leased cells back that a screen shows no more; all of them where None."""
        if cells is None:
            self.leases.renew(f"{who}/{holder}", (), self.clock())
        else:
            self.leases.release(cells, f"{who}/{holder}")

    def take_again(self, who: str) -> int:
        """Put the cells a person skipped back into the queues; return how many there were."""
        return len(self._skipped.pop(who, set()))

    # taking in ---------------------------------------------------------------

    def confirm(
        self,
        cells: Sequence[Cell],
        *,
        sign: int,
        wrong: Collection[Cell] = (),
        unsure: Collection[Cell] = (),
        who: str,
        action_id: str | None = None,
        run: int | None = None,
        ms: int | None = None,
    ) -> Receipt:
        """Accept ``sign`` of a page of cells but for its exceptions: one line, one undo; known cells are left alone.

        It is ``wrong`` in some of all ``cells`` that were seen, and ``unsure`` ones are left unknown. Where the run
        does not claim it, nothing is accepted or rejected: such a cell is set.
        """
        decisions = []
        for card in self.cards(cells, run):
            is_wrong = card.cell in wrong
            answer = ("reject" if is_wrong else "accept") if card.claim == sign else "set"
            answer, state = "unsure" if card.cell in unsure else answer, -sign if is_wrong else sign
            decisions.append(Decision(card.image_id, card.class_name, state, answer, card.score))
        number = self.proposed.choice()[0] if run is None else run
        extra = {"tiles": len(cells), "sign": sign, "ms": ms}
        return self.dataset.ledger.decide(
            decisions, who=who, origin="grid", action_id=action_id, run=number, keep_known=True, extra=extra
        )

    def undo(
        self, who: str, *, action_id: str | None = None, of: int | None = None, target: str | None = None
    ) -> Reversal:
        """Undo an action and return the cells that are open again; see :meth:`Ledger.undo`."""
        return self._reversal(self.dataset.ledger.undo(who, action_id=action_id, of=of, target=target))

    def redo(self, who: str, *, action_id: str | None = None, target: str | None = None) -> Reversal:
        """Bring an action back and return its cells; see :meth:`Ledger.redo`."""
        return self._reversal(self.dataset.ledger.redo(who, action_id=action_id, target=target))

    def dismiss(
        self, image_id: str, class_name: str, *, who: str, run: int | None = None, action_id: str | None = None
    ) -> Receipt:
        """Uphold what is known of a cell against a run: it is no conflict with it any more.

        Args:
            image_id: The image.
            class_name: The class.
            who: The person.
            run: The run that says the opposite; the current one unless given.
            action_id: The same id twice is one action.
        """
        row, column = self.dataset.ledger.position(image_id, class_name)
        scores, state = self.proposed.scores(run), int(self.dataset.ledger.states[row, column])
        if state == UNKNOWN or scores is None:
            raise StudioError("there is no conflict to dismiss", "only a known cell that a run scored has one")
        decision = Decision(image_id, class_name, state, "set", float(scores.scores[row, column]))
        return self.dataset.ledger.decide([decision], who=who, origin="conflicts", action_id=action_id, run=scores.run)

    # what was decided --------------------------------------------------------

    def provenance(self, image_id: str, class_name: str) -> Provenance:
        """Return who says what is known of a cell, and since when."""
        ledger = self.dataset.ledger
        source = Source(int(ledger.sources[ledger.position(image_id, class_name)]))
        for line in reversed(ledger.history(image_id, class_name)):
            for cell in line.cells:
                is_it = (cell.image_id, cell.class_name) == (image_id, class_name)
                if is_it and cell.before.state != cell.after.state:
                    return Provenance(source, line)
        return Provenance(source, None)

    def history(self, wanted: HistoryFilter | None = None, limit: int = 60) -> pd.DataFrame:
        """Return the newest lines of the journal that fit; see :func:`list_lines`."""
        return list_lines(self.dataset.ledger, wanted or HistoryFilter(), limit)

    def cells_of_line(self, number: int) -> pd.DataFrame:
        """Return the cells that a journal line changed; see :func:`cells_of_line`."""
        return cells_of_line(self.dataset.ledger, number)

    def labels_at(self, time: str) -> PastLabels:
        """Return what the labels were at a time; see :func:`labels_at`."""
        return labels_at(self.dataset.ledger, time)

    def _reversal(self, receipt: Receipt) -> Reversal:
        line, ledger = receipt.line, self.dataset.ledger
        of = None if line is None or line.of is None else ledger.target(line)
        if line is None or of is None:
            return Reversal(receipt, "", [])
        flat = [cell for cell in self._cells_of(of)[:SHOWN_AGAIN] if cell >= 0]
        run = line.run if line.run in self.proposed.runs() else None
        return Reversal(receipt, of.id, self.cards(flat, run))

    def _queue(self, spec: QueueSpec) -> tuple[tuple[Any, ...], Queue]:
        run = self.proposed.choice()[0] if spec.run is None else spec.run
        thresholds = repr(self.dataset.settings.get("thresholds", {}))
        key = (spec, run, self._epoch, self.proposed.version[0], thresholds)
        with self._building:
            found = self._queues.get(key)
            if found is None:
                needs_previous = spec.changes in ("new", "withdrawn", "flipped") or spec.order == "flipped"
                view = self.view(run=spec.run, with_previous=needs_previous)
                # A copy: a cell settled while the queue is sorted must not look open.
                with self.dataset.ledger.lock:
                    states = view.states.copy()
                found = Queue(replace(view, states=states), spec)
                self._queues[key] = found
                while len(self._queues) > MAX_QUEUES:
                    old, _ = self._queues.popitem(last=False)
                    self._counts.pop(old, None)
                    self._fronts.pop(old, None)
            self._queues.move_to_end(key)
            return key, found

    def _front(self, key: tuple[Any, ...], queue: Queue, view: CellView) -> int:
        """Return the position of the first cell of a queue that still waits, leased or not."""
        seq = self._reopened
        known = self._fronts.get(key, (seq, 0))
        found, position = queue.next_cells(known[1] if known[0] == seq else 0, 1, view)
        front = position - 1 if len(found) else position
        self._fronts[key] = (seq, front)
        return front

    def _count(self, key: tuple[Any, ...], queue: Queue, view: CellView) -> int:
        """Return how many cells wait: exactly for queues of usual size, else as of the time it was built."""
        if len(queue) > COUNT_EXACTLY:
            return len(queue) - self._fronts.get(key, (0, 0))[1]
        seq = self.dataset.ledger.seq
        known = self._counts.get(key)
        if known is None or known[0] != seq:
            known = self._counts[key] = (seq, int(queue.waiting(queue.cells, view).sum()))
        return known[1]

    def _on_line(self, line: Line) -> None:
        cells = self._show(line)
        self.leases.release(cells)
        if len(cells) > BIG_BULK:
            self._epoch += 1
        if line.kind == "undo":
            self._reopened = line.seq
            for skipped in self._skipped.values():
                skipped.difference_update(cells)
        elif line.kind in ("decide", "redo"):
            asked = self.dataset.ledger.target(line) or line
            pairs = zip(self._cells_of(asked), asked.cells, strict=True)
            self._skipped[line.who].update(cell for cell, change in pairs if change.answer == "skip")

    def _cells_of(self, line: Line) -> list[Cell]:
        """Return the flat indices of a line's cells, -1 for those that are no longer there."""
        return [flat_index(self.dataset.ledger, one.image_id, one.class_name) for one in line.cells]

    def _show(self, line: Line) -> list[Cell]:
        """Take note that somebody saw a line's cells; return them."""
        cells = self._cells_of(line)
        self.shown.ravel()[[cell for cell in cells if cell >= 0]] = True
        return cells
