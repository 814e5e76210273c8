"""What the studio shows of a run, and what deleting it would mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from logicmix_studio.training.config import RECIPES
from logicmix_studio.training.figures import Figure, figure_words, main_figure
from logicmix_studio.training.run_folder import Status
from logicmix_studio.words import duration, size

STATUS_WORDS: Final[dict[Status, str]] = {
    "queued": "waiting",
    "running": "training",
    "finished": "finished",
    "failed": "failed",
    "cancelled": "cancelled",
    "paused": "paused",
    "died": "ended by itself",
    "broken": "broken",
}
IMPORTED: Final = "imported"
"""Stands in place of a recipe for a run that was not trained."""
_RESTING: Final = {
    "paused": "paused at a checkpoint; it can go on where it stopped",
    "cancelled": "cancelled; it can go on from its last checkpoint",
}


@dataclass(frozen=True)
class RunInfo:
    """One run, as it stands now; name, note and star are a person's."""

    run: int
    folder: Path
    recipe: str
    status: Status
    """Where it stands; ``died`` where its process is gone without saying so, ``broken`` where its files can't be read."""
    message: str = ""
    """What it is doing or waits for, or what went wrong, in words."""
    fraction: float = 0.0
    """Share of the work done."""
    eta_s: float | None = None
    """Seconds left, where that can be guessed."""
    pid: int | None = None
    """Its process, while there is one."""
    created: float = 0.0
    """When it was created, in seconds since 1970."""
    updated: float = 0.0
    """When it last said where it stands."""
    warnings: tuple[str, ...] = ()
    """What a person should know of it, such as images that were left out."""
    name: str = ""
    note: str = ""
    star: bool = False
    init_from: str | None = None
    """Folder of the run it started from."""
    result: dict[str, Any] = field(default_factory=dict)
    """Metrics, once it has finished."""

    @property
    def figure(self) -> Figure | None:
        """Its mAP with what it was measured on: images of split test, else held-out known cells; None until it has finished."""
        return main_figure(self.result)

    @property
    def map(self) -> float | None:
        """The mAP of its figure, where it could be measured."""
        return self.figure.map if self.figure else None

    @property
    def measured(self) -> str:
        """All that is known of its mAP, in words; empty until it has finished."""
        return figure_words(self.result)

    @property
    def is_imported(self) -> bool:
        """Whether it holds labels of machines that came with an import: scores without a model, and without figures."""
        return self.recipe == IMPORTED

    @property
    def recipe_title(self) -> str:
        """How it was made, as people choose it."""
        return RECIPES[self.recipe].title if self.recipe in RECIPES else self.recipe

    @property
    def is_active(self) -> bool:
        """Whether a process works on it, or is about to."""
        return self.status in ("queued", "running")

    @property
    def is_resumable(self) -> bool:
        """Whether it can go on from its checkpoint."""
        return self.status in ("paused", "died", "cancelled", "failed")

    @property
    def title(self) -> str:
        """Its name, or its number where it has none."""
        return self.name or f"run {self.run}"

    @property
    def standing(self) -> str:
        """Where it stands, in words: "training, epoch 3 of 60 · 40 % · 75 s left", "waiting for run 1 of …"."""
        if self.status == "running":
            left = f"{duration(self.eta_s)} left" if self.eta_s else "time left is known soon"
            return f"{self.message or 'training'} · {self.fraction:.0%} · {left}"
        return _RESTING.get(self.status) or self.message or STATUS_WORDS[self.status]


@dataclass(frozen=True)
class Deletion:
    """What deleting a run frees and takes away."""

    run: int
    num_bytes: int
    is_current: bool
    """Whether its scores make the pseudo-labels."""
    next_current: int | None
    """The run whose scores will take their place."""
    continued_by: tuple[int, ...]
    """Runs that started from its weights; they keep their own."""
    is_imported: bool = False
    """Whether its scores came with label files, and come back with the next import."""

    @property
    def words(self) -> str:
        """What it means, in words."""
        lost = f"Curves, scores and weights of run {self.run} are gone for good"
        lost = "The next import brings its scores back" if self.is_imported else lost
        parts = [f"This frees {size(self.num_bytes)}. {lost}; decisions that people made stay."]
        if self.is_current:
            then = (
                f"those of run {self.next_current} will take their place" if self.next_current else "there will be none"
            )
            parts.append(f"Its scores make the pseudo-labels now; {then}.")
        if self.continued_by:
            runs = ", ".join(map(str, self.continued_by))
            parts.append(f"Run {runs} started from its weights and keeps its own.")
        return " ".join(parts)


def number_of(result: Mapping[str, Any], name: str) -> float | None:
    """Return a number that a ``result.json`` holds, or None."""
    value = result.get(name)
    return float(value) if isinstance(value, int | float) and value == value else None  # noqa: PLR0124  # nan


def run_number(name: str | None) -> int | None:
    """Return the number of a run from its folder's name, or None."""
    return int(Path(name).name) if name and Path(name).name.isdigit() else None
