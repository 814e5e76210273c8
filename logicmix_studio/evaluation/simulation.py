"""How long different ways of labelling take a simulated person until the labels are good enough."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.annotator import DEFAULT_ERROR_RATE
from logicmix_studio.evaluation.cells import Result, Settings, table_hash
from logicmix_studio.evaluation.costs import CostModel
from logicmix_studio.evaluation.person import OpenTrial
from logicmix_studio.evaluation.statistics import Estimate, mean_interval
from logicmix_studio.evaluation.strategies import STRATEGIES
from logicmix_studio.evaluation.trial import Goal, OverError, Trial
from logicmix_studio.labels import POSITIVE, LabelTable

THIN: Final = 10
"""With fewer positives outside split test a class is thin: one more or less found moves its share by a tenth."""
WITH_MODEL: Final = 2.0
"""A way with a model is given up after so many times what image by image takes for all photographs."""
VERSION: Final = 3
"""Raise it when a way of labelling changes: results of the former one are then made anew."""
COLUMNS: Final = ("strategy", "known_proportion", "seed", "error_rate", "recipe")
"""Settings that stand beside each row of the curves."""


@dataclass(frozen=True)
class SimulationPlan:
    """What is to be simulated."""

    strategies: tuple[str, ...] = tuple(STRATEGIES)
    seeds: tuple[int, ...] = (1, 2, 3)
    known_proportion: float = 0.1
    error_rate: float = DEFAULT_ERROR_RATE / 4
    """Less than `Goal` leaves, or nobody could reach it."""
    goal: Goal = field(default_factory=Goal)
    costs: CostModel = field(default_factory=CostModel)
    recipe: str = "quick"
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse a strategy that does not exist, shares outside [0, 1] and no seed."""
        if unknown := [name for name in self.strategies if name not in STRATEGIES]:
            raise StudioError(f"there is no strategy {unknown[0]!r}", f"choose among {', '.join(STRATEGIES)}")
        shares = {
            "known proportion": self.known_proportion,
            "error rate": self.error_rate,
            "share of right cells": self.goal.right,
            "share of positives": self.goal.found,
        }
        for name, value in shares.items():
            if not 0.0 <= value <= 1.0:
                raise StudioError(f"the {name} is {value}", "give a number from 0 to 1")
        if not self.seeds or min(self.seeds) < 0:
            raise StudioError("there is no seed, or one is negative", "give numbers like 1,2,3")

    def cells(self, complete: LabelTable) -> list[Settings]:
        """Return the settings of every trial, seed by seed, so that each seed's comparison is whole early."""
        shared = {
            "what": f"simulate {VERSION}",
            "data": table_hash(complete),
            "known_proportion": self.known_proportion,
            "error_rate": self.error_rate,
            "goal": asdict(self.goal),
            "costs": asdict(self.costs),
            "recipe": self.recipe,
            "overrides": dict(self.overrides),
        }
        return [{**shared, "strategy": name, "seed": seed} for seed in self.seeds for name in self.strategies]


def simulate(settings: Settings, complete: LabelTable, open_trial: OpenTrial) -> Result:
    """Let a person work in one way until the goal is reached or the budget used up.

    Returns:
        ``reached`` (the effort at the goal, or None), ``end`` (the last row), ``by_class``, ``training_seconds``, and
        ``rows``, the curve.
    """
    strategy, costs = STRATEGIES[settings["strategy"]], CostModel(**settings["costs"])
    with open_trial(settings["known_proportion"], settings["seed"]) as services:
        trial = Trial(
            services,
            seed=settings["seed"],
            error_rate=settings["error_rate"],
            costs=costs,
            budget=_budget(complete, costs, uses_model=strategy.uses_model),
            goal=Goal(**settings["goal"]),
            recipe=settings["recipe"],
            overrides=settings["overrides"],
        )
        with suppress(OverError):
            strategy.work(trial)
        trial.finish()
        return {
            "reached": None if trial.reached is None else asdict(trial.reached),
            "end": trial.points[-1],
            "by_class": trial.by_class(),
            "training_seconds": trial.training_seconds,
            "rows": trial.points,
        }


def _budget(complete: LabelTable, costs: CostModel, *, uses_model: bool) -> float:
    states = complete.states[~complete.is_test]
    if not uses_model:
        return math.inf
    marks = int((states == POSITIVE).sum()) * costs.of_mark(complete.num_classes)
    return WITH_MODEL * (len(states) * costs.image + marks)


@dataclass(frozen=True)
class Headline:
    """How one way of labelling did over the seeds."""

    strategy: str
    reached: int
    """Seeds in which the goal was reached, of ``seeds``."""
    seeds: int
    seconds: Estimate
    """Until then; over the seeds that reached it."""
    keys: float
    """Mean number of key presses until then."""
    share: Estimate
    """Of the seconds that the best way without a model took with the same seed; nan unless both reached the goal."""
    right: float
    """Mean shares at the end."""
    found: float
    wrong_accepted: float
    """Mean number of cells."""
    training: float
    """Mean seconds of training in all; the person may work meanwhile."""


def headlines(done: Sequence[tuple[Settings, Result]]) -> list[Headline]:
    """Return how each way did, in the order in which they first come."""
    best: dict[int, float] = {}
    for settings, result in done:
        if result["reached"] is not None and not STRATEGIES[settings["strategy"]].uses_model:
            best[settings["seed"]] = min(best.get(settings["seed"], math.inf), result["reached"]["seconds"])
    names = dict.fromkeys(settings["strategy"] for settings, _ in done)
    return [_headline(name, [one for one in done if one[0]["strategy"] == name], best) for name in names]


def _headline(name: str, done: Sequence[tuple[Settings, Result]], best: Mapping[int, float]) -> Headline:
    reached = {settings["seed"]: result["reached"] for settings, result in done if result["reached"] is not None}
    shares = [effort["seconds"] / best[seed] for seed, effort in reached.items() if seed in best]
    ends = [result["end"] for _, result in done]
    return Headline(
        strategy=name,
        reached=len(reached),
        seeds=len(done),
        seconds=mean_interval([effort["seconds"] for effort in reached.values()]),
        keys=mean_interval([effort["keys"] for effort in reached.values()]).mean,
        share=mean_interval(shares),
        right=float(np.mean([end["right"] for end in ends])),
        found=float(np.mean([end["found"] for end in ends])),
        wrong_accepted=float(np.mean([end["wrong_accepted"] for end in ends])),
        training=float(np.mean([result["training_seconds"] for _, result in done])),
    )


def thin_classes(complete: LabelTable) -> list[str]:
    """Return the classes with too few positives outside split test to say much of, those without any left out."""
    counts = (complete.states[~complete.is_test] == POSITIVE).sum(axis=0)
    return [name for name, count in zip(complete.class_names, counts.tolist(), strict=True) if 0 < count < THIN]
