"""Runs as the Train tab shows them: cards, what a finished run changed, how two runs differ."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review import changes, conflict_mask, propose
from logicmix_studio.runs import RunInfo
from logicmix_studio.runs.scores import RunScores
from logicmix_studio.studio import Studio
from logicmix_studio.training.metrics import measure
from logicmix_studio.training.run_folder import RunFolder, Snapshot

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

    def line(self) -> str:
        """Return the change in one line of words.

        Example:
            >>> RunChange(312, 0, 14, 6, 9, 300, 12, None).line()
            '+312 pseudo-labels in 9 classes, 14 flipped, 6 conflicts'
        """
        new = f"+{_counted(self.new, 'pseudo-label')} in {_counted(self.classes, 'class', 'es')}"
        parts = [new if self.new else "no new pseudo-label"]
        if self.withdrawn:
            parts.append(f"{self.withdrawn:,} withdrawn")
        if self.flipped:
            parts.append(f"{self.flipped:,} flipped")
        if self.conflicts:
            parts.append(_counted(self.conflicts, "conflict"))
        return ", ".join(parts)


def run_card(studio: Studio, info: RunInfo) -> dict[str, Any]:
    """Return how a run stands, for its card."""
    current, _ = studio.current_choice()
    return {
        "run": info.run,
        "recipe": info.recipe,
        "status": info.status,
        "message": info.message,
        "fraction": info.fraction,
        "eta_s": info.eta_s,
        "created": info.created,
        "updated": info.updated,
        "name": info.name,
        "note": info.note,
        "star": info.star,
        "init_from": run_number(info.init_from),
        "is_active": info.is_active,
        "is_resumable": info.is_resumable,
        "is_current": info.run == current,
        "map": mean_precision(info.result),
        "seconds": info.result.get("seconds"),
        "epochs": info.result.get("epochs"),
        "best_epoch": info.result.get("best_epoch"),
    }


def run_change(studio: Studio, run: int, before: int | None) -> RunChange:
    """Compare a finished run's pseudo-labels with an earlier run's, at the labels the later one was given.

    Args:
        studio: The studio.
        run: The run.
        before: The earlier run; None where there is none.

    Raises:
        StudioError: If a run left no usable scores.
    """
    states, is_test = snapshot_states(studio, run), studio.table.is_test
    scores = studio.run_scores(run).scores
    now = propose(scores, states, studio.thresholds, excluded_rows=is_test)
    then = np.zeros_like(now)
    if before is not None:
        earlier = studio.run_scores(before).scores
        then = propose(earlier, states, studio.thresholds, excluded_rows=is_test)
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


def snapshot_states(studio: Studio, run: int) -> npt.NDArray[np.int8]:
    """Return the (N, C) states that a run was given, for today's images and classes; 0 where it knew neither.

    Args:
        studio: The studio.
        run: The run.

    Raises:
        StudioError: If the run's snapshot is missing or broken.
    """
    snapshot = _snapshot(RunFolder(studio.jobs.folder(run)).snapshot_file)
    ids, names = tuple(snapshot.image_ids.tolist()), tuple(snapshot.class_names.tolist())
    if ids == studio.image_ids and names == studio.class_names:
        return snapshot.states
    states = np.zeros(studio.ledger.states.shape, dtype=np.int8)
    row_of, column_of = studio.ledger.row_of, studio.ledger.column_of
    rows = [(row_of[i], old) for old, i in enumerate(ids) if i in row_of]
    columns = [(column_of[n], old) for old, n in enumerate(names) if n in column_of]
    if rows and columns:
        new_rows, old_rows = (list(part) for part in zip(*rows, strict=True))
        new_columns, old_columns = (list(part) for part in zip(*columns, strict=True))
        states[np.ix_(new_rows, new_columns)] = snapshot.states[np.ix_(old_rows, old_columns)]
    return states


def compare_runs(studio: Studio, first: int, second: int) -> dict[str, Any]:
    """Return how two runs differ: settings, average precision of each class, pseudo-labels at today's labels.

    Args:
        studio: The studio.
        first: A run.
        second: Another run.

    Raises:
        StudioError: If there is no such run.
    """
    one, other = studio.jobs.info(first), studio.jobs.info(second)
    have_scores = one.status == other.status == "finished"
    results = shared_results(studio, first, second) if have_scores else (one.result, other.result)
    return {
        "runs": [first, second],
        "settings": settings_difference(studio, first, second),
        "precision": precision_difference(studio.class_names, *results),
        "map": [mean_precision(result) for result in results],
        "pseudo": pseudo_difference(studio, first, second) if have_scores else None,
    }


def shared_results(studio: Studio, first: int, second: int) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Measure two runs on the same cells: held out by the later one, and not trained on by the earlier one.

    Args:
        studio: The studio.
        first: A finished run.
        second: Another.

    Returns:
        The metrics of each, by the names that ``result.json`` has.

    Raises:
        StudioError: If a run left no usable scores.
    """
    early, late = min(first, second), max(first, second)
    early_trained = (snapshot_states(studio, early) != 0) & ~studio.run_scores(early).heldout
    cells = studio.run_scores(late).heldout & ~early_trained
    states = np.where(cells, snapshot_states(studio, late), 0).astype(np.int8)
    one, other = (
        measure(studio.run_scores(run).scores, states).as_dict(studio.class_names) for run in (first, second)
    )
    return one, other


