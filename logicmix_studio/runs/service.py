"""The state of the Train tab: recipes, runs, curves. Everything is read from the run folders."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.runs import RunInfo
from logicmix_studio.runs.compare import RunChange, run_card, run_change, run_number, snapshot_states
from logicmix_studio.runs.curves import CurveReader
from logicmix_studio.runs.estimate import PastRun, SpeedTrial, estimate, num_epochs
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import (
    DEFAULT_SEED,
    RECIPES,
    Field,
    FullSettings,
    RunConfig,
    describe,
    recipe_help,
)
from logicmix_studio.training.feature_cache import count_cached, feature_folders
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.training.settings import BackboneSettings

LOG_BYTES: Final = 64_000
"""How much of the end of a log is read for its tail."""

LARGEST_SEED: Final = 2**31 - 1
SEED: Final = Field(
    name="seed",
    type="int",
    default=DEFAULT_SEED,
    low=0,
    high=LARGEST_SEED,
    choices=(),
    help="Everything random follows from it: the order of the images, the blends, the augmentation. The same "
    "seed on the same labels and machine gives the same run; another one shows how much is chance.",
    source="released",
)
"""The seed, described like a setting; it belongs to the run and not to its recipe."""

MOST_START_S: Final = 300.0
"""A run's process has started by then; a longer wait is a folder that came from elsewhere."""

RECIPE_TITLES: Final = {
    "quick": "Quick look",
    "2wayaug-pl": "2WayAug-PL",
    "2wayaug-pl-released": "2WayAug-PL, as released",
}
RECIPE_WORDS: Final = {
    "quick": "Teaches only the last layer, on features that are computed once for each image. Good for a "
    "first look and for the rounds in between. It mixes no images, so it is not LogicMix.",
    "2wayaug-pl": "Teaches the whole network with blends, flips and RandAugment, a loss that treats blends "
    "apart, and pseudo-labels of its own later on. This is the published method, its slips mended.",
    "2wayaug-pl-released": "The same with the settings of the published code, slips included. Only for "
    "comparing.",
}


