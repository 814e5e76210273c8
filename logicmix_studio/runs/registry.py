"""Which runs have finished, whose scores make the pseudo-labels, and what each left behind.

Scores and states are brought into line with the images and classes of today. N images, C classes.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json
from logicmix_studio.labels import LabelTable
from logicmix_studio.review.calibration import apply_calibration, read_calibration
from logicmix_studio.review.proposal_set import UNSCORED, RunScores
from logicmix_studio.runs.info import RunInfo
from logicmix_studio.runs.jobs import Jobs
from logicmix_studio.store import Dataset, Settings, align_cells
from logicmix_studio.training.outcome import standing_run
from logicmix_studio.training.run_folder import ARRAY_ERRORS, RunFolder, Snapshot, Status

RECENT_RUNS = 8
"""Runs whose scores are kept in memory for comparison."""
CHOSEN_RUN = "chosen_run"
"""The setting that holds a person's choice."""
load_snapshot = lru_cache(maxsize=4)(Snapshot.load)
"""Read ``snapshot.npz``, which never changes; the latest few stay in memory."""


class RunRegistry:
    """Looks at the run folders now and then, and answers from memory in between."""

    def __init__(
        self, jobs: Jobs, settings: Settings, table: LabelTable, renamed: Mapping[str, str] | None = None
    ) -> None:
        self._jobs, self._settings, self._renamed = jobs, settings, renamed or {}
        self._guard = threading.RLock()
        self._load = lru_cache(RECENT_RUNS)(lambda run: load_run_scores(jobs.folder(run), run, table, self._renamed))
        self._seen: dict[int, tuple[Status, str]] = {}
        self.finished: tuple[RunInfo, ...] = ()
        """The runs that left scores, oldest first, as they were at the last look."""
        self.version = 0
        """Rises whenever a run's state or the choice changes."""
        self.refresh()

    def numbers(self) -> list[int]:
        """Return the runs that left scores, oldest first."""
        return [info.run for info in self.finished]

    def facts(self) -> dict[int, dict[str, Any]]:
        """Return how each run that left scores was made and what came of it, in values that JSON knows; {} of a broken one."""
        told: dict[int, dict[str, Any]] = {run: {} for run, (status, _) in self._seen.items() if status == "broken"}
        for info in self.finished:
            config = {} if info.is_imported else read_json(info.folder / "config.json") or {}
            figure, scores = info.figure, info.result.get("ap") or {}
            told[info.run] = {
                "recipe": info.recipe_title,
                "seed": config.get("seed"),
                "settings": config.get("settings", {}),
                "seconds": info.result.get("seconds"),
                "map": info.map,
                "map_place": figure.place if figure else None,
                "average_precision": [[self._renamed.get(name, name), value] for name, value in scores.items()],
                "created": info.created,
            }
        return told

    def refresh(self) -> bool:
        """Look at the run folders; return whether anything changed."""
        with self._guard:
            infos = self._jobs.list()
            seen = {info.run: (info.status, info.message) for info in infos}
            if seen == self._seen:
                return False
            self._seen = seen
            self.finished = tuple(info for info in infos if info.status == "finished")
            self.version += 1
            return True

    def choice(self, without: int | None = None) -> tuple[int | None, str]:
        """Return the run whose scores make the pseudo-labels, or would ``without`` a run, and why it is that one.

        A run whose scores can't be read is passed over, for the next best one.
        """
        while True:
            run, why = self._choose(without)
            try:
                if run is not None:
                    self.scores(run)
            except StudioError:  # the run is known to be broken by now
                continue
            return run, why

    def _choose(self, without: int | None) -> tuple[int | None, str]:
        finished = [info for info in self.finished if info.run != without]
        if not finished:
            return None, "no run has finished yet"
        chosen = self._settings.get(CHOSEN_RUN)
        if chosen in {info.run for info in finished}:
            return chosen, f"run {chosen} was chosen by a person"
        if all(info.is_imported for info in finished):
            last = finished[-1].run
            return last, f"run {last} is what machines said in label files, and there is no trained run"
        finished = [info for info in finished if not info.is_imported]
        numbers = {info.run for info in finished}
        latest, better = finished[-1], standing_run({info.run: info.result for info in finished})
        comparison = latest.result.get("comparison") or {}
        if "verdict" in comparison:
            return better, comparison["why"] if comparison["best_run"] in numbers else f"run {better} is the latest"
        name = f"run {better} is the latest" if better == latest.run else f"run {better} is better than the latest"
        return better, f"{name}: {comparison['why']}" if comparison.get("why") else name

    def choose(self, run: int | None) -> None:
        """Make a run's scores the pseudo-labels; None goes back to the one that the comparisons of runs tell.

        Raises:
            StudioError: If the run has not finished.
        """
        self.refresh()  # it may have finished a moment ago
        if run is not None and run not in {info.run for info in self.finished}:
            raise StudioError(f"run {run} has left no scores", "choose a finished run")
        self._settings.update({CHOSEN_RUN: run})
        self.version += 1

    def scores(self, run: int) -> RunScores:
        """Return the scores of a finished run.

        Raises:
            StudioError: If it left none.
        """
        with self._guard:
            try:
                return self._load(run)
            except StudioError as error:
                if run in self.numbers():
                    self._jobs.mark_broken(run, error.what)
                    self.refresh()
                raise


