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
from logicmix_studio.store import Dataset, align_cells
from logicmix_studio.training.fields import value_words
from logicmix_studio.training.figures import Match, Place, match
from logicmix_studio.training.heldout import TEST_SPLIT
from logicmix_studio.training.metrics import average_precisions
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
    """Over all classes; on the cells of the first match where both runs have finished, else each on its own."""
    matches: tuple[Match, ...]
    """How the second run does against the first on the cells that neither was trained on: those of split test, where some
    are known, then the held-out ones. Empty unless both runs have finished."""
    pseudo_labels: pd.DataFrame | None
    """``class, same, only_first, only_second, opposite``; None unless both runs have finished."""
    examples: tuple[Disagreement, ...]
    """Where they differ most, opposite signs first."""

    @property
    def words(self) -> str:
        """How they differ over all, in words."""
        parts = []
        for found in self.matches:
            parts.append(found.words(self.second, self.first))
            if found.map is not None and found.other_map is not None:
                on = f"{found.num_images:,} images, {found.num_positive:,} positive"
                parts[-1] = f"mAP {found.other_map:.3f} → {found.map:.3f}: {parts[-1]} of {on}"
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
        results, matches = self._matched(first, second) if is_finished else ([one.result, other.result], ())
        pseudo_labels, examples = self._pseudo_labels(first, second) if is_finished else (None, ())
        return Comparison(
            first=first,
            second=second,
            settings=self._settings(first, second),
            precision=precision_difference(self._dataset.class_names, *results),
            map=(number_of(results[0], "map"), number_of(results[1], "map")),
            matches=matches,
            pseudo_labels=pseudo_labels,
            examples=examples,
        )

    def _states(self, run: int) -> npt.NDArray[np.int8]:
        return snapshot_states(self._jobs.folder(run), self._dataset)

    def _matched(self, first: int, second: int) -> tuple[list[dict[str, Any]], tuple[Match, ...]]:
        """Measure both runs on cells that neither was trained on: of split test, and those that the later one held out.

        Returns:
            mAP and average precisions of the first run and of the second, on the cells of the first match; all matches.
        """
        early, late = (self._proposed.scores_of(run) for run in sorted((first, second)))
        is_test = self._is_test(first) & self._is_test(second)
        trained = (self._states(early.run) != 0) & ~early.heldout & ~self._is_test(early.run)
        known = self._states(late.run)
        cells: dict[Place, npt.NDArray[np.bool_]] = {
            "test": is_test,
            "held-out": late.heldout & ~trained & ~self._is_test(late.run),
        }
        one, other, names = self._logits(first), self._logits(second), self._dataset.class_names
        is_scored = ~np.isnan(one) & ~np.isnan(other)
        states = {place: np.where(mask & is_scored, known, 0).astype(np.int8) for place, mask in cells.items()}
        if not states["test"].any():
            del states["test"]
        matches = tuple(match(other, one, some, place) for place, some in states.items())
        shown = next(iter(states.values())) * (matches[0].map is not None)
        results = [
            {"map": value, "ap": dict(zip(names, average_precisions(logits, shown).tolist(), strict=True))}
            for value, logits in ((matches[0].other_map, one), (matches[0].map, other))
        ]
        return results, matches

    def _logits(self, run: int) -> npt.NDArray[np.float32]:
        """Return what a run made of today's images and classes, uncalibrated, (N, C); nan where it knew neither."""
        dataset, folder = self._dataset, RunFolder(self._jobs.folder(run))
        snapshot = load_snapshot(folder.snapshot_file)
        names = [dataset.renamed.get(name, name) for name in snapshot.class_names.tolist()]
        logits = folder.logits().astype(np.float32)
        return align_cells(logits, snapshot.image_ids.tolist(), names, dataset.table, fill=np.nan)

    def _is_test(self, run: int) -> npt.NDArray[np.bool_]:
        """Return which of today's images were of split test when a run began, (N, 1)."""
        snapshot = load_snapshot(RunFolder(self._jobs.folder(run)).snapshot_file)
        tested = snapshot.image_ids[snapshot.splits == TEST_SPLIT]
        return np.isin(self._dataset.table.image_ids, tested)[:, None]

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
