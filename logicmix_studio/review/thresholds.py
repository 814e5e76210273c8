"""Thresholds from a target: "accept at 98 %" gives each class and sign the lowest threshold that holds it.

Audits measure precision band by band. What a threshold covers is a mixture of bands, so its precision is
their mean, weighted by how many open cells the class has in each; draws from the pooled estimate of every
band (`pooling`) give its one-sided lower bound. A threshold holds where that bound reaches the target.

C classes, B bands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.review.audit import SIGNS, AuditPlan, Cell
from logicmix_studio.review.bands import BAND_EDGES, NUM_BANDS
from logicmix_studio.review.coverage import Coverage
from logicmix_studio.review.intervals import DEFAULT_LEVEL, look_level
from logicmix_studio.review.pooling import Hierarchy, draw_precisions, fit_hierarchy, more_audits
from logicmix_studio.review.proposals import Thresholds

NUM_DRAWS = 4000
"""Draws behind a lower bound: the 2 % point then lies between the true 1.6 % and 2.5 % points."""

MOST_AUDITS = 2000
"""Beyond this number, nobody is asked to audit."""

_SEED = 20240519


@dataclass(frozen=True)
class Evidence:
    """Audited claims, for one run."""

    right: NDArray[np.int64]
    """(2, C, B) claims that were right; the first index is 0 for positives and 1 for negatives."""
    total: NDArray[np.int64]
    """(2, C, B) claims that were checked, "unsure" among them."""
    looks: NDArray[np.int64] | None = None
    """(C,) finished audits that drew from the class; None where each class was audited once at the most."""

    def num_looks(self) -> NDArray[np.int64]:
        """Return (C,) how often one has looked at each class."""
        if self.looks is not None:
            return self.looks
        return np.asarray(self.total.sum(axis=(0, 2)) > 0, dtype=np.int64)


def collect_evidence(
    audits: Iterable[tuple[AuditPlan, Mapping[Cell, int]]], class_names: Sequence[str], run: int
) -> Evidence:
    """Count the answers to audits; those of other runs and classes are passed over.

    Args:
        audits: Each plan with its answers, as for `score_audit`; only audits that are finished, so that their size
            does not hang on what they found.
        class_names: C names.
        run: The run whose claims are to be judged.
    """
    right = np.zeros((len(SIGNS), len(class_names), NUM_BANDS), dtype=np.int64)
    total = np.zeros_like(right)
    looks = np.zeros(len(class_names), dtype=np.int64)
    column = {name: index for index, name in enumerate(class_names)}
    for plan, answers in audits:
        if plan.run != run:
            continue
        drawn: set[int] = set()
        for item in plan.items:
            if item.is_planted or item.cell not in answers or item.class_name not in column:
                continue
            place = SIGNS.index(item.sign), column[item.class_name], item.band
            total[place] += 1
            right[place] += answers[item.cell] == item.sign
            drawn.add(place[1])
        looks[list(drawn)] += 1
    return Evidence(right, total, looks)


def count_bands(coverage: Coverage) -> NDArray[np.int64]:
    """Return (2, C, B) the number of open cells of each sign, class and confidence band.

    Args:
        coverage: The scores of all open cells.
    """
    num_classes = len(coverage.num_open)
    covered = [coverage.count(Thresholds.constant(num_classes, edge, edge)) for edge in BAND_EDGES]
    falling = np.stack([np.stack(sides) for sides in covered], axis=-1)
    falling[:, :, :-1] -= falling[:, :, 1:]
    return falling


def lower_bounds(
    evidence: Evidence, populations: NDArray[np.int64], level: float = DEFAULT_LEVEL
) -> NDArray[np.float64]:
    """Return (2, C, B) the lower bound of precision for a threshold at the lower end of each band.

    Deterministic: the draws behind it are seeded. The result does not depend on a target, so that a slider
    over targets needs it only once.

    Args:
        evidence: Audited claims.
        populations: (2, C, B) open cells; see `count_bands`.
        level: Chance that the precision is at least the bound, at all looks together.
    """
    levels = np.array([look_level(level, max(look, 1)) for look in evidence.num_looks().tolist()])
    rng = np.random.default_rng(_SEED)
    bounds = np.zeros(populations.shape)
    for side in range(len(SIGNS)):
        covered = np.zeros(populations.shape[1])
        summed = np.zeros((NUM_DRAWS, populations.shape[1]))
        for band in reversed(range(NUM_BANDS)):
            right, total = evidence.right[side, :, band], evidence.total[side, :, band]
            drawn = draw_precisions(fit_hierarchy(right, total), right, total, NUM_DRAWS, rng)
            summed += drawn * populations[side, :, band]
            covered += populations[side, :, band]
            mean = summed / np.maximum(covered, 1.0)
            bounds[side, :, band] = np.where(covered > 0, _lower_quantiles(mean, 1.0 - levels), 0.0)
    return bounds


def _lower_quantiles(draws: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (C,) for each column of (S, C) draws the value that is undercut with the column's chance."""
    found = np.empty(len(chances))
    for chance in np.unique(chances):
        columns = chances == chance
        found[columns] = np.quantile(draws[:, columns], chance, axis=0)
    return found