def load_run_scores(folder: Path, run: int, table: LabelTable, renamed: Mapping[str, str] | None = None) -> RunScores:
    """Load the scores of a run for the rows and columns of ``table``.

    Raises:
        StudioError: If the run left no scores, or files that do not fit each other.
    """
    now = renamed or {}
    try:
        raw = RunFolder(folder).logits()
        heldout = np.load(folder / "heldout.npy", mmap_mode="r", allow_pickle=False)
        with (folder / "snapshot.npz").open("rb") as file, np.load(file, allow_pickle=False) as snapshot:
            if broken := snapshot.zip.testzip():
                raise ValueError(f"{broken} in snapshot.npz is broken")
            image_ids = snapshot["image_ids"].tolist()
            class_names = [now.get(name, name) for name in snapshot["class_names"].tolist()]
            known, num_splits = snapshot["states"].shape, len(snapshot["splits"])
    except (StudioError, *ARRAY_ERRORS) as error:
        why = error.what if isinstance(error, StudioError) else error
        raise StudioError(f"run {run} left no usable scores: {why}", "start the run again") from error
    shape = (len(image_ids), len(class_names))
    if not raw.shape == heldout.shape == known == shape == (num_splits, len(class_names)):
        raise StudioError(
            f"the scores in {folder} have the shape {raw.shape}, its snapshot {shape}, its held-out cells {heldout.shape}",
            "start the run again",
        )
    calibration = read_json(folder / "calibration.json") or {}
    calibrated = apply_calibration(raw, read_calibration(calibration))
    result = read_json(folder / "result.json") or {}
    if "ap" in result:
        result["ap"] = {now.get(name, name): value for name, value in result["ap"].items()}
    return RunScores(
        run=run,
        scores=align_cells(calibrated, image_ids, class_names, table, fill=UNSCORED),
        is_scored=align_cells(~np.isnan(raw), image_ids, class_names, table, fill=False),
        heldout=align_cells(np.asarray(heldout), image_ids, class_names, table, fill=False),
        calibration=calibration,
        result=result,
    )


def snapshot_states(folder: Path, dataset: Dataset) -> npt.NDArray[np.int8]:
    """Return the (N, C) states that a run was given, for today's images and classes; 0 where it knew neither.

    Raises:
        StudioError: If the run's snapshot is missing or broken.
    """
    snapshot = load_snapshot(folder / "snapshot.npz")
    class_names = [dataset.renamed.get(name, name) for name in snapshot.class_names.tolist()]
    return align_cells(snapshot.states, snapshot.image_ids.tolist(), class_names, dataset.table, fill=0)
