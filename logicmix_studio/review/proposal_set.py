"""What the finished runs claim of a data set: scores of every cell, pseudo-labels, conflicts and dismissed ones.

Pseudo-labels are derived from scores, states and thresholds whenever one of them changes. N images, C classes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE, UNKNOWN
from logicmix_studio.review.cells import flat_index
from logicmix_studio.review.likeliest import PageYield, likeliest_sums
from logicmix_studio.review.proposals import Thresholds, conflict_mask, propose
from logicmix_studio.store import Dataset, Ledger, Line

REMEMBERED_RUNS = 3
"""Runs whose dismissed conflicts are remembered."""
UNSCORED = 0.5
"""The score of a cell of which a run says nothing: it claims nothing."""


@dataclass(frozen=True)
class RunScores:
    """What a finished run says of every cell."""

    run: int
    scores: npt.NDArray[np.float16]
    """(N, C) calibrated probabilities in [0, 1]; 0.5 for cells of which the run says nothing."""
    is_scored: npt.NDArray[np.bool_]
    """(N, C), False for cells of which it says nothing: of images and classes that it did not know, or could not read."""
    heldout: npt.NDArray[np.bool_]
    """(N, C), True for known cells that were held out of training."""
    calibration: Mapping[str, Any]
    """The file ``calibration.json``; empty where scores are raw."""
    result: Mapping[str, Any]
    """The file ``result.json``."""


class ScoredRuns(Protocol):
    """The finished runs, as far as reviewing needs to know them."""

    @property
    def version(self) -> int:
        """Rises whenever a run's state or the choice of scores changes."""

    def numbers(self) -> list[int]:
        """Return the runs that left scores, oldest first."""

    def choice(self) -> tuple[int | None, str]:
        """Return the run whose scores make the pseudo-labels, and why it is that one, in words."""

    def scores(self, run: int) -> RunScores:
        """Return the scores of a finished run."""

    def facts(self) -> dict[int, dict[str, Any]]:
        """Return settings and figures of the finished runs, in values that JSON knows; {} of a broken one."""


@dataclass(frozen=True)
class Proposal:
    """A model's claim on an unknown cell."""

    image_id: str
    path: str
    class_name: str
    value: int
    """+1 or -1."""
    score: float
    """The calibrated probability that the class is present, in [0, 1]."""
    confidence: float
    """How sure the model is of ``value``, in [0, 1]."""
    run: int


