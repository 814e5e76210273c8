"""How long a recipe takes here: from earlier runs, or from a short trial of the machine."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from logicmix_studio.errors import StudioError
from logicmix_studio.runs.jobs import child_environment
from logicmix_studio.store import read_json, write_json
from logicmix_studio.training.config import FullSettings, RunConfig
from logicmix_studio.words import counted, duration

TRIAL_TIMEOUT_S: Final = 180.0
HEAD_S_PER_MILLION_ROWS: Final = 2.0
"""Seconds that a linear head takes for a million rows of features on a CPU."""
START_S: Final = 10.0
"""Seconds until a trainer process has imported torch and loaded a network, where no run has shown it yet."""


@dataclass(frozen=True)
class PastRun:
    """What an earlier run says of this machine's speed."""

    run: int
    config: RunConfig
    num_images: int
    seconds: float
    """How long it worked."""
    start_seconds: float = 0.0
    """How long its process took before that to load what it needs, whatever the run's size."""
    num_embedded: int = 0
    """Images whose features it had to compute; the others' lay in the cache."""
    embed_seconds: float = 0.0
    """How long that took it."""


class Speed(NamedTuple):
    """What a short trial says of it."""

    backbone: str
    image_size: int
    score_images_per_s: float
    train_images_per_s: float


@dataclass(frozen=True)
class Estimate:
    """How long a run will take, and how that is known."""

    seconds: float
    basis: str
    """In words: by which run, or the trial."""


@dataclass(frozen=True)
class Forecast:
    """What a run will take."""

    time: Estimate | None
    """None where too little is known of this machine."""
    epochs: int | None
    """At the most; None for a run whose epochs are no measure of its time."""
    to_embed: int | None
    """Images whose features are computed first; None for a run that does not go by features alone."""
    num_images: int
    changed: int
    """Settings that differ from the recipe."""

    @property
    def line(self) -> str:
        """The time with its basis, in words."""
        return f"about {duration(self.time.seconds)} {self.time.basis}" if self.time else "time not known yet"

    @property
    def words(self) -> str:
        """Everything but the time, in words."""
        parts = [f"{counted(self.changed, 'setting')} changed."] if self.changed else []
        if self.epochs:
            parts.append(f"{counted(self.epochs, 'epoch')} at the most.")
        if self.to_embed == 0:
            parts.append("The features of all images are there already.")
        elif self.to_embed:
            some = f"{self.to_embed:,} of " if self.to_embed < self.num_images else ""
            parts.append(f"The features of {some}{counted(self.num_images, 'image')} are computed first.")
        if not self.time:
            parts.append("Not timed on this machine yet.")
        return " ".join(parts)


def estimate(
    config: RunConfig,
    num_images: int,
    past: Sequence[PastRun],
    speeds: Sequence[Speed],
    num_to_embed: int | None = None,
) -> Estimate | None:
    """Return how long a run will take, or None where too little is known of this machine yet.

    The latest run of the same recipe and backbone counts, scaled to images, pixels and epochs; else a trial.
    A quick run spends nearly all its time on images without features in the cache: these are counted apart.
    """
    backbone = config.settings.backbone
    alike = [
        run for run in past if run.config.recipe == config.recipe and run.config.settings.backbone.name == backbone.name
    ]
    fitting = [speed for speed in speeds if speed.backbone == backbone.name]
    speed = min(fitting, key=lambda one: abs(one.image_size - backbone.image_size), default=None)
    to_embed = num_images if num_to_embed is None else num_to_embed
    if not isinstance(config.settings, FullSettings):
        return _quick_estimate(config, num_images, to_embed, alike, speed)
    if alike:
        latest = alike[-1]
        scale = _work(config, num_images) / _work(latest.config, latest.num_images)
        return Estimate(latest.start_seconds + latest.seconds * scale, f"judging by run {latest.run}")
    if speed is None:
        return None
    return Estimate(_trial_seconds(config, num_images, to_embed, speed), "judging by a short trial")


def num_epochs(config: RunConfig, num_images: int) -> int | None:
    """Return how many epochs a full run on so many images has at the most: a small set gets more of them.

    None for ``quick``, whose epochs are no measure of its time.
    """
    settings = config.settings
    if not isinstance(settings, FullSettings):
        return None
    steps = max(1, math.ceil(num_images / settings.optimizer.batch_size))
    return max(settings.schedule.epochs, math.ceil(settings.schedule.min_steps / steps))


