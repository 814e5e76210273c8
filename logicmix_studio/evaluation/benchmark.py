"""Methods side by side: each is trained on the same labels, and measured on split test and on what was hidden."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.cells import Result, Settings, Slots, table_hash
from logicmix_studio.evaluation.methods import find_method
from logicmix_studio.evaluation.person import OpenTrial
from logicmix_studio.evaluation.simulation import THIN
from logicmix_studio.evaluation.statistics import mean_interval
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, LabelTable
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.heldout import training_rows
from logicmix_studio.training.outcome import measure_calibrated
from logicmix_studio.training.run_folder import RunFolder, read_events

SMALL: Final = {"backbone.image_size": 64, "schedule.epochs": 4, "schedule.min_steps": 0, "optimizer.batch_size": 64}
"""Settings with which the default grid ends within minutes on a CPU; for a real comparison give your own."""
VERSION: Final = 3
"""Raise it when a run's result changes: those of the former one are then made anew."""
COLUMNS: Final = ("data_name", "method", "known_proportion", "seed")
"""Settings that stand first in each row of the table."""
HEADLINE: Final = "map_enough"
"""What methods are compared by: mAP of :func:`classes_with_enough`."""


@dataclass(frozen=True)
class BenchmarkPlan:
    """Methods, known proportions and seeds; every combination is a cell."""

    methods: tuple[str, ...] = ("partial-bce", "partial-asl", "logicmix-dp-asl", "quick")
    proportions: tuple[float, ...] = (0.1,)
    seeds: tuple[int, ...] = (1, 2, 3)
    overrides: Mapping[str, Any] = field(default_factory=lambda: dict(SMALL))
    """Settings of every method that has them."""

    def __post_init__(self) -> None:
        """Refuse a method that does not exist, proportions outside (0, 1] and no seed."""
        for name in self.methods:
            find_method(name)
        if wrong := [share for share in self.proportions if not 0.0 < share <= 1.0]:
            raise StudioError(f"the known proportion is {wrong[0]}", "give numbers above 0, up to 1")
        if not self.methods or not self.proportions or not self.seeds or min(self.seeds) < 0:
            raise StudioError("there is nothing to compare", "name methods, proportions and seeds of 0 or more")

    def cells(self, complete: LabelTable, data_name: str) -> list[Settings]:
        """Return the settings of every run, seed by seed."""
        shared = {"what": f"benchmark {VERSION}", "data": table_hash(complete), "data_name": data_name}
        return [
            {**shared, "method": name, "known_proportion": share, "seed": seed, **_run_settings(name, self.overrides)}
            for seed in self.seeds
            for share in self.proportions
            for name in self.methods
        ]


def _run_settings(name: str, shared: Mapping[str, Any]) -> dict[str, Any]:
    """Return recipe and overrides of a method; a shared setting that its recipe lacks is left out."""
    method = find_method(name)
    settings = RunConfig.create(method.recipe).settings
    shared = {"pseudo.should_keep_each": True, **shared}
    kept = {key: value for key, value in shared.items() if hasattr(settings, key.partition(".")[0])}
    return {"recipe": method.recipe, "overrides": {**kept, **method.overrides}}


def benchmark(settings: Settings, open_trial: OpenTrial, slots: Slots) -> Result:
    """Train one method on one trial and measure it, on the device of a free slot where there are any.

    Returns:
        ``rows``, the one of the run, and ``epochs``, one for each epoch.

    Raises:
        StudioError: If the run fails.
    """
    share, seed = settings["known_proportion"], settings["seed"]
    with slots.take() as (job, device), open_trial(share, seed) as services:
        dataset = services.dataset
        assert dataset.complete is not None
        place = {"compute.device": device} if device else {}
        if job:  # one run at a time has a device's lock: those beside it take another
            services.jobs.locks_dir = dataset.workspace.folder.parent / f"locks-{job}"
        run = services.runs.start(settings["recipe"], {**settings["overrides"], **place}, seed=seed)
        info = services.runs.wait(run, slots.check)
        is_test, folder = dataset.table.is_test, RunFolder(info.folder)
        logits, current = folder.logits().astype(np.float32), services.proposed.scores_of(run)
        tested = np.where(is_test[:, None], dataset.complete, UNKNOWN).astype(np.int8)
        metrics = measure_calibrated(logits, tested, current.calibration)
        hidden = np.where((dataset.states == UNKNOWN) & ~is_test[:, None], dataset.complete, UNKNOWN).astype(np.int8)
        is_enough = classes_with_enough(dataset.complete, is_test)
        epochs, seconds = int(info.result.get("epochs", 0)), float(info.result["seconds"])
        row = {
            "realised_proportion": float((dataset.states[~is_test] != UNKNOWN).mean()),
            HEADLINE: float(pd.Series(metrics.average_precision[is_enough]).mean()),  # leaves nan out
            "map": metrics.map,
            "map_11_point": eleven_point_map(logits, tested),
            "of1": metrics.overall_f1,
            "cf1": metrics.class_f1,
            "calibration_error": metrics.calibration_error,
            **proposal_quality(services.proposed.propose(current), hidden),
            "epochs": epochs,
            "seconds": seconds,
            "images_per_second": epochs * int((~is_test).sum()) / max(seconds, 1e-9),
        }
        return {"rows": [row], "epochs": epoch_rows(folder, hidden)}