class ProposalSet:
    """What the finished runs claim of the cells of a data set. May be called from any thread."""

    def __init__(self, dataset: Dataset, runs: ScoredRuns) -> None:
        self._dataset = dataset
        self._runs = runs
        self.dismissed = Dismissed(dataset.ledger)
        self.pages = PageYield(dataset.ledger)
        self._guard = threading.RLock()
        self._array: tuple[tuple[int, int, int], npt.NDArray[np.int8]] | None = None

    @property
    def version(self) -> tuple[int, int, int]:
        """Changes with every decision, run and threshold: what is derived from pseudo-labels is stale then."""
        return self._runs.version, self._dataset.ledger.seq, self._dataset.settings.version

    @property
    def thresholds(self) -> Thresholds:
        """From which confidence on a score is a pseudo-label, per class and sign."""
        return Thresholds.from_json(self._dataset.class_names, self._dataset.settings.get("thresholds", {}))

    # runs --------------------------------------------------------------------

    def runs(self) -> list[int]:
        """Return the runs that left scores, oldest first."""
        return self._runs.numbers()

    def facts(self) -> dict[int, dict[str, Any]]:
        """Return settings and figures of the runs that left scores, in values that JSON knows; {} of a broken one."""
        return self._runs.facts()

    def choice(self) -> tuple[int | None, str]:
        """Return the run whose scores make the pseudo-labels, and why it is that one, in words."""
        return self._runs.choice()

    def scores(self, run: int | None = None) -> RunScores | None:
        """Return the scores of a run, or of the current one where None; None before the first run.

        Raises:
            StudioError: If the run left none.
        """
        number = self.choice()[0] if run is None else run
        return None if number is None else self.scores_of(number)

    def scores_of(self, run: int) -> RunScores:
        """Return the scores of a run; see `scores`."""
        return self._runs.scores(run)

    @property
    def current(self) -> RunScores | None:
        """The scores that make the pseudo-labels, or None before the first run."""
        return self.scores()

    def before(self, run: int | None) -> RunScores | None:
        """Return the scores of the finished run before one; None where there is none. A broken one is passed over."""
        for number in reversed([number for number in self.runs() if run is not None and number < run]):
            with suppress(StudioError):  # its runs say so themselves
                return self._runs.scores(number)
        return None

    @property
    def previous(self) -> RunScores | None:
        """The scores of the finished run before the current one, for what is new, withdrawn and flipped."""
        return self.before(self.choice()[0])

    def score_of(self, image_id: str, class_name: str) -> float | None:
        """Return the calibrated score of a cell, or None where the current run has not scored it."""
        row, column = self._dataset.ledger.position(image_id, class_name)
        current = self.current
        if current is None or not current.is_scored[row, column]:
            return None
        return round(float(current.scores[row, column]), 4)

    # pseudo-labels -----------------------------------------------------------

    def array(self) -> npt.NDArray[np.int8]:
        """Return the pseudo-labels as (N, C) int8: +1, -1, or 0 where there is none. Read it; never write to it."""
        current = self.current
        if current is None:
            return np.zeros(self._dataset.ledger.states.shape, dtype=np.int8)
        with self._guard:
            key = (current.run, self._dataset.ledger.seq, self._dataset.settings.version)
            if self._array is None or self._array[0] != key:
                self._array = (key, self.propose(current))
            return self._array[1]

    def of(self, scores: RunScores | None) -> npt.NDArray[np.int8]:
        """Return the (N, C) int8 pseudo-labels that some run's scores give at today's states and thresholds."""
        return self.array() if scores is None or scores.run == self.choice()[0] else self.propose(scores)

    def conflicts(self, scores: RunScores) -> npt.NDArray[np.int8]:
        """Return where a run's scores confidently contradict a known cell, and nobody has dismissed that.

        (N, C) int8: the state that the model claims, 0 where it does not contradict, or somebody was unsure.
        """
        states = self._dataset.ledger.states
        closed = self.dismissed.mask(scores.run) | (self._dataset.ledger.unsure_run == scores.run)
        mask = conflict_mask(states, scores.scores, self._dataset.table.is_test, closed)
        return np.where(mask, -states, 0).astype(np.int8)

    def open_cells(self, scores: RunScores) -> npt.NDArray[np.bool_]:
        """Return (N, C) True for cells that a person may be asked about with some run's scores.

        They are unknown, scored, outside split test, and nobody left them unsure in that run.
        """
        ledger, rows = self._dataset.ledger, ~self._dataset.table.is_test[:, np.newaxis]
        is_open: npt.NDArray[np.bool_] = (ledger.states == UNKNOWN) & (ledger.unsure_run != scores.run)
        return is_open & scores.is_scored & rows

    def promises(
        self, scores: RunScores, size: int = 24, *, split: str = "", left_out: Collection[int] = ()
    ) -> npt.NDArray[np.float64]:
        """Return (C,) how many positives a page of each class's likeliest open cells promises.

        That is what their scores come to, corrected by what the run's pages of the class brought so far.

        Args:
            scores: What the run says.
            size: Cells of a page, 1 or more.
            split: Only images of this split; all but those of the test split where empty.
            left_out: Flat indices of cells that are not open, for reasons of their own.
        """
        is_open = self.open_cells(scores)
        if split:
            is_open &= (np.array(self._dataset.table.splits) == split)[:, np.newaxis]
        is_open.ravel()[list(left_out)] = False
        return likeliest_sums(scores.scores, is_open, size) * self.pages.correction(scores.run)

    def find(
        self,
        class_name: str | None = None,
        value: int | None = None,
        min_confidence: float = 0.0,
        limit: int | None = None,
    ) -> list[Proposal]:
        """Return pseudo-labels, surest first; only of a class, a value (+1 or -1) or from a confidence on where given.

        Raises:
            StudioError: If there is no such class.
        """
        current, array, dataset = self.current, self.array(), self._dataset
        if current is None:
            return []
        wanted = array != 0 if value is None else array == value
        if class_name is not None:
            wanted = wanted & (np.arange(array.shape[1]) == dataset.column_of(class_name))
        cells = np.flatnonzero(wanted)
        signs, scores = array.ravel()[cells], current.scores.ravel()[cells].astype(np.float64)
        confidence = np.where(signs == POSITIVE, scores, 1 - scores)
        order = np.argsort(-confidence, kind="stable")
        order = order[confidence[order] >= min_confidence][:limit]
        told = zip(self.named(cells[order]), signs[order].tolist(), confidence[order].tolist(), strict=True)
        return [
            Proposal(image_id, dataset.table.paths[dataset.row_of(image_id)], name, sign, score, sure, current.run)
            for (image_id, name, score), sign, sure in told
        ]

    def named(self, cells: npt.NDArray[np.int64]) -> Iterator[tuple[str, str, float]]:
        """Yield image id, class name and current score of cells, flat indices; only where there is a run."""
        current, table = self.current, self._dataset.table
        if current is not None:
            rows, columns = np.divmod(cells, table.num_classes)
            scores = current.scores[rows, columns].astype(np.float64)
            for row, column, score in zip(rows.tolist(), columns.tolist(), scores.tolist(), strict=True):
                yield table.image_ids[row], table.class_names[column], score

    def propose(
        self, scores: RunScores, thresholds: Thresholds | None = None, ledger: Ledger | None = None
    ) -> npt.NDArray[np.int8]:
        """Work out the (N, C) int8 pseudo-labels of a run; with today's thresholds and ledger unless given."""
        ledger, is_test = ledger or self._dataset.ledger, self._dataset.table.is_test
        cuts = thresholds or self.thresholds
        return propose(scores.scores, ledger.states, cuts, is_test, ledger.unsure_run, scores.run)


class Dismissed:
    """Which known states people upheld against a run's scores, run by run: such a cell is no conflict with it."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._masks: OrderedDict[int, npt.NDArray[np.bool_]] = OrderedDict()
        ledger.listen(self._see)

    def mask(self, run: int) -> npt.NDArray[np.bool_]:
        """Return (N, C) True where a person upheld a known state against a run's scores."""
        with self._ledger.lock:
            if run not in self._masks:
                self._masks[run] = np.zeros(self._ledger.states.shape, dtype=np.bool_)
                for line in self._ledger.lines:
                    self._mark(line, run)
                if len(self._masks) > REMEMBERED_RUNS:
                    self._masks.popitem(last=False)
            self._masks.move_to_end(run)
            return self._masks[run]

    def _see(self, line: Line) -> None:
        for run in self._masks:
            self._mark(line, run)

    def _mark(self, line: Line, run: int) -> None:
        if line.run != run:
            return
        for one in line.cells:
            cell = flat_index(self._ledger, one.image_id, one.class_name)
            if cell >= 0:
                is_same = one.before._replace(source=0) == one.after._replace(source=0) and one.after.state != UNKNOWN
                self._masks[run].ravel()[cell] = is_same and one.answer in ("set", "redo")
