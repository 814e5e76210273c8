"""Which runs have finished, and whose scores make the pseudo-labels."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.review.proposal_set import RunScores
from logicmix_studio.runs.info import RunInfo
from logicmix_studio.runs.jobs import Jobs
from logicmix_studio.runs.scores import load_run_scores
from logicmix_studio.store import Settings
from logicmix_studio.training.run_folder import Status

RECENT_RUNS = 8
"""Runs whose scores are kept in memory for comparison."""
CHOSEN_RUN = "chosen_run"
"""The setting that holds a person's choice."""


class RunRegistry:
    """Looks at the run folders now and then, and answers from memory in between."""

    def __init__(
        self, jobs: Jobs, settings: Settings, table: LabelTable, renamed: Mapping[str, str] | None = None
    ) -> None:
        """Look at the run folders for the first time."""
        self._jobs = jobs
        self._settings = settings
        self._table = table
        self._renamed = renamed
        self._guard = threading.RLock()
        self._load = lru_cache(maxsize=RECENT_RUNS)(self._load_scores)
        self._seen: dict[int, tuple[Status, str]] = {}
        self._finished: tuple[RunInfo, ...] = ()
        self._version = 0
        self.refresh()

    @property
    def version(self) -> int:
        """Rises whenever a run's state or the choice changes."""
        return self._version

    def numbers(self) -> list[int]:
        """Return the runs that left scores, oldest first."""
        return [info.run for info in self._finished]

    @property
    def finished(self) -> tuple[RunInfo, ...]:
        """The runs that left scores, oldest first, as they were at the last look."""
        return self._finished

    def refresh(self) -> bool:
        """Look at the run folders; return whether anything changed."""
        with self._guard:
            infos = self._jobs.list()
            seen = {info.run: (info.status, info.message) for info in infos}
            if seen == self._seen:
                return False
            self._seen = seen
            self._finished = tuple(info for info in infos if info.status == "finished")
            self._version += 1
            return True

    def choice(self) -> tuple[int | None, str]:
        """Return the run whose scores make the pseudo-labels, and why it is that one, in words."""
        finished = self._finished
        if not finished:
            return None, "no run has finished yet"
        numbers = {info.run for info in finished}
        chosen = self._settings.get(CHOSEN_RUN)
        if chosen in numbers:
            return chosen, f"run {chosen} was chosen by a person"
        latest = finished[-1]
        comparison = latest.result.get("comparison") or {}
        better = comparison.get("better", latest.run)
        if better not in numbers:
            better = latest.run
        name = f"run {better} is the latest" if better == latest.run else f"run {better} is better than the latest"
        return better, f"{name}: {comparison['why']}" if comparison.get("why") else name

    def choose(self, run: int | None) -> None:
        """Make a run's scores the pseudo-labels; None goes back to the better one.

        Raises:
            StudioError: If the run has not finished.
        """
        self.refresh()  # it may have finished a moment ago
        if run is not None and run not in {info.run for info in self._finished}:
            raise StudioError(f"run {run} has left no scores", "choose a finished run")
        self._settings.update({CHOSEN_RUN: run})
        self._version += 1

    def scores(self, run: int) -> RunScores:
        """Return the scores of a finished run.

        Raises:
            StudioError: If it left none.
        """
        with self._guard:
            return self._load(run)

    def _load_scores(self, run: int) -> RunScores:
        return load_run_scores(self._jobs.folder(run), run, self._table, self._renamed)