def epoch_rows(folder: RunFolder, hidden: NDArray[np.int8]) -> list[dict[str, Any]]:
    """Return how a run went, epoch by epoch: losses, held-out mAP and how right its pseudo-labels were.

    Args:
        folder: The run, with the pseudo-labels of each epoch if it made any.
        hidden: (N, C) the truth of hidden cells; 0 elsewhere. Those of images that are trained on count.
    """
    trained = np.zeros_like(hidden)
    rows = training_rows(folder.snapshot())
    trained[rows] = hidden[rows]
    told = []
    for event in read_events(folder.events_file)[0]:
        if event["event"] == "epoch":
            row = {name: event[name] for name in ("epoch", "loss_original", "loss_mixed")}
            file, quality = folder.pseudo_file(event["epoch"]), dict[str, float]()
            if file.is_file():
                quality = proposal_quality(np.load(file, allow_pickle=False), trained)
            told.append({**row, "heldout_map": event["map"], **quality})
    return told


def classes_with_enough(states: NDArray[np.int8], is_test: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (C,) which classes have enough positives both to learn from and to measure; all where none has.

    Args:
        states: (N, C) the truth.
        is_test: (N,) images that only measure.
    """
    least = np.minimum(*((states[rows] == POSITIVE).sum(axis=0) for rows in (is_test, ~is_test)))
    return np.asarray((least >= THIN) | (least.max() < THIN))


def summarize(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the methods by known proportion, the best first, as Train shows them; those without an mAP are left out.

    Args:
        table: One row a run: ``method, known_proportion, seed`` and the headline among them.

    Returns:
        The fields of :class:`runs.benchmark.Measured`.
    """
    rows = []
    for share, runs in table.groupby("known_proportion"):
        by_seed = runs.pivot(index="seed", columns="method", values=HEADLINE).dropna(axis="columns")
        means = by_seed.mean().sort_values(ascending=False, kind="stable")
        for name in means.index:
            found, gap = mean_interval(by_seed[name]), mean_interval(by_seed[means.index[0]] - by_seed[name])
            method = find_method(name)
            row = {"method": name, "words": method.words, "recipe": method.recipe, "known_proportion": share}
            row |= {"seeds": found.count, "map": found.mean, "low": found.low, "high": found.high}
            rows.append({**row, "behind": gap.mean, "behind_low": gap.low})
    return rows


def proposal_quality(proposals: NDArray[np.int8], hidden: NDArray[np.int8]) -> dict[str, float]:
    """Return precision and recall of pseudo-labels by sign on cells whose truth was hidden; nan of none.

    Args:
        proposals: (N, C) in {-1, 0, 1}.
        hidden: (N, C) the truth of hidden cells; 0 elsewhere.
    """
    told = {}
    for sign, name in ((POSITIVE, "positive"), (NEGATIVE, "negative")):
        claimed = (proposals == sign) & (hidden != UNKNOWN)
        right, total = int((claimed & (hidden == sign)).sum()), int((hidden == sign).sum())
        told[f"pseudo_{name}_precision"] = right / int(claimed.sum()) if claimed.any() else float("nan")
        told[f"pseudo_{name}_recall"] = right / total if total else float("nan")
    return told


def eleven_point_map(scores: NDArray[np.floating[Any]], states: NDArray[np.int8]) -> float:
    """Return the mean over classes of the 11-point average precision of VOC 2007; nan without a class of both signs.

    Args:
        scores: (N, C) of any monotone scale; cells with nan are left out.
        states: (N, C) in {-1, 0, 1}; 0 is left out.
    """
    values = []
    for column in range(states.shape[1]):
        known = (states[:, column] != UNKNOWN) & ~np.isnan(scores[:, column])
        truth = states[known, column] == POSITIVE
        if truth.any() and not truth.all():
            values.append(eleven_point(scores[known, column], truth))
    return float(np.mean(values)) if values else float("nan")


def eleven_point(scores: NDArray[np.floating[Any]], truth: NDArray[np.bool_]) -> float:
    """Return the mean of the best precision at a recall of at least 0, 0.1, ... 1.

    Example:
        >>> round(eleven_point(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])), 4)
        0.8485
    """
    ranked = truth[np.argsort(-scores, kind="stable")]
    hits = np.cumsum(ranked)
    recall, precision = hits / hits[-1], hits / np.arange(1, len(ranked) + 1)
    return float(np.mean([precision[recall >= step / 10 - 1e-12].max() for step in range(11)]))
