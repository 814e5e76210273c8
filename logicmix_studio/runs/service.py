"""Recipes, their expected time, the runs and their comparison. Everything is read from the run folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.files import is_number
from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.runs.benchmark import Benchmark, read_benchmark
from logicmix_studio.runs.compare import Comparison, RunChange, RunComparison
from logicmix_studio.runs.curves import CHARTS, CurveReader, Points, RunCurves
from logicmix_studio.runs.estimate import Forecast, PastRun, SpeedTrial, estimate, num_epochs
from logicmix_studio.runs.info import STATUS_WORDS, Deletion, RunInfo, number_of, run_number
from logicmix_studio.runs.jobs import Jobs, end_of
from logicmix_studio.runs.registry import RECENT_RUNS, RunRegistry
from logicmix_studio.runs.training_preview import Readiness, TrainingPreview, preview, readiness
from logicmix_studio.store import Dataset
from logicmix_studio.training.config import DEFAULT_SEED, RECIPES, FullSettings, RunConfig, describe
from logicmix_studio.training.feature_cache import count_cached, feature_folders
from logicmix_studio.training.fields import value_words
from logicmix_studio.training.figures import figures_of
from logicmix_studio.training.run_folder import RunFolder, parse_event
from logicmix_studio.training.settings import setting_words
from logicmix_studio.words import counted, duration, size

LOG_BYTES: Final = 64_000
"""How much of the end of a log is read for its tail."""

MOST_START_S: Final = 300.0
"""A run's process has started by then; a longer wait is a folder that came from elsewhere."""


@dataclass(frozen=True)
class RunReport:
    """All there is to know of one run; see the methods of `RunService` of the same names."""

    info: RunInfo
    is_current: bool
    """Whether its scores make the pseudo-labels."""
    changed: str
    """What it changed, in one line of words; empty for an unfinished one."""
    curves: dict[str, dict[str, Points]]
    """Title of a chart → name of a line → its points."""
    settings: pd.DataFrame
    precision: pd.DataFrame
    log: str
    """The end of what its process printed."""


