"""One simulated person at work on one data set whose truth is known, watched until the labels are good enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.evaluation.annotator import SimulatedAnnotator
from logicmix_studio.evaluation.costs import CostModel, Effort
from logicmix_studio.evaluation.person import Person, Services
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.store import Source

NUM_POINTS: Final = 100
"""Points of a curve in the time that looking once at every photograph takes."""


@dataclass(frozen=True)
class Goal:
    """When the labels are good enough."""

    right: float = 0.99
    """Share of the cells whose known state is the true one; an unknown cell is not right."""
    found: float = 0.95
    """Share of the positives that are known to be positive."""


@dataclass(frozen=True)
class Standing:
    """How good the labels are; shares in [0, 1] of the cells, or of the positives, outside split test."""

    known: float
    right: float
    found: float
    guessed_right: float
    """The same where unknown cells take what the model says (absent before the first run)."""
    guessed_found: float
    wrong: int
    """Cells with a known state that is not the true one, whoever said so."""
    wrong_accepted: int
    """Those of them that were accepted from a model."""


def stand(
    states: NDArray[np.int8],
    truth: NDArray[np.int8],
    is_accepted: NDArray[np.bool_] | None = None,
    scores: NDArray[np.floating[Any]] | None = None,
) -> Standing:
    """Compare labels with the truth.

    Args:
        states: (N, C) what is known.
        truth: (N, C) in {-1, 1}.
        is_accepted: (N, C) True where a model's claim was accepted.
        scores: (N, C) what a model says, in [0, 1]; None before the first run.
    """
    is_known, is_positive = states != UNKNOWN, truth == POSITIVE
    is_wrong = is_known & (states != truth)
    guess = np.full_like(states, NEGATIVE) if scores is None else np.where(scores > 0.5, POSITIVE, NEGATIVE)
    guessed = np.where(is_known, states, guess)
    num_positive = max(1, int(is_positive.sum()))
    return Standing(
        known=float(is_known.mean()),
        right=float((states == truth).mean()),
        found=float((states == POSITIVE)[is_positive].sum() / num_positive),
        guessed_right=float((guessed == truth).mean()),
        guessed_found=float((guessed == POSITIVE)[is_positive].sum() / num_positive),
        wrong=int(is_wrong.sum()),
        wrong_accepted=0 if is_accepted is None else int((is_wrong & is_accepted).sum()),
    )


class OverError(Exception):
    """The labels are good enough, or the budget is used up: the person stops."""


class Trial:
    """A person, the trainer, and what both have come to.

    Attributes:
        person: Who answers.
        services: The studio that is worked with.
        costs: What each act costs.
        points: Rows of the curve: effort, round, event and :class:`Standing`.
        reached: The effort at which the goal was reached; None until then.

    Args:
        services: A studio on a trial: its data set has complete labels.
        seed: Of the person's errors, of audits and of training.
        error_rate: Share of wrong answers.
        costs: Of each act.
        budget: Seconds after which the person gives up.
        goal: When the labels are good enough.
        recipe: What is trained between rounds.
        overrides: Settings that differ from the recipe's.
    """

    def __init__(
        self,
        services: Services,
        *,
        seed: int,
        error_rate: float,
        costs: CostModel,
        budget: float,
        goal: Goal,
        recipe: str = "quick",
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        truth = services.dataset.complete
        assert truth is not None
        self.services, self.goal, self.costs = services, goal, costs
        self.person = Person(services, SimulatedAnnotator(truth, error_rate, seed=seed), costs, self._spend, seed)
        self.points: list[dict[str, Any]] = []
        self.reached: Effort | None = None
        self.effort = Effort()
        self.training_seconds = 0.0
        self._rows = ~services.dataset.table.is_test
        self._truth, self._budget = truth[self._rows], budget
        self._recipe, self._overrides, self._seed = recipe, dict(overrides or {}), seed
        self._step = services.dataset.table.num_images * costs.image / NUM_POINTS
        self._round, self._map, self._next = 0, float("nan"), 0.0
        self._record("start")

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes."""
        return self.services.dataset.class_names

    def train(self) -> None:
        """Train on what is known and let the new run's scores make the pseudo-labels.

        The person chooses it: by itself the studio keeps an earlier run until a later one is better beyond doubt or knows a
        fifth more cells or positives.

        Raises:
            StudioError: If the run fails.
        """
        run = self.services.runs.start(self._recipe, self._overrides, seed=self._seed)
        info = self.services.runs.wait(run)
        self.services.registry.choose(info.run)
        self._round += 1
        self.training_seconds += float(info.result.get("seconds", 0.0))
        test = info.result.get("test") or {}
        self._map = float("nan") if test.get("map") is None else float(test["map"])
        self._record("trained")

    def by_class(self) -> dict[str, float]:
        """Return the share of each class's positives that is known to be positive; nan where it has none."""
        states, is_positive = self.services.dataset.states[self._rows], self._truth == POSITIVE
        found = ((states == POSITIVE) & is_positive).sum(axis=0)
        totals = is_positive.sum(axis=0)
        shares = np.divide(found, totals, out=np.full(len(totals), np.nan), where=totals > 0)
        return dict(zip(self.class_names, shares.tolist(), strict=True))

    def finish(self) -> None:
        """Write the last point of the curve."""
        self._record("end")

    def _spend(self, effort: Effort) -> None:
        self.effort += effort
        ledger = self.services.dataset.ledger
        states = ledger.states[self._rows]
        right = float((states == self._truth).mean())
        found = (states == POSITIVE) & (self._truth == POSITIVE)
        is_there = right >= self.goal.right and found.sum() >= self.goal.found * (self._truth == POSITIVE).sum()
        if is_there:
            self.reached = self.effort
        if is_there or self.effort.seconds >= self._budget:
            raise OverError
        if self.effort.seconds >= self._next:
            self._record("")

    def _record(self, event: str) -> None:
        dataset, current = self.services.dataset, self.services.proposed.current
        standing = stand(
            dataset.states[self._rows],
            self._truth,
            (dataset.ledger.sources == Source.ACCEPTED)[self._rows],
            None if current is None else current.scores[self._rows],
        )
        place = {"round": self._round, "event": event, "test_map": self._map}
        self.points.append({**asdict(self.effort), **place, **asdict(standing)})
        self._next = self.effort.seconds + self._step