def settings_difference(studio: Studio, first: int, second: int) -> list[dict[str, Any]]:
    """Return every setting in which two runs differ, what they knew included."""
    return [
        {"name": name, "values": [values_a.get(name), values_b.get(name)]}
        for values_a, values_b in [(_flat_config(studio, first), _flat_config(studio, second))]
        for name in dict.fromkeys([*values_a, *values_b])
        if values_a.get(name) != values_b.get(name)
    ]


def precision_difference(
    class_names: tuple[str, ...], first: Mapping[str, Any], second: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the average precision of each class in two runs, the largest difference first.

    Args:
        class_names: C names.
        first: A run's ``result.json``.
        second: Another's.
    """
    one, other = class_precision(first), class_precision(second)
    rows = [{"class": name, "ap": [one.get(name), other.get(name)]} for name in class_names]
    return sorted(rows, key=lambda row: -_gap(row["ap"]))


def pseudo_difference(studio: Studio, first: int, second: int) -> dict[str, Any]:
    """Return where the pseudo-labels of two runs differ at today's labels and thresholds.

    Args:
        studio: The studio.
        first: A finished run.
        second: Another.

    Raises:
        StudioError: If a run left no usable scores.
    """
    scores = [studio.run_scores(first), studio.run_scores(second)]
    one, other = studio.propose(scores[0]), studio.propose(scores[1])
    only_one, only_other = (one != 0) & (other == 0), (one == 0) & (other != 0)
    opposite = (one != 0) & (other == -one)
    per_class: list[dict[str, Any]] = [
        {
            "class": name,
            "same": int(((one != 0) & (one == other))[:, column].sum()),
            "first": int(only_one[:, column].sum()),
            "second": int(only_other[:, column].sum()),
            "opposite": int(opposite[:, column].sum()),
        }
        for column, name in enumerate(studio.class_names)
    ]
    totals = {key: sum(row[key] for row in per_class) for key in ("same", "first", "second", "opposite")}
    per_class.sort(key=lambda row: -(row["opposite"] * 1000 + row["first"] + row["second"]))
    examples = _examples(studio, scores, opposite, only_one | only_other)
    return {"totals": totals, "per_class": per_class, "examples": examples}


def mean_precision(result: Mapping[str, Any]) -> float | None:
    """Return the mAP on held-out known cells that a ``result.json`` holds, or None."""
    value = result.get("map")
    return float(value) if isinstance(value, int | float) and not math.isnan(value) else None


def run_number(name: str | None) -> int | None:
    """Return the number of a run from its folder's name, or None."""
    return int(Path(name).name) if name and Path(name).name.isdigit() else None


def class_precision(result: Mapping[str, Any]) -> dict[str, float]:
    """Return the average precision by class name that a ``result.json`` holds."""
    values = result.get("ap")
    if not isinstance(values, Mapping):
        return {}
    return {
        str(name): float(value)
        for name, value in values.items()
        if value is not None and not math.isnan(float(value))
    }


@lru_cache(maxsize=8)
def _snapshot(path: Path) -> Snapshot:
    return Snapshot.load(path)


def _flat_config(studio: Studio, run: int) -> dict[str, Any]:
    folder = RunFolder(studio.jobs.folder(run))
    config = folder.config()
    states = _snapshot(folder.snapshot_file).states
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


def _examples(
    studio: Studio, scores: list[RunScores], opposite: npt.NDArray[np.bool_], single: npt.NDArray[np.bool_]
) -> list[dict[str, Any]]:
    """Return the cells about which two runs disagree most, opposite signs first."""
    gap = np.abs(scores[0].scores.astype(np.float32) - scores[1].scores.astype(np.float32))
    weight = np.where(opposite, 1.0 + gap, np.where(single, gap, 0.0))
    weight = np.nan_to_num(weight)
    most = min(MOST_EXAMPLES, int((weight > 0).sum()))
    if most == 0:
        return []
    largest = np.argpartition(weight, -most, axis=None)[-most:]
    flat = largest[np.argsort(-weight.ravel()[largest], kind="stable")]
    rows, columns = np.unravel_index(flat, weight.shape)
    return [
        {
            "image": studio.image_ids[row],
            "path": studio.table.paths[row],
            "class": studio.class_names[column],
            "scores": [round(float(each.scores[row, column]), 3) for each in scores],
            "opposite": bool(opposite[row, column]),
        }
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]


def _gap(pair: list[float | None]) -> float:
    return -1.0 if None in pair else abs(float(pair[1] or 0.0) - float(pair[0] or 0.0))


def _counted(number: int, word: str, ending: str = "s") -> str:
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}{ending}"
