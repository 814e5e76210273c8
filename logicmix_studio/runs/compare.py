"""What a finished run changed, and how two runs differ. N images, C classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import changes, conflict_mask, propose
from logicmix_studio.runs.info import number_of, run_number
from logicmix_studio.runs.jobs import Jobs
from logicmix_studio.runs.registry import load_snapshot, snapshot_states
from logicmix_studio.store import Dataset
from logicmix_studio.training.fields import value_words
from logicmix_studio.training.metrics import measure
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.training.settings import setting_words
from logicmix_studio.words import counted

MOST_EXAMPLES: Final = 16
"""Cells that are listed where two runs disagree."""


@dataclass(frozen=True)
class RunChange:
    """What a finished run changed for the person, against the run that made the pseudo-labels before it."""

    new: int
    """Pseudo-labels that the run before did not have."""
    withdrawn: int
    """Pseudo-labels that only the run before had."""
    flipped: int
    """Pseudo-labels with the opposite sign."""
    conflicts: int
    """Known cells that the model confidently contradicts."""
    classes: int
    """Classes with a new pseudo-label."""
    positive: int
    """All pseudo-labels of the run that claim presence."""
    negative: int
    """All pseudo-labels of the run that claim absence."""
    before: int | None
    """The run it is compared with; None for the first."""

    @property
    def line(self) -> str:
        """The change in one line of words.

        Example:
            >>> RunChange(312, 0, 14, 6, 9, 300, 12, None).line
            '+312 pseudo-labels in 9 classes, 14 flipped, 6 conflicts'
        """
        new = f"+{counted(self.new, 'pseudo-label')} in {counted(self.classes, 'class')}"
        parts = [new if self.new else "no new pseudo-label"]
        if self.withdrawn:
            parts.append(f"{self.withdrawn:,} withdrawn")
        if self.flipped:
            parts.append(f"{self.flipped:,} flipped")
        if self.conflicts:
            parts.append(counted(self.conflicts, "conflict"))
        return ", ".join(parts)


@dataclass(frozen=True)
class Disagreement:
    """A cell on which two runs disagree."""

    image_id: str
    file: str
    """Below the data set's folder."""
    class_name: str
    scores: tuple[float, float]
    """Calibrated, of the first run and of the second."""
    is_opposite: bool
    """Whether both propose, with opposite signs."""


@dataclass(frozen=True)
class Comparison:
    """How two runs differ."""

    first: int
    second: int
    settings: pd.DataFrame
    """``setting, first, second`` where they differ, in words; what the runs knew included."""
    precision: pd.DataFrame
    """``class, first, second, difference`` of the average precision, the largest difference first."""
    map: tuple[float | None, float | None]
    """Over all classes, on the cells that both runs held out."""
    pseudo_labels: pd.DataFrame | None
    """``class, same, only_first, only_second, opposite``; None unless both runs have finished."""
    examples: tuple[Disagreement, ...]
    """Where they differ most, opposite signs first."""

    @property
    def words(self) -> str:
        """How they differ over all, in words."""
        one, other = self.map
        parts = [] if one is None or other is None else [f"mAP {one:.3f} → {other:.3f} ({other - one:+.3f})"]
        if self.settings.empty:
            parts.append("the same recipe, settings and labels")
        if self.pseudo_labels is None:
            return " · ".join([*parts, "pseudo-labels are compared when both runs have finished"])
        total = self.pseudo_labels.drop(columns="class").sum()
        parts += [f"pseudo-labels: {total['same']:,} the same", f"{total['only_first']:,} only in run {self.first}"]
        parts += [f"{total['only_second']:,} only in run {self.second}", f"{total['opposite']:,} opposite"]
        return " · ".join(parts)


