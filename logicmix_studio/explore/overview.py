"""What the data set lacks, what it gained over time, and the next best step.

All counts are of all images, those of split test included; pseudo-labels and conflicts leave them out.
N images, C classes.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.next_step import ANSWERS, Step, next_steps
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.cells import flat_index
from logicmix_studio.review.progress import Counts, Speed, count_cells, speed_to
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.runs import Jobs, RunInfo
from logicmix_studio.store import Dataset

MAX_POINTS = 240
"""Points of the curve of known cells."""
PACE_LINES = 1000
"""The last journal lines, which say how fast people are."""
MAX_TOGETHER = 60
"""Classes of one table of classes together."""
DEFAULT_GOAL = 0.5
"""Share of known cells that people aim at until they say otherwise."""
SIGNS = {"positive": POSITIVE, "negative": NEGATIVE}
PUT_OFF = "steps_put_off"
"""The setting that holds the steps which nobody wants now."""

Cells = npt.NDArray[np.int8]
Found = TypeVar("Found")


class Rate(NamedTuple):
    """How many of some cells are wrong."""

    wrong: int
    total: int


def _kept(make: Callable[[OverviewService], Found]) -> Callable[[OverviewService], Found]:
    """Keep what a method returns until a label, a run or a setting changes."""

    @wraps(make)
    def look(self: OverviewService) -> Found:
        version = self.version
        with self._guard:
            if self._found.get(make, (None,))[0] != version:
                self._found[make] = (version, make(self))
            found: Found = self._found[make][1]
            return found

    return look


class OverviewService:
    """Answers Overview."""

    def __init__(self, dataset: Dataset, proposed: ProposalSet, jobs: Jobs) -> None:
        self._dataset, self._proposed, self._jobs = dataset, proposed, jobs
        self._guard = threading.RLock()
        self._found: dict[Callable[..., Any], tuple[Any, ...]] = {}
        self._read = 0
        self._points = [(_seconds(str(dataset.info["created"])), int(np.count_nonzero(dataset.table.states)))]

    @property
    def version(self) -> tuple[int, int, int]:
        """Changes whenever anything here may be another."""
        return self._proposed.version

    @_kept
    def counts(self) -> Counts:
        """Return the cells of every class by state."""
        return count_cells(self._dataset.states, self._proposed.array())

    def classes(self) -> pd.DataFrame:
        """Return one row a class: ``class_name``, cells by state, and the share that is ``known``, in [0, 1]."""
        counts, num_images = self.counts(), max(1, self._dataset.table.num_images)
        frame = pd.DataFrame({"class_name": self._dataset.class_names, **vars(counts)})
        return frame.assign(known=(counts.positive + counts.negative) / num_images)

    @_kept
    def expected_positives(self) -> int | None:
        """Return how many positives the current run expects among unknown cells; None before the first run."""
        current = self._proposed.current
        if current is None:
            return None
        is_open = (self._dataset.states == UNKNOWN) & current.is_scored
        return round(float(current.scores.sum(where=is_open, dtype=np.float64)))

    @_kept
    def errors(self) -> tuple[str, dict[str, Rate]]:
        """Return how it is known what is wrong (truth, audits, or empty), and how many cells are.

        Rates are of ``pseudo_positive`` and ``pseudo_negative``; by the truth also of ``known_positive`` and
        ``known_negative``.
        """
        truth, proposals = self._dataset.complete, self._proposed.array()
        if truth is not None:
            parts = {"pseudo": proposals, "known": self._dataset.states}
            return "truth", {
                f"{part}_{word}": wrong_cells(cells, truth, sign)
                for part, cells in parts.items()
                for word, sign in SIGNS.items()
            }
        claims, answers = self._audited()
        rates = {f"pseudo_{word}": wrong_cells(claims, answers, sign) for word, sign in SIGNS.items()}
        return ("audits", rates) if len(claims) else ("", {})

    def speed(self) -> Speed:
        """Return how fast people decide and how long they need to the goal."""
        counts, ledger = self.counts(), self._dataset.ledger
        goal = float(self._dataset.settings.get("goal", DEFAULT_GOAL))
        return speed_to(goal, counts, [line for line in ledger.lines[-PACE_LINES:] if line.kind == "decide"])

    def set_goal(self, goal: float) -> None:
        """Set the share of known cells that people aim at.

        Raises:
            StudioError: If it lies outside (0, 1].
        """
        if not 0 < goal <= 1:
            raise StudioError(f"{goal:g} is no goal", "give a share of the cells, from 0.01 to 1")
        self._dataset.settings.update({"goal": goal})

    # over time ---------------------------------------------------------------

    def curve(self) -> pd.DataFrame:
        """Return at most 240 points: ``time`` (UTC) and ``known``, the share of cells; the first is the import."""
        with self._guard:
            lines = self._dataset.ledger.lines
            for line in lines[self._read :]:
                change = sum((cell.after.state != 0) - (cell.before.state != 0) for cell in line.cells)
                if change:
                    self._points.append((_seconds(line.time), self._points[-1][1] + change))
            self._read = len(lines)
            kept = np.unique(np.linspace(0, len(self._points) - 1, MAX_POINTS).round().astype(int))
            times, known = zip(*(self._points[i] for i in kept), strict=True)
        share = np.array(known) / max(1, self._dataset.states.size)
        return pd.DataFrame({"time": pd.to_datetime(times, unit="s", utc=True), "known": share})

    @_kept
    def rounds(self) -> pd.DataFrame:
        """Return one row a run, oldest first.

        ``map`` is of the cells of ``map_place``, test or held-out; ``measured`` tells their number and the interval, or what
        is missing. ``known`` is
        the share of known cells when it began, ``answers`` the cells that people settled from then to the
        next run, ``accepted`` and ``rejected`` its pseudo-labels that people looked at (not drawn at random, so no
        estimate of precision), ``positives_right`` and ``negatives_right`` the true precision of what it claims of
        cells that are unknown today; nan where nobody knows.
        """
        infos, current = self._jobs.list(), self._proposed.choice()[0]
        self.curve()  # reads the journal to its end
        starts, num_cells = [info.created for info in infos], max(1, self._dataset.states.size)
        began = np.searchsorted([time for time, _ in self._points], starts, "right")
        decided = [line for line in self._dataset.ledger.lines if line.kind == "decide"]
        answered = Counter((line.run, cell.answer) for line in decided for cell in line.cells)
        settled = np.zeros(len(starts) + 1, dtype=np.int64)
        places = np.searchsorted(starts, [_seconds(line.time) for line in decided], "right")
        for line, place in zip(decided, places, strict=True):
            settled[place] += sum(cell.answer in ANSWERS for cell in line.cells)
        return pd.DataFrame(
            {
                "run": info.run,
                "name": info.title,
                "status": info.status,
                "is_current": info.run == current,
                "time": datetime.fromtimestamp(info.created, UTC),
                "known": self._points[max(0, at - 1)][1] / num_cells,
                "map": np.nan if info.map is None else info.map,
                "map_place": info.figure.place if info.figure else "",
                "measured": info.figure.short if info.figure else "",
                "answers": count,
                "accepted": answered[info.run, "accept"],
                "rejected": answered[info.run, "reject"],
                **self._true_precision(info),
            }
            for info, at, count in zip(infos, began, settled[1:].tolist(), strict=True)
        )

    def together(self, top: int = 20, class_names: Sequence[str] = ()) -> pd.DataFrame:
        """Return how often the class of a column is present where that of a row is, in [0, 1].

        Only images count in which the column's class is known; nan where there is none, and on the diagonal. The
        classes are those that are named, else the ``top`` ones with most known positives, at most 60.

        Raises:
            StudioError: If there is no such class.
        """
        columns = sorted(np.argsort(-self.counts().positive, kind="stable")[: min(top, MAX_TOGETHER)].tolist())
        if class_names:
            columns = [self._dataset.column_of(name) for name in class_names][:MAX_TOGETHER]
        chosen = self._dataset.states[:, columns]
        positive = (chosen == POSITIVE).astype(np.float32)
        both, judged = positive.T @ positive, positive.T @ (chosen != UNKNOWN).astype(np.float32)
        share = np.divide(both, judged, out=np.full_like(both, np.nan), where=judged > 0)
        np.fill_diagonal(share, np.nan)
        names = [self._dataset.class_names[column] for column in columns]
        return pd.DataFrame(share, index=names, columns=names)

    # what to do --------------------------------------------------------------

    @_kept
    def next_steps(self) -> list[Step]:
        """Return what would help most now, with the reason, the most useful first, without what was put off."""
        return next_steps(self._dataset, self._proposed, self._jobs.list(), self.counts(), self.put_off())

    def put_off(self) -> list[str]:
        """Return the keys of the steps that nobody wants now."""
        return list(self._dataset.settings.get(PUT_OFF, []))

    def put_off_step(self, key: str) -> None:
        """Leave a step out until things have changed; an empty key brings all of them back."""
        kept = [*(other for other in self.put_off() if other != key), key] if key else None
        self._dataset.settings.update({PUT_OFF: kept})

    def _audited(self) -> tuple[Cells, Cells]:
        """Return what the current run claims of the cells that were audited, and what people answered; 0 for unsure."""
        current, ledger = self._proposed.current, self._dataset.ledger
        answers: dict[int, int] = {}
        for line in ledger.lines:
            is_audit = current is not None and line.origin == "audit" and line.run == current.run
            if is_audit and line.kind == "decide" and not ledger.is_undone(line.seq):
                answers |= {flat_index(ledger, one.image_id, one.class_name): one.after.state for one in line.cells}
        answers.pop(-1, None)
        if current is None:
            return np.zeros(0, np.int8), np.zeros(0, np.int8)
        claims = np.where(current.scores.ravel()[list(answers)] >= 0.5, POSITIVE, NEGATIVE)
        return claims.astype(np.int8), np.array(list(answers.values()), dtype=np.int8)

    def _true_precision(self, info: RunInfo) -> dict[str, float]:
        truth, rates = self._dataset.complete, {word: Rate(0, 0) for word in SIGNS}
        if truth is not None and info.run in self._proposed.runs():
            with suppress(StudioError):  # a run whose scores are gone still is a round
                claims = self._proposed.of(self._proposed.scores_of(info.run))
                rates = {word: wrong_cells(claims, truth, sign) for word, sign in SIGNS.items()}
        return {f"{word}s_right": 1 - bad / total if total else np.nan for word, (bad, total) in rates.items()}


def wrong_cells(cells: Cells, truth: Cells, sign: int) -> Rate:
    """Return how many of the cells with a sign are wrong; where even the truth is unknown they count for nothing."""
    judged = (cells == sign) & (truth != UNKNOWN)
    total = int(np.count_nonzero(judged))
    return Rate(total - int(np.count_nonzero(judged & (truth == sign))), total)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