class SpeedTrial:
    """Measures the machine in a process of its own, one at a time, so that the server stays free of torch."""

    def __init__(self, file: Path, command: Sequence[str] | None = None) -> None:
        self._file = file
        self._command = list(command or (sys.executable, "-m", "logicmix_studio.runs.speed_trial"))
        self._guard = threading.Lock()

    def speeds(self) -> list[Speed]:
        """Return what was measured before."""
        trials = (read_json(self._file) or {}).get("trials", [])
        return [Speed(**{name: entry[name] for name in Speed._fields}) for entry in trials]

    def measure(self, backbone: str, image_size: int) -> Speed:
        """Measure one backbone at one size and keep the result; takes some seconds.

        Raises:
            StudioError: If the trial fails or a trial is running already.
        """
        if not self._guard.acquire(blocking=False):
            raise StudioError("a trial is running already", "wait until it has ended")
        try:
            answer = self._run([*self._command, backbone, str(image_size)])
            speed = Speed(backbone, image_size, float(answer["score"]), float(answer["train"]))
            kept = [one for one in self.speeds() if one[:2] != speed[:2]]
            write_json(self._file, {"trials": [one._asdict() for one in (*kept, speed)]}, new_folders=1)
            return speed
        finally:
            self._guard.release()

    def _run(self, command: list[str]) -> Mapping[str, Any]:
        options: dict[str, Any] = {"capture_output": True, "text": True, "env": child_environment()}
        try:
            done = subprocess.run(command, timeout=TRIAL_TIMEOUT_S, check=False, **options)
        except subprocess.TimeoutExpired:
            words = f"the trial took more than {TRIAL_TIMEOUT_S:.0f} seconds"
            raise StudioError(words, "choose a smaller image size") from None
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            hint = "the recipe may still run; see logicmix-studio doctor"
            raise StudioError(f"the trial failed: {last}", hint)
        answer: Mapping[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer


def _quick_estimate(
    config: RunConfig, num_images: int, to_embed: int, alike: Sequence[PastRun], speed: Speed | None
) -> Estimate | None:
    if not alike and speed is None:
        return None
    seconds = _head_seconds(config, num_images)
    if alike:
        latest = alike[-1]
        rest = latest.seconds - latest.embed_seconds - _head_seconds(latest.config, latest.num_images)
        seconds += latest.start_seconds + max(0.0, rest)
    else:
        seconds += START_S
    shown = next((run for run in reversed(alike) if run.num_embedded and run.embed_seconds), None)
    if to_embed and shown is not None:
        one = shown.embed_seconds / shown.num_embedded / _pixels(shown.config)
        seconds += to_embed * one * _pixels(config)
    elif to_embed and speed is not None:
        seconds += _scoring_seconds(config, to_embed, speed)
    elif to_embed:
        return None
    return Estimate(seconds, f"judging by run {alike[-1].run}" if alike else "judging by a short trial")


def _pixels(config: RunConfig) -> float:
    """Return the pixels of an image, as a multiple of those at 224."""
    return (config.settings.backbone.image_size / 224) ** 2


def _work(config: RunConfig, num_images: int) -> float:
    """Return the work of a full run in image passes at 224 px; only ratios of it mean anything."""
    return num_images * _pixels(config) * (num_epochs(config, num_images) or 1)


def _head_seconds(config: RunConfig, num_images: int) -> float:
    return num_images * config.settings.head.epochs / 1e6 * HEAD_S_PER_MILLION_ROWS


def _scoring_seconds(config: RunConfig, num_images: int, speed: Speed) -> float:
    pixels = (config.settings.backbone.image_size / speed.image_size) ** 2
    return num_images * pixels / speed.score_images_per_s


def _trial_seconds(config: RunConfig, num_images: int, to_embed: int, speed: Speed) -> float:
    settings = config.settings
    assert isinstance(settings, FullSettings)
    scoring = _scoring_seconds(config, num_images, speed)
    one_epoch = scoring * speed.score_images_per_s / speed.train_images_per_s
    share_scored = 1.0 - settings.pseudo.start_share if settings.pseudo.is_enabled else 0.0
    each = one_epoch + scoring * max(share_scored, min(1.0, settings.selection.heldout_share * 4))
    warm = 0.0
    if settings.warm.should_train_head_first and config.init_from is None:
        warm = _scoring_seconds(config, to_embed, speed) + _head_seconds(config, num_images)
    return START_S + warm + (num_epochs(config, num_images) or 1) * each + scoring
