"""Thresholds and bulk acceptance: what the audits allow, and what it takes to go beyond them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review import (
    CellView,
    Coverage,
    Evidence,
    Solution,
    Thresholds,
    collect_evidence,
    count_bands,
    lower_bounds,
    propose,
    solve_thresholds,
)
from logicmix_studio.review.audit_service import AuditService
from logicmix_studio.review.service import ReviewService
from logicmix_studio.store import Decision, Receipt
from logicmix_studio.studio import Studio

MOST_AT_ONCE = 200_000
"""Cells of one bulk: a line of the journal must stay readable."""

CURVE = np.concatenate(
    [np.arange(0.5, 0.9, 0.02), np.arange(0.9, 0.99, 0.005), np.arange(0.99, 1.0005, 0.001)]
)
"""Thresholds at which a slider knows the number of cells."""


@dataclass(frozen=True)
class Part:
    """One class and sign of a bulk, from a threshold on."""

    class_name: str
    sign: int
    threshold: float


@dataclass(frozen=True)
class PartPlan:
    """What a bulk would write for one class and sign."""

    part: Part
    cells: npt.NDArray[np.int64]
    """(M,) flat indices."""
    lower_bound: float
    """What audits say of the precision of these cells, one-sided."""
    is_covered: bool
    """Whether the audits hold the target at this threshold."""
    reason: str
    """Why not, in words; empty where they do."""


class ThresholdRoom:
    """Solves thresholds from audits and writes bulks.

    Args:
        studio: The studio.
        desk: The queues.
        audits: The audits.
    """

    def __init__(self, studio: Studio, desk: ReviewService, audits: AuditService) -> None:
        self.studio = studio
        self.desk = desk
        self.audits = audits
        self._lock = threading.Lock()
        self._bounds: (
            tuple[tuple[int, int], Evidence, npt.NDArray[np.int64], npt.NDArray[np.float64]] | None
        ) = None

    def solve(self, target: float) -> Solution | None:
        """Return the thresholds that hold a precision; None before the first run.

        Raises:
            StudioError: If the target is no share that audits can show.
        """
        view = self.desk.view(with_proposals=False)
        if view.scores is None:
            return None
        evidence, populations, bounds = self._evidence(view)
        return solve_thresholds(target, self.studio.class_names, evidence, populations, bounds)

    def evidence(self) -> Evidence | None:
        """Return what audits of the current run said; None before the first run."""
        view = self.desk.view(with_proposals=False)
        return None if view.scores is None else self._evidence(view)[0]

    def plan(self, parts: Sequence[Part], target: float) -> list[PartPlan]:
        """Return what a bulk would write, and whether audits cover it.

        Cells of open audits are left to the audit.

        Args:
            parts: Classes and signs with their thresholds, each class and sign once.
            target: The precision that audits must show.

        Raises:
            StudioError: If there is no run, a class is none, or a class and sign stands there twice.
        """
        view, solution = self.desk.view(with_proposals=False), self.solve(target)
        if view.scores is None or solution is None:
            raise StudioError("there are no pseudo-labels to accept", "train first")
        solved = {(part.class_name, part.sign): part for part in solution.parts}
        plans: dict[tuple[str, int], PartPlan] = {}
        for part in parts:
            key = (part.class_name, part.sign)
            if key not in solved:
                raise StudioError(f"there is no class {part.class_name!r}", "reload the page")
            if key in plans:
                raise StudioError(
                    f"{part.class_name!r} stands twice in this bulk", "choose each class and sign once"
                )
            threshold, needed = solved[key].threshold, solved[key]
            is_covered = threshold is not None and part.threshold >= threshold - 1e-9
            reason = "" if is_covered else _reason(part, threshold, needed.message(), target)
            plans[key] = PartPlan(part, self._cells(view, part), needed.lower_bound, is_covered, reason)
        return list(plans.values())

    def accept(
        self,
        parts: Sequence[Part],
        target: float,
        *,
        who: str,
        action_id: str,
        expected: int,
        override: str = "",
    ) -> tuple[Receipt, list[PartPlan]]:
        """Accept all pseudo-labels of some classes and signs: one journal line, one undo.

        Args:
            parts: Classes and signs with their thresholds.
            target: The precision that audits must show.
            who: The person.
            action_id: The same id twice is one action.
            expected: How many cells the person was told.
            override: Why to accept what audits do not cover.

        Raises:
            StudioError: If a part is not covered and no reason is given, the number of cells has changed meanwhile, or
                there are none or too many.
        """
        with self.studio.ledger.lock:
            known = self.desk.actions.find(action_id)
            if known is not None:
                return Receipt(line=known, repeated=True), []
            plans = self.plan(parts, target)
            total = sum(len(plan.cells) for plan in plans)
            self._check(plans, total, expected, override)
            extra = {
                "bulk": [_plan_fact(plan) for plan in plans],
                "target": target,
                **({"override": override.strip()} if override.strip() else {}),
            }
            run, _ = self.studio.current_choice()
            receipt = self.studio.ledger.decide(
                self._decisions(plans),
                who=who,
                origin="bulk",
                action_id=action_id,
                run=run,
                note=f"accepted {total} pseudo-labels at once",
                extra=extra,
            )
            return receipt, plans

    # within ------------------------------------------------------------------

    def _check(self, plans: Sequence[PartPlan], total: int, expected: int, override: str) -> None:
        uncovered = [plan for plan in plans if not plan.is_covered]
        if uncovered and not override.strip():
            first = uncovered[0]
            raise StudioError(
                f"{first.part.class_name!r} is not covered by an audit: {first.reason}",
                "run the audit, leave the class out, or say why it shall be accepted all the same",
            )
        if total == 0:
            raise StudioError("there is nothing to accept", "lower the threshold or choose other classes")
        if total > MOST_AT_ONCE:
            raise StudioError(
                f"{total:,} cells are too many for one action", f"accept up to {MOST_AT_ONCE:,} at once"
            )
        if total != expected:
            raise StudioError(
                f"the bulk would write {total:,} cells, {expected:,} were named",
                "look at the new number and confirm again",
            )

    def _cells(self, view: CellView, part: Part) -> npt.NDArray[np.int64]:
        assert view.scores is not None
        column = self.studio.ledger.column_of[part.class_name]
        one = slice(column, column + 1)
        threshold = np.array([part.threshold])
        claims = propose(
            view.scores[:, one],
            view.states[:, one],
            Thresholds(threshold, threshold),
            excluded_rows=self.studio.table.is_test,
            unsure_run=None if view.unsure_run is None else view.unsure_run[:, one].astype(np.int32),
            run=view.run,
        )
        rows = np.flatnonzero(claims[:, 0] == part.sign)
        cells = rows * self.studio.table.num_classes + column
        reserved = np.fromiter(self.desk.reserved, dtype=np.int64, count=len(self.desk.reserved))
        return np.asarray(cells[~np.isin(cells, reserved)], dtype=np.int64)

    def _decisions(self, plans: Sequence[PartPlan]) -> list[Decision]:
        current = self.studio.current
        assert current is not None
        decisions = []
        for plan in plans:
            rows, columns = np.divmod(plan.cells, self.studio.table.num_classes)
            scores = current.scores[rows, columns].astype(np.float64).round(4).tolist()
            decisions += [
                Decision(self.studio.image_ids[row], plan.part.class_name, plan.part.sign, "accept", score)
                for row, score in zip(rows.tolist(), scores, strict=True)
            ]
        return decisions

    def _evidence(self, view: CellView) -> tuple[Evidence, npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        key = (view.run, self.studio.ledger.seq)
        with self._lock:
            if self._bounds is None or self._bounds[0] != key:
                evidence = collect_evidence(self.audits.evidence(), self.studio.class_names, view.run)
                coverage = self.desk.coverage()
                assert coverage is not None
                populations = count_bands(coverage)
                self._bounds = (key, evidence, populations, lower_bounds(evidence, populations))
            return self._bounds[1:]


def curve_of(coverage: Coverage, num_classes: int) -> dict[str, Any]:
    """Return how many cells each threshold of a slider covers, by class.

    Args:
        coverage: The sorted scores.
        num_classes: C.
    """
    counts = [coverage.count(Thresholds.constant(num_classes, value, value)) for value in CURVE.clip(max=1.0)]
    return {
        "thresholds": [round(float(value), 4) for value in CURVE.clip(max=1.0)],
        "positive": np.stack([positive for positive, _ in counts], axis=1).tolist(),
        "negative": np.stack([negative for _, negative in counts], axis=1).tolist(),
    }


def _reason(part: Part, threshold: float | None, message: str, target: float) -> str:
    if threshold is None:
        return message
    sign = "present" if part.sign == POSITIVE else "absent"
    return f"“{sign}” holds {target:.1%} only from {threshold:.3f} on, not from {part.threshold:.3f}"


def _plan_fact(plan: PartPlan) -> Mapping[str, Any]:
    return {
        "class": plan.part.class_name,
        "sign": plan.part.sign,
        "threshold": plan.part.threshold,
        "cells": len(plan.cells),
        "lower_bound": round(plan.lower_bound, 4),
        "covered": plan.is_covered,
    }
