"""What an audit says, stratum by stratum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review.audit import AuditItem, AuditPlan, Cell, Stratum
from logicmix_studio.review.intervals import (
    DEFAULT_LEVEL,
    clopper_pearson,
    clopper_pearson_lower,
    sequential_interval,
    sequential_lower,
)

BoundKind = Literal["fixed", "sequential"]


@dataclass(frozen=True)
class StratumResult:
    """How right the claims of one stratum are."""

    stratum: Stratum
    planned: int
    """Cells drawn."""
    checked: int
    """Cells answered so far."""
    right: int
    """Answers that agree with the claim."""
    unsure: int
    """Answers "unsure": they count as checked and not as right, so that the bound never flatters."""
    lower_bound: float
    """One-sided: the precision is at least this."""
    interval: tuple[float, float]
    """Two-sided."""
    bound_kind: BoundKind
    """Fixed (Clopper-Pearson) where all drawn cells are answered; sequential, valid at any look, before."""

    @property
    def precision(self) -> float | None:
        """Share of right claims, or None where nothing was checked."""
        return self.right / self.checked if self.checked else None


@dataclass(frozen=True)
class AuditResult:
    """What the answers to an audit say."""

    strata: tuple[StratumResult, ...]
    known_checked: int
    """Planted known cells answered, "unsure" left out."""
    known_right: int
    """Answers that agree with what was known."""

    @property
    def is_complete(self) -> bool:
        """Whether every drawn claim is answered."""
        return all(result.checked == result.planned for result in self.strata)


def score_audit(plan: AuditPlan, answers: Mapping[Cell, int], level: float = DEFAULT_LEVEL) -> AuditResult:
    """Return how right the audited claims are.

    Args:
        plan: The audit; answers to cells that are not in it are passed over.
        answers: (image id, class name) → 1 present, -1 absent, 0 unsure; cells not yet answered are missing.
        level: Of each interval and bound.
    """
    groups: dict[tuple[int, int, str], list[AuditItem]] = {}
    planted: list[AuditItem] = []
    for item in plan.items:
        (planted if item.is_planted else groups.setdefault(plan.stratum_of(item), [])).append(item)
    known = [item for item in planted if answers.get(item.cell, UNKNOWN) != UNKNOWN]
    return AuditResult(
        strata=tuple(
            _score_stratum(
                stratum, groups.get((stratum.sign, stratum.band, stratum.class_name), []), answers, level
            )
            for stratum in plan.strata
        ),
        known_checked=len(known),
        known_right=sum(answers[item.cell] == item.sign for item in known),
    )


def _score_stratum(
    stratum: Stratum, items: list[AuditItem], answers: Mapping[Cell, int], level: float
) -> StratumResult:
    given = [(answers[item.cell], item.sign) for item in items if item.cell in answers]
    right = sum(answer == sign for answer, sign in given)
    is_complete = len(given) == len(items)
    if is_complete:
        lower, (low, high) = (
            clopper_pearson_lower(right, len(given), level),
            clopper_pearson(right, len(given), level),
        )
    else:
        lower, (low, high) = (
            sequential_lower(right, len(given), level),
            sequential_interval(right, len(given), level),
        )
    return StratumResult(
        stratum=stratum,
        planned=len(items),
        checked=len(given),
        right=right,
        unsure=sum(answer == UNKNOWN for answer, _ in given),
        lower_bound=float(lower),
        interval=(float(low), float(high)),
        bound_kind="fixed" if is_complete else "sequential",
    )