class RunService:
    """What the Train tab asks for. May be called from any thread; holds nothing that a restart would lose."""

    def __init__(self, studio: Studio, trial: SpeedTrial | None = None) -> None:
        self.studio = studio
        self.trial = trial or SpeedTrial(studio.workspace.cache / "speed.json")
        self._curves = CurveReader()
        self._changes: dict[tuple[int, int | None, int], RunChange] = {}
        self._cached: tuple[tuple[BackboneSettings, int], int] | None = None
        self._guard = threading.Lock()

    # choosing ------------------------------------------------------------

    def recipes(self) -> list[dict[str, Any]]:
        """Return every recipe in plain words, with its settings and the time it will take here."""
        return [self._recipe(name) for name in RECIPES]

    def config(
        self,
        recipe: str,
        overrides: Mapping[str, Any],
        init_from: int | None = None,
        seed: int = DEFAULT_SEED,
    ) -> RunConfig:
        """Check what a person chose.

        Args:
            recipe: Name of the recipe.
            overrides: Values by dotted name.
            init_from: The run whose weights it starts from.
            seed: Everything random follows from it.

        Raises:
            StudioError: If a name does not exist or a value is out of range.
        """
        names = self.studio.class_names
        return RunConfig.create(
            recipe, overrides=overrides, class_names=names, init_from=init_from, seed=seed
        )

    def preview(self, config: RunConfig) -> dict[str, Any]:
        """Return the time that a run will take, and its epochs at the most.

        Args:
            config: From :meth:`config`.
        """
        return {"time": self._time(config), "epochs": num_epochs(config, self._num_images())}

    def measure(self, config: RunConfig) -> dict[str, Any]:
        """Measure this machine with a run's backbone, then return the same as :meth:`preview`.

        Args:
            config: From :meth:`config`.

        Raises:
            StudioError: If the trial fails.
        """
        backbone = config.settings.backbone
        self.trial.measure(backbone.name, backbone.image_size)
        return self.preview(config)

    def readiness(self) -> dict[str, Any]:
        """Return what there is to learn from, and what is missing, in words."""
        states = self.studio.ledger.states[~self.studio.table.is_test]
        positive, negative = states == POSITIVE, states == NEGATIVE
        learnable = positive.any(axis=0) & negative.any(axis=0) if len(states) else np.zeros(0, dtype=bool)
        is_ready = bool(len(states) and positive.any() and negative.any())
        return {
            "images": len(states),
            "test_images": int(self.studio.table.is_test.sum()),
            "positive": int(positive.sum()),
            "negative": int(negative.sum()),
            "unknown": int((states == 0).sum()),
            "classes": self.studio.table.num_classes,
            "learnable": int(learnable.sum()),
            "is_ready": is_ready,
            "since_last": self._answers_since_last_run(),
        }

    # runs ----------------------------------------------------------------

    def runs(self) -> list[dict[str, Any]]:
        """Return every run, the newest first."""
        infos = self.studio.jobs.list()
        finished = [info.run for info in infos if info.status == "finished"]
        return [self.card(info, finished) for info in reversed(infos)]

    def card(self, info: RunInfo, finished: list[int] | None = None) -> dict[str, Any]:
        """Return how one run stands.

        Args:
            info: The run.
            finished: Numbers of all finished runs, where they are known already.
        """
        known = finished if finished is not None else [one.run for one in self.studio.finished_runs()]
        return {**run_card(self.studio, info), "change": self._change(info, known)}

    def run(self, run: int, offset: int | None = None) -> dict[str, Any]:
        """Return one run with its curves.

        Args:
            run: Its number.
            offset: How far the page has read; without news since then the curves are left out.

        Raises:
            StudioError: If there is no such run.
        """
        info = self.studio.jobs.info(run)
        curves = self._curves.read(RunFolder(info.folder).events_file)
        answer: dict[str, Any] = {"card": self.card(info), "offset": curves.offset}
        if offset != curves.offset:
            answer["curves"] = curves.to_json()
        return answer

    def details(self, run: int) -> dict[str, Any]:
        """Return what a run was started with and what came of it.

        Raises:
            StudioError: If there is no such run, or its files are broken.
        """
        info = self.studio.jobs.info(run)
        config = RunFolder(info.folder).config()
        defaults = {field.name: field.default for field in describe(config.recipe)}
        changed = [
            {"name": name, "value": value, "default": defaults.get(name)}
            for name, value in config.overrides().items()
        ]
        return {
            "card": self.card(info),
            "seed": config.seed,
            "changed": changed,
            "result": info.result,
            "bytes": self.studio.jobs.size(run),
        }

    def log(self, run: int, lines: int = 200) -> dict[str, Any]:
        """Return the end of what a run's process printed.

        Raises:
            StudioError: If there is no such run.
        """
        file = RunFolder(self.studio.jobs.info(run).folder).log_file
        if not file.exists():
            return {"lines": [], "is_cut": False}
        with file.open("rb") as log:
            size = log.seek(0, 2)
            log.seek(max(0, size - LOG_BYTES))
            text = log.read().decode(errors="replace")
        # A progress bar overwrites its line: only what stands after the last carriage return was seen.
        found = [line.rsplit("\r", 1)[-1] for line in text.rstrip("\n").split("\n")] if text else []
        return {"lines": found[-lines:], "is_cut": size > LOG_BYTES or len(found) > lines}

    def losses_of(self, run: int) -> dict[str, Any]:
        """Return what deleting a run frees and takes away.

        Raises:
            StudioError: If there is no such run.
        """
        info = self.studio.jobs.info(run)
        current, _ = self.studio.current_choice()
        heirs = [one.run for one in self.studio.jobs.list() if one.init_from == info.folder.name]
        others = [one.run for one in self.studio.finished_runs() if one.run != run]
        return {
            "bytes": self.studio.jobs.size(run),
            "is_current": run == current,
            "next_current": others[-1] if run == current and others else None,
            "heirs": heirs,
            "is_active": info.is_active,
        }

    def delete(self, run: int) -> int:
        """Delete a run and return the bytes that frees.

        Raises:
            StudioError: If there is no such run, or it is being trained.
        """
        events = RunFolder(self.studio.jobs.folder(run)).events_file
        freed = self.studio.jobs.delete(run)
        self._curves.forget(events)
        self.studio.refresh()
        return freed

    # within --------------------------------------------------------------

    def _recipe(self, name: str) -> dict[str, Any]:
        config = self.config(name, {})
        return {
            "name": name,
            "title": RECIPE_TITLES.get(name, name),
            "words": RECIPE_WORDS.get(name, recipe_help(name)),
            "fields": [dataclasses.asdict(field) for field in (SEED, *describe(name))],
            "time": self._time(config),
            "epochs": num_epochs(config, self._num_images()),
        }

    def _num_images(self) -> int:
        return int((~self.studio.table.is_test).sum())

    def _time(self, config: RunConfig) -> dict[str, Any] | None:
        missing = self.studio.table.num_images - self._num_cached(config)
        found = estimate(config, self._num_images(), self._past(), self.trial.speeds(), missing)
        if found is None:
            return None
        return {"seconds": found.seconds, "basis": found.basis, "to_embed": missing}

    def _num_cached(self, config: RunConfig) -> int:
        """Return how many images need not be embedded: none for weights that a full run changed."""
        if self._has_other_weights(config):
            return 0
        cache, backbone = self.studio.workspace.cache, config.settings.backbone
        stamp = max((one.stat().st_mtime_ns for one in feature_folders(cache).glob("*")), default=0)
        known = self._cached
        if known is None or known[0] != (backbone, stamp):
            known = ((backbone, stamp), count_cached(cache, backbone, self.studio.ledger.row_of.keys()))
            self._cached = known
        return known[1]

    def _has_other_weights(self, config: RunConfig) -> bool:
        run = run_number(config.init_from)
        while run is not None:
            earlier = RunFolder(self.studio.jobs.folder(run)).config()
            if isinstance(earlier.settings, FullSettings):
                return True
            run = run_number(earlier.init_from)
        return False

    def _past(self) -> list[PastRun]:
        past = []
        for info in self.studio.finished_runs():
            seconds = info.result.get("seconds")
            if isinstance(seconds, int | float) and seconds > 0:
                config = RunFolder(info.folder).config()
                run = PastRun(
                    info.run,
                    config,
                    num_images=int(info.result.get("num_images", self._num_images())),
                    seconds=float(seconds),
                    start_seconds=_start_seconds(info),
                    num_embedded=int(info.result.get("num_embedded", 0)),
                    embed_seconds=float(info.result.get("embed_seconds", 0.0)),
                )
                past.append(run)
        return past

    def _change(self, info: RunInfo, finished: list[int]) -> dict[str, Any] | None:
        if info.status != "finished":
            return None
        before = _run_before(info, finished)
        key = (info.run, before, self.studio.settings.version)
        with self._guard:
            known = self._changes.get(key)
        if known is None:
            try:
                known = run_change(self.studio, info.run, before)
            except StudioError as error:
                return {"line": f"its scores can't be read: {error.what}", "is_broken": True}
            with self._guard:
                self._changes[key] = known
        return {"line": known.line(), "is_broken": False, **dataclasses.asdict(known)}

    def _answers_since_last_run(self) -> int | None:
        """Return how many cells were answered after the last run began; None before the first run."""
        infos = self.studio.jobs.list()
        if not infos:
            return None
        states = self.studio.ledger.states
        from_run = self._snapshot_states(infos[-1].run)
        return None if from_run is None else int((states != from_run).sum())

    def _snapshot_states(self, run: int) -> Any:
        try:
            return snapshot_states(self.studio, run)
        except StudioError:
            return None


def _run_before(info: RunInfo, finished: list[int]) -> int | None:
    """Return the run that a run took over from: the best one before it, else the last one."""
    best = (info.result.get("comparison") or {}).get("best_run")
    if best in finished:
        return int(best)
    return max((run for run in finished if run < info.run), default=None)


def _start_seconds(info: RunInfo) -> float:
    """Return how long a run's process took to say its first word, which its own clock does not count."""
    events = RunFolder(info.folder).events_file
    if not events.exists():
        return 0.0
    with events.open("rb") as lines:
        first = json.loads(lines.readline() or b"{}")
    waited = float(first.get("time", info.created)) - info.created
    return waited if 0.0 <= waited <= MOST_START_S else 0.0