@dataclass(frozen=True)
class Solved:
    """What one class and sign need for a target precision."""

    class_name: str
    sign: int
    threshold: float | None
    """The lowest confidence that holds the target, or None where none does."""
    lower_bound: float
    """Of the precision at the threshold; at the highest band where there is no threshold."""
    num_cells: int
    """Open cells that the threshold covers; 0 without one."""
    audits_needed: int | None = 0
    """Audits of one band that would be enough if all were right; None where no band has that many cells."""
    num_claims: int = 0
    """Open cells on this side of 0.5."""

    def message(self) -> str:
        """Return what to tell a person."""
        if not self.num_claims:
            return "nothing to accept"
        if self.threshold is not None:
            share = f"right in at least {self.lower_bound:.1%}"
            return f"from {self.threshold:.0%}: {self.num_cells:,} cells, {share}"
        if self.audits_needed is None:
            return "too few cells for an audit: review them one by one"
        plural = "" if self.audits_needed == 1 else "s"
        return f"{self.audits_needed:,} more audit{plural} needed"


@dataclass(frozen=True)
class Solution:
    """Thresholds for a target precision."""

    target: float
    parts: tuple[Solved, ...]
    """Two for each class: its positives, then its negatives."""

    def as_thresholds(self, otherwise: Thresholds, class_names: Sequence[str]) -> Thresholds:
        """Return thresholds that hold the target where one does.

        Args:
            otherwise: Kept where none does; nothing of these may be accepted without being seen.
            class_names: C names.
        """
        result = otherwise
        column = {name: index for index, name in enumerate(class_names)}
        for part in self.parts:
            if part.threshold is not None:
                result = result.replace(column[part.class_name], part.sign, part.threshold)
        return result


def solve_thresholds(
    target: float,
    class_names: Sequence[str],
    evidence: Evidence,
    populations: NDArray[np.int64],
    bounds: NDArray[np.float64] | None = None,
    level: float = DEFAULT_LEVEL,
) -> Solution:
    """Return, for each class and sign, the lowest threshold whose lower bound holds, or what is missing.

    Args:
        target: Precision that is asked for, in (0, 1).
        class_names: C names.
        evidence: Audited claims of this run.
        populations: (2, C, B) open cells; see `count_bands`.
        bounds: From `lower_bounds`, to spare the work; worked out where None.
        level: Chance with which each bound holds, at all looks together.

    Raises:
        StudioError: If the target is no share that audits can show.
    """
    if not 0.0 < target < 1.0:
        raise StudioError(
            f"The target precision is {target}.", "Choose a number above 0 and below 1, such as 0.98."
        )
    found = lower_bounds(evidence, populations, level) if bounds is None else bounds
    missing = _MissingAudits(evidence, target, level)
    parts: list[Solved] = []
    for index, name in enumerate(class_names):
        for side, sign in enumerate(SIGNS):
            cells, limit = populations[side, index], found[side, index]
            covered = np.cumsum(cells[::-1])[::-1]
            holds = np.flatnonzero((limit >= target) & (covered > 0))
            filled = np.flatnonzero(cells)
            if len(holds):
                band = int(holds[0])
                solved = Solved(name, sign, BAND_EDGES[band], float(limit[band]), int(covered[band]))
            else:
                highest = float(limit[filled[-1]]) if len(filled) else 0.0
                solved = Solved(name, sign, None, highest, 0, missing.count(side, index, cells))
            parts.append(replace(solved, num_claims=int(cells.sum())))
    return Solution(target, tuple(parts))


class _MissingAudits:
    """How many audits are missing; classes with the same evidence share the answer."""

    def __init__(self, evidence: Evidence, target: float, level: float) -> None:
        self._evidence = evidence
        self._target = target
        self._level = level
        self._next_looks = evidence.num_looks() + 1
        self._hierarchies: dict[tuple[int, int], Hierarchy] = {}
        self._answers: dict[tuple[int, int, int, int, int], int | None] = {}

    def count(self, side: int, class_index: int, cells: NDArray[np.int64]) -> int | None:
        """Return the audits needed in the highest band that has more cells than that, or None."""
        for band in reversed(np.flatnonzero(cells).tolist()):
            needed = self._in_band(side, class_index, band)
            if needed is not None and needed < cells[band]:
                return needed
        return None

    def _in_band(self, side: int, class_index: int, band: int) -> int | None:
        right = int(self._evidence.right[side, class_index, band])
        total = int(self._evidence.total[side, class_index, band])
        next_look = int(self._next_looks[class_index])
        key = (side, band, right, total, next_look)
        if key not in self._answers:
            level = look_level(self._level, next_look)
            needed = more_audits(self._hierarchy(side, band), right, total, self._target, level, MOST_AUDITS)
            self._answers[key] = None if needed is None else max(needed, 1)
        return self._answers[key]

    def _hierarchy(self, side: int, band: int) -> Hierarchy:
        if (side, band) not in self._hierarchies:
            right, total = self._evidence.right[side, :, band], self._evidence.total[side, :, band]
            self._hierarchies[side, band] = fit_hierarchy(right, total)
        return self._hierarchies[side, band]