class RunComparison:
    """Compares runs."""

    def __init__(self, dataset: Dataset, proposed: ProposalSet, jobs: Jobs) -> None:
        self._dataset, self._proposed, self._jobs = dataset, proposed, jobs

    def change(self, run: int, before: int | None) -> RunChange:
        """Compare a finished run's pseudo-labels with an earlier run's, if any, at the labels the later one was given."""
        states, is_test = self._states(run), self._dataset.table.is_test

        def proposals(scores: npt.NDArray[np.float16]) -> npt.NDArray[np.int8]:
            return propose(scores, states, self._proposed.thresholds, is_test)

        scores = self._proposed.scores_of(run).scores
        now = proposals(scores)
        then = np.zeros_like(now) if before is None else proposals(self._proposed.scores_of(before).scores)
        difference = changes(then, now)
        return RunChange(
            new=int(difference.new.sum()),
            withdrawn=int(difference.withdrawn.sum()),
            flipped=int(difference.flipped.sum()),
            conflicts=int(conflict_mask(states, scores, is_test).sum()),
            classes=int(difference.new.any(axis=0).sum()),
            positive=int((now == POSITIVE).sum()),
            negative=int((now == NEGATIVE).sum()),
            before=before,
        )

    def compare(self, first: int, second: int) -> Comparison:
        """Return how two runs differ: settings, average precision of each class, pseudo-labels at today's labels."""
        one, other = self._jobs.info(first), self._jobs.info(second)
        is_finished = one.status == other.status == "finished"
        results = self._shared_results(first, second) if is_finished else (one.result, other.result)
        pseudo_labels, examples = self._pseudo_labels(first, second) if is_finished else (None, ())
        return Comparison(
            first=first,
            second=second,
            settings=self._settings(first, second),
            precision=precision_difference(self._dataset.class_names, *results),
            map=(number_of(results[0], "map"), number_of(results[1], "map")),
            pseudo_labels=pseudo_labels,
            examples=examples,
        )

    def _states(self, run: int) -> npt.NDArray[np.int8]:
        return snapshot_states(self._jobs.folder(run), self._dataset)

    def _shared_results(self, first: int, second: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Measure both runs on the same cells: held out by the later one, and not trained on by the earlier one."""
        early, late = min(first, second), max(first, second)
        early_trained = (self._states(early) != 0) & ~self._proposed.scores_of(early).heldout
        cells = self._proposed.scores_of(late).heldout & ~early_trained
        states = np.where(cells, self._states(late), 0).astype(np.int8)
        names = self._dataset.class_names
        one, other = (measure(self._proposed.scores_of(run).scores, states).as_dict(names) for run in (first, second))
        return one, other

    def _settings(self, first: int, second: int) -> pd.DataFrame:
        one, other = self._flat_config(first), self._flat_config(second)
        rows = [
            (setting_words(name), value_words(one.get(name)), value_words(other.get(name)))
            for name in dict.fromkeys([*one, *other])
            if one.get(name) != other.get(name)
        ]
        return pd.DataFrame(rows, columns=["setting", "first", "second"])

    def _flat_config(self, run: int) -> dict[str, Any]:
        folder = RunFolder(self._jobs.folder(run))
        config = folder.config()
        states = load_snapshot(folder.snapshot_file).states
        flat: dict[str, Any] = {
            "recipe": config.recipe,
            "seed": config.seed,
            "started from": run_number(config.init_from),
            "known cells": int((states != UNKNOWN).sum()),
            "images": len(states),
            "classes": len(config.class_names),
        }
        for group in dataclasses.fields(config.settings):
            values = dataclasses.asdict(getattr(config.settings, group.name))
            flat.update({f"{group.name}.{name}": value for name, value in values.items()})
        return flat

    def _pseudo_labels(self, first: int, second: int) -> tuple[pd.DataFrame, tuple[Disagreement, ...]]:
        """Count where two runs agree and differ, at today's labels and thresholds, and list where they differ most."""
        runs, dataset = [self._proposed.scores_of(run) for run in (first, second)], self._dataset
        one, other = (self._proposed.of(run) for run in runs)
        found = changes(one, other)
        masks = {
            "same": (one != 0) & (one == other),
            "only_first": found.withdrawn,
            "only_second": found.new,
            "opposite": found.flipped,
        }
        counts = {name: np.count_nonzero(mask, axis=0) for name, mask in masks.items()}
        order = np.lexsort((-counts["only_first"] - counts["only_second"], -counts["opposite"]))
        table = pd.DataFrame({"class": dataset.class_names, **counts}).iloc[order].reset_index(drop=True)
        scores = [run.scores.astype(np.float32) for run in runs]
        gap = np.abs(scores[0] - scores[1])
        weight = np.where(found.flipped, 1.0 + gap, np.where(found.new | found.withdrawn, gap, 0.0))
        most = min(MOST_EXAMPLES, int((weight > 0).sum()))
        largest = np.argpartition(-weight, most - 1, axis=None)[:most] if most else np.zeros(0, dtype=np.int64)
        flat = largest[np.argsort(-weight.ravel()[largest], kind="stable")]
        examples = (
            Disagreement(
                dataset.image_ids[row],
                dataset.table.paths[row],
                dataset.class_names[column],
                (round(float(scores[0][row, column]), 3), round(float(scores[1][row, column]), 3)),
                bool(found.flipped[row, column]),
            )
            for row, column in zip(*np.unravel_index(flat, weight.shape), strict=True)
        )
        return table, tuple(examples)


def precision_difference(
    class_names: tuple[str, ...], first: Mapping[str, Any], second: Mapping[str, Any]
) -> pd.DataFrame:
    """Return the average precision of each class in two runs, the largest difference first.

    Returns:
        ``class, first, second, difference``; nan where a class could not be measured.
    """
    one, other = (
        np.array([(result.get("ap") or {}).get(name) for name in class_names], dtype=np.float64)
        for result in (first, second)
    )
    table = pd.DataFrame({"class": class_names, "first": one, "second": other, "difference": other - one})
    return table.sort_values("difference", key=np.abs, ascending=False, kind="stable", ignore_index=True)