class RunService:
    """What there is to know and to do about runs. May be called from any thread.

    What is asked of a run that does not exist, or whose files are broken, is refused with a `StudioError`.
    """

    def __init__(
        self,
        dataset: Dataset,
        proposed: ProposalSet,
        jobs: Jobs,
        registry: RunRegistry,
        trial: SpeedTrial | None = None,
    ) -> None:
        self._dataset, self._proposed, self._jobs, self._registry = dataset, proposed, jobs, registry
        self._trial = trial or SpeedTrial(dataset.workspace.cache / "speed.json")
        self._comparison = RunComparison(dataset, proposed, jobs)
        self._curves = CurveReader()
        # The last of the keys only tell when to look anew: the settings changed, or new features were written.
        self._changes = lru_cache(lambda run, before, version: self._comparison.change(run, before))
        self._cached = lru_cache(
            lambda backbone, stamp: count_cached(dataset.workspace.cache, backbone, dataset.ledger.row_of.keys())
        )

    # starting ----------------------------------------------------------------

    def recipes(self) -> list[dict[str, Any]]:
        """Return the recipes in plain words: name, title, words, expected time, and every setting with its meaning."""
        return [
            {
                "name": name,
                "title": recipe.title,
                "words": recipe.words,
                "time": self.forecast(name).line,
                "settings": describe(name),
            }
            for name, recipe in RECIPES.items()
        ]

    def readiness(self) -> Readiness:
        """Return what there is to learn from, and what is missing."""
        return readiness(self._dataset, self._jobs)

    def forecast(
        self,
        recipe: str,
        overrides: Mapping[str, Any] | None = None,
        init_from: int | None = None,
        *,
        measure: bool = False,
    ) -> Forecast:
        """Return what a run will take; refuses what :meth:`start` would refuse.

        Args:
            recipe: Name or title of the recipe.
            overrides: Hyper-parameters by dotted name.
            init_from: A run to start warm from.
            measure: Whether to measure this machine with the run's backbone first, which takes some seconds.

        Raises:
            StudioError: If a name does not exist, a value is out of range, or the trial fails.
        """
        config = RunConfig.create(recipe, overrides=overrides or {}, init_from=init_from)
        if measure:
            self._trial.measure(config.settings.backbone.name, config.settings.backbone.image_size)
        num_images = len(self._states())
        missing = self._dataset.table.num_images - self._num_cached(config)
        return Forecast(
            time=estimate(config, num_images, self._past(), self._trial.speeds(), missing),
            epochs=num_epochs(config, num_images),
            to_embed=None if isinstance(config.settings, FullSettings) else missing,
            num_images=self._dataset.table.num_images,
            changed=len(config.overrides()),
        )

    def start(
        self,
        recipe: str = "quick",
        overrides: Mapping[str, Any] | None = None,
        init_from: int | None = None,
        *,
        seed: int = DEFAULT_SEED,
        name: str = "",
        note: str = "",
        is_started: bool = True,
    ) -> int:
        """Start the trainer process on a snapshot of today's labels and return the run's number at once.

        Unless ``is_started`` the run is only prepared: it waits, as a paused run does, until it is resumed.

        Raises:
            StudioError: If the recipe or a value is wrong, there is nothing to learn from, or the images are gone.
        """
        states = self._states()
        if not ((states == POSITIVE).any() and (states == NEGATIVE).any()):
            words = "there is nothing to learn from: no positive or no negative cell is known outside split test"
            raise StudioError(words, "answer a few cells of each kind in Label or Browse first")
        config = RunConfig.create(recipe, overrides=overrides or {}, init_from=init_from, seed=seed)
        dataset = self._dataset
        root, paths = dataset.workspace.root, dataset.table.paths
        if is_started and not any((root / path).is_file() for path in paths):
            told = f"none of the {len(paths):,} images is there: {root / paths[0]} is missing"
            raise StudioError(told, "mount their disk again, or bring the folder back")
        with dataset.ledger.lock:
            today = dataset.ledger.states.copy()
        run = self._jobs.create(config, root=dataset.workspace.root, table=dataset.table, states=today)
        if name or note:
            self._jobs.annotate(run, name=name, note=note)
        (self._jobs.start if is_started else self._jobs.set_aside)(run)
        self._registry.refresh()
        return run

    def wait(self, run: int, watch: Callable[[RunInfo], None] | None = None) -> RunInfo:
        """Wait for a run's end and return how it stands then; an interrupt (Ctrl-C) cancels it, which keeps a checkpoint.

        Raises:
            StudioError: If the run failed.
        """
        try:
            info = self._jobs.wait(run, watch)
        except KeyboardInterrupt:  # its process would go on without us
            self._jobs.cancel(run)
            self._jobs.wait(run)
            raise
        finally:
            self._registry.refresh()
        if info.status in ("failed", "died"):
            raise StudioError(f"run {run} {info.status}: {info.message}", f"see {info.folder / 'log.txt'}")
        return info

    def preview(self) -> TrainingPreview:
        """Return what the next run would learn from, and what changed since the last one."""
        return preview(self._dataset, self._proposed, self._jobs)

    def benchmark(self) -> Benchmark | None:
        """Return what the last finished benchmark of this data set found; None before the first one."""
        return read_benchmark(self._dataset.workspace.benchmark_file)

    # watching ----------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """Return the runs, the newest first.

        Returns:
            ``run, name, recipe, state, mAP, measured on, time, started, changed``; in words but for ``run`` and ``mAP``. A
            star before the name is a person's, ◐ marks the run whose scores make the pseudo-labels. What the latest
            `RECENT_RUNS` changed is told, and of a broken run the reason.
        """
        current, infos = self._registry.choice()[0], self._jobs.list()[::-1]
        changes = {info.run: self.change_line(info) for info in infos[:RECENT_RUNS]}
        rows = [
            {
                "run": info.run,
                "name": " ".join(filter(None, ("★" * info.star, "◐" * (info.run == current), info.name))),
                "recipe": info.recipe_title,
                "state": STATUS_WORDS[info.status],
                "mAP": None if info.map is None else round(info.map, 3),
                "measured on": info.figure.short if info.figure else "",
                "time": duration(info.result["seconds"]) if "seconds" in info.result else "",
                "started": time.strftime("%d %b %H:%M", time.localtime(info.created)),
                "changed": info.message if info.status == "broken" else changes.get(info.run, ""),
            }
            for info in infos
        ]
        columns = ["run", "name", "recipe", "state", "mAP", "measured on", "time", "started", "changed"]
        return pd.DataFrame(rows, columns=columns)

    def report(self, run: int) -> RunReport:
        """Return how a run stands: state, progress, warnings, curves, settings, what it changed, the end of its log."""
        info, curves = self._jobs.info(run), self.curves(run)
        return RunReport(
            info=info,
            is_current=run == self._registry.choice()[0],
            changed=self.change_line(info),
            curves={chart: curves.lines(chart) for chart in CHARTS},
            settings=self.settings(run),
            precision=self.precision(run),
            log=self.log(run),
        )

    def change(self, info: RunInfo) -> RunChange | None:
        """Return what a finished run changed, against the run that it took over from; None for an unfinished one."""
        if info.status != "finished":
            return None
        return self._changes(info.run, self._run_before(info), self._dataset.settings.version)

    def change_line(self, info: RunInfo) -> str:
        """Return what a finished run changed in one line of words; empty for an unfinished one."""
        try:
            change = self.change(info)
        except StudioError as error:
            return f"its scores can't be read: {error.what}"
        return "" if change is None else change.line

    def curves(self, run: int) -> RunCurves:
        """Return what a run's events have said so far."""
        return self._curves.read(RunFolder(self._jobs.info(run).folder).events_file)

    def facts(self, run: int) -> list[tuple[str, str]]:
        """Return what came of a finished run as numbers and what they count; nothing for an unfinished one."""
        info = self._jobs.info(run)
        if info.status != "finished":
            return []
        result = info.result
        facts = [(figure.number, figure.about) for figure in figures_of(result)]
        try:
            change = self.change(info)
        except StudioError:
            change = None
        if change is not None:
            facts += [
                (f"{change.positive:,}", "pseudo-labels: present"),
                (f"{change.negative:,}", "pseudo-labels: absent"),
                (f"{change.conflicts:,}", "conflicts with known cells"),
            ]
        if "epochs" in result:
            best = result.get("best_epoch") or result["epochs"]
            facts.append((f"{best:,}", f"best of {counted(result['epochs'], 'epoch')}"))
        if (seconds := number_of(result, "seconds")) is not None:
            facts.append((duration(seconds), "time"))
        return [*facts, (size(self._jobs.size(run)), "on disk")]

    def precision(self, run: int) -> pd.DataFrame:
        """Return a run's ``class, average precision`` on the cells of its figure, the best first; nan where there is none."""
        info, renamed = self._jobs.info(run), self._dataset.renamed
        block = info.result["test"] if info.figure and info.figure.place == "test" else info.result
        values = block.get("ap") or {}
        names = [renamed.get(name, name) for name in values]
        table = pd.DataFrame({"class": names, "average precision": list(values.values())})
        table["average precision"] = table["average precision"].astype(np.float64)
        return table.sort_values("average precision", ascending=False, kind="stable", ignore_index=True)

    def settings(self, run: int) -> pd.DataFrame:
        """Return what a run was started with and differs from its recipe, in words: ``setting, value, default``.

        Of a broken run nothing is told, and an imported one has none.
        """
        info = self._jobs.info(run)
        if info.status == "broken" or info.is_imported:
            return pd.DataFrame(columns=["setting", "value", "default"])
        config = RunFolder(info.folder).config()
        defaults = {field.name: field.default for field in describe(config.recipe)}
        rows = [("seed", str(config.seed), str(DEFAULT_SEED))]
        if config.init_from is not None:
            rows.append(("started from", f"run {run_number(config.init_from)}", "fresh start"))
        rows += [
            (setting_words(name), value_words(value), value_words(defaults[name]))
            for name, value in config.overrides().items()
        ]
        return pd.DataFrame(rows, columns=["setting", "value", "default"])

    def log(self, run: int, lines: int = 200) -> str:
        """Return the end of what a run's process printed: its stages, warnings and epochs."""
        text = end_of(RunFolder(self._jobs.info(run).folder).log_file, LOG_BYTES)
        # A progress bar overwrites its line: only what stands after the last carriage return was seen.
        found = [line.rsplit("\r", 1)[-1] for line in text.rstrip("\n").split("\n")]
        return "\n".join(found[-lines:])

    def compare(self, first: int, second: int) -> Comparison:
        """Return how two runs differ: settings, average precision of each class, pseudo-labels at today's labels."""
        return self._comparison.compare(first, second)

    def overlay(self, first: int, second: int, chart: str) -> tuple[pd.DataFrame, str]:
        """Return a chart's lines of two runs, ``x, y, line``, each named by its run, and what they are drawn over."""
        curves = {run: self.curves(run) for run in (first, second)}
        by_epoch = not all(each.has_steps for each in curves.values())
        frames = []
        for run, each in curves.items():
            frame = each.frame(chart, by_epoch=by_epoch)
            name = f"run {run}"
            frame["line"] = name if frame["line"].nunique() < 2 else name + " " + frame["line"]
            frames.append(frame)
        axis = "epoch" if by_epoch else curves[first].axis(chart)
        return pd.concat(frames, ignore_index=True), axis

    # deleting ----------------------------------------------------------------

    def deletion(self, run: int) -> Deletion:
        """Return what deleting a run frees and takes away."""
        info, is_current = self._jobs.info(run), run == self._registry.choice()[0]
        return Deletion(
            run=run,
            num_bytes=self._jobs.size(run),
            is_current=is_current,
            next_current=self._registry.choice(without=run)[0] if is_current else None,
            continued_by=tuple(one.run for one in self._jobs.list() if one.init_from == info.folder.name),
            is_imported=info.is_imported,
        )

    def delete(self, run: int) -> int:
        """Delete a run that is not being trained, and return the bytes that frees."""
        events = RunFolder(self._jobs.folder(run)).events_file
        freed = self._jobs.delete(run)
        self._curves.forget(events)
        self._registry.refresh()
        return freed

    def _states(self) -> npt.NDArray[np.int8]:
        """Return the states of the images that may be trained on."""
        return np.asarray(self._dataset.ledger.states[~self._dataset.table.is_test])

    def _num_cached(self, config: RunConfig) -> int:
        """Return how many images need not be embedded: none for weights that a full run changed."""
        if self._has_other_weights(config):
            return 0
        folders = feature_folders(self._dataset.workspace.cache).glob("*")
        return self._cached(config.settings.backbone, max((one.stat().st_mtime_ns for one in folders), default=0))

    def _has_other_weights(self, config: RunConfig) -> bool:
        run = run_number(config.init_from)
        while run is not None:
            earlier = RunFolder(self._jobs.folder(run)).config()
            if isinstance(earlier.settings, FullSettings):
                return True
            run = run_number(earlier.init_from)
        return False

    def _past(self) -> list[PastRun]:
        return [
            PastRun(
                info.run,
                RunFolder(info.folder).config(),
                num_images=int(info.result.get("num_images", len(self._states()))),
                seconds=float(seconds),
                start_seconds=_start_seconds(info),
                num_embedded=int(info.result.get("num_embedded", 0)),
                embed_seconds=float(info.result.get("embed_seconds", 0.0)),
            )
            for info in self._registry.finished
            if (seconds := number_of(info.result, "seconds"))
        ]

    def _run_before(self, info: RunInfo) -> int | None:
        """Return the run that a run took over from: the best one before it, else the last one."""
        finished = self._registry.numbers()
        best = (info.result.get("comparison") or {}).get("best_run")
        return int(best) if best in finished else max((run for run in finished if run < info.run), default=None)


def _start_seconds(info: RunInfo) -> float:
    """Return how long a run's process took to say its first word, which its own clock does not count."""
    events = RunFolder(info.folder).events_file
    if not events.is_file():
        return 0.0
    with events.open("rb") as lines:
        first = parse_event(lines.readline()) or {}
    waited = first["time"] - info.created if is_number(first.get("time")) else 0.0
    return waited if 0.0 <= waited <= MOST_START_S else 0.0
