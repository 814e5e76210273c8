"""What the answered audits say of the claims of today: what they drew from, and which claims that covers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.review.audit import CLAIM_WORDS, Audit, AuditRecords, Draw, Scope
from logicmix_studio.review.evidence import Claims, Further, Sample, further_answers, group_claims, prove, worse_classes
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import Thresholds, claim_signs
from logicmix_studio.store import Dataset, Ledger

REMEMBERED: Final = 8
"""Scopes whose evidence is remembered until something changes."""
_NEVER: Final = np.iinfo(np.int64).max

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """What audits say of the claims of a scope, and what more answers would unlock."""

    scope: Scope
    run: int
    threshold: tuple[float, float]
    """The lowest and the highest of its classes."""
    claims: int
    """Open claims of the classes that do not look worse."""
    checked: int
    """Answers that count."""
    right: int
    lower_bound: float
    """Share of these claims, checked ones included, that is right at least, at a level of 95 %."""
    is_shown: bool
    """Whether that reaches the target."""
    covered: int
    """Open claims for which the bound holds; the others are newer than the audits, or were checked less."""
    needed: int | None
    """More answers that show the target for all claims if all are right; None where there are too few claims."""
    needed_with_one_wrong: int | None
    """The same if one of them is wrong."""
    worse: tuple[str, ...]
    """Classes that look worse than the others; they are left out."""

    @property
    def what(self) -> str:
        """The claims in words, such as "1,409 absent claims above 0.95"."""
        low, high = self.threshold
        above = f"{low:g}" if low == high else f"their thresholds ({low:g} to {high:g})"
        return f"{self.claims:,} {CLAIM_WORDS[self.scope.sign]} claims above {above}"

    @property
    def so_far(self) -> str:
        """What is known, in words."""
        said = f"{self.right:,} of {self.checked:,} right" if self.checked else "nothing is checked yet"
        return f"{said}: at least {self.lower_bound:.1%}" if self.lower_bound else said

    @property
    def to_do(self) -> str:
        """How many answers would unlock what, in words."""
        if not self.claims:
            return f"no {self.what[2:]} are left"
        if self.is_shown and self.covered == self.claims:
            return f"{self.scope.target:.0%} is shown: you may accept all {self.what} at once"
        if self.needed is None:
            return f"{self.what} are too few for an audit: review them one by one"
        more = "" if self.needed_with_one_wrong is None else f" ({self.needed_with_one_wrong} with one wrong)"
        answers = f"{self.needed} {'more ' if self.checked else ''}answers, if all are right{more}"
        return f"{answers}, will unlock “accept all {self.what}”"


class Evidence(NamedTuple):
    """What stands behind `Known`; M claims, open and audited ones."""

    known: Known
    thresholds: Thresholds
    cells: Ints
    """(M,) flat indices."""
    is_open: Bools
    covered: Bools
    """(M,) for which the bound holds."""
    is_old: Bools
    """(M,) which any audit that counts drew from."""
    claims: Claims
    further: Further | None
    by_class: pd.DataFrame


class AuditEvidence:
    """Weighs the audits for any claims. May be called from any thread."""

    def __init__(self, dataset: Dataset, proposed: ProposalSet, records: AuditRecords) -> None:
        self._dataset, self._proposed, self._records = dataset, proposed, records
        self._populations: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}
        self._weighed = lru_cache(maxsize=REMEMBERED)(self._weigh)

    def of(self, scope: Scope) -> Evidence:
        """Return what is known of a scope; see :meth:`AuditService.known`."""
        return self._weighed(self._proposed.version, scope)

    def _weigh(self, version: object, scope: Scope) -> Evidence:
        """Weigh anew; the version only tells what was remembered apart."""
        current, names = self._proposed.current, np.array(self._dataset.class_names)
        if current is None:
            raise StudioError("there are no pseudo-labels to check", "train first")
        thresholds = self._proposed.thresholds
        if scope.threshold is not None:
            thresholds = Thresholds.constant(len(names), scope.threshold, scope.threshold)
        sides, in_scope = thresholds.of(scope.sign), self._columns(scope.class_names)
        answers = self._answers(scope, sides, in_scope)
        recent = answers[answers["run"] == current.run]
        seen = recent if len(recent) else answers
        right, checked = (np.bincount(one["column"], minlength=len(names)) for one in (seen[seen["right"]], seen))
        is_worse = worse_classes(right, checked, scope.target) & in_scope
        kept, dropped = in_scope & ~is_worse, int(is_worse.sum())

        is_proposed = self._proposed.propose(current, thresholds) == scope.sign
        answers = answers[kept[answers["column"]]]
        cells, is_open, right_in = self._in_question(
            is_proposed & kept, claim_signs(current.scores, thresholds) == scope.sign, answers
        )
        samples = [
            sample
            for (number, draw), given in answers.groupby(["audit", "draw"])
            if (sample := self._sample(number, draw, given, thresholds, kept, cells, right_in)) is not None
        ]
        claims, group = group_claims(is_open, samples)
        proof = prove(claims, scope.target, dropped)
        covered = proof.covered[group] & is_open
        further = further_answers(claims, scope.target, dropped)
        spare = further_answers(claims, scope.target, dropped, wrong=1)
        known = Known(
            scope,
            current.run,
            (float(sides[in_scope].min()), float(sides[in_scope].max())),
            int(is_open.sum()),
            proof.checked,
            proof.right,
            proof.lower_bound,
            proof.lower_bound >= scope.target,
            int(covered.sum()),
            None if further is None else further.number,
            None if spare is None else spare.number,
            tuple(names[is_worse].tolist()),
        )
        by_class = pd.DataFrame(
            {
                "class": names,
                "threshold": sides,
                "claims": is_proposed.sum(axis=0),
                "covered": np.bincount(cells[covered] % len(names), minlength=len(names)),
                "checked": checked,
                "right": right,
                "looks_worse": is_worse,
            }
        )
        is_old = np.any([sample.covers for sample in samples], axis=0) if samples else np.zeros_like(is_open)
        by_class = by_class[in_scope].reset_index(drop=True)
        return Evidence(known, thresholds, cells, is_open, covered, is_old, claims, further, by_class)

    def _answers(self, scope: Scope, sides: npt.NDArray[np.float64], in_scope: Bools) -> pd.DataFrame:
        """Return the answers that count: audit, draw, run, cell, column, right; one row each."""
        rows = []
        for audit in filter(self._is_evidence, self._records.all()):
            answers = self._records.answers(audit.number)
            for item in audit.plan.items:
                for cell in self._records.cells([item]):
                    column = cell % len(sides)
                    if item.sign == scope.sign and in_scope[column] and item.confidence >= sides[column]:
                        place = (audit.number, item.draw, audit.plan.run, cell, column)
                        rows.append((*place, answers[cell] == scope.sign))
        numbers = ["audit", "draw", "run", "cell", "column"]
        table = pd.DataFrame(rows, columns=[*numbers, "right"])
        return table.astype({**dict.fromkeys(numbers, np.int64), "right": bool})

    def _is_evidence(self, audit: Audit) -> bool:
        """Return whether an audit counts: finished, pooled, and drawn from runs that are still there."""
        numbers = {number for draw in audit.plan.draws for number in draw.earlier}
        runs = {audit.plan.run, *(self._records.audit(number).plan.run for number in numbers)}
        has_draws = bool(audit.plan.draws) and runs <= set(self._proposed.runs())
        return has_draws and self._records.status(audit) == "finished"

    def _in_question(self, is_open: Bools, is_claimed: Bools, answers: pd.DataFrame) -> tuple[Ints, Bools, Ints]:
        """Return the cells of open claims, then of audited ones; which are open; and which audit found them right."""
        open_cells = np.flatnonzero(is_open)
        audited = answers[is_claimed.ravel()[answers["cell"]] & ~is_open.ravel()[answers["cell"]]]
        audited = audited.drop_duplicates("cell")
        cells = np.concatenate([open_cells, audited["cell"].to_numpy()])
        right_in = np.full(len(cells), _NEVER)
        right_in[len(open_cells) :] = np.where(audited["right"], audited["audit"], _NEVER)
        return cells, np.arange(len(cells)) < len(open_cells), right_in

    def _sample(
        self,
        number: int,
        draw: int,
        answers: pd.DataFrame,
        thresholds: Thresholds,
        kept: Bools,
        cells: Ints,
        right_in: Ints,
    ) -> Sample | None:
        """Return one draw as far as it falls into the claims in question.

        Claims that an earlier audit found right count to the population of a draw from all or from the old ones.
        """
        audit = self._records.audit(number)
        population = self._population(audit, draw, thresholds) & kept
        covers = population.ravel()[cells]
        added = ~covers & (right_in < number) & (audit.plan.draws[draw].part != "new")
        size, checked = int(population.sum() + added.sum()), len(answers)
        is_current = audit.plan.run == self._proposed.choice()[0]
        right = int(answers["right"].sum())
        return Sample(number, checked / size, covers | added, checked, right, is_current) if size else None

    def _population(self, audit: Audit, index: int, thresholds: Thresholds) -> Bools:
        """Return (N, C) the claims that an audit drew from, as far as they reach thresholds of another day."""
        draw, shape = audit.plan.draws[index], self._dataset.states.shape
        key = (audit.number, index)
        if key not in self._populations:
            self._populations[key] = np.packbits(self._drawn_from(audit, draw))
        is_drawn = np.unpackbits(self._populations[key], count=shape[0] * shape[1]).view(np.bool_).reshape(shape)
        scores = self._proposed.scores_of(audit.plan.run).scores
        return np.asarray(is_drawn & (claim_signs(scores, thresholds) == draw.sign))

    def _drawn_from(self, audit: Audit, draw: Draw) -> Bools:
        """Work a population out anew from the run's scores and the states of that moment."""
        plan, ledger, now = audit.plan, self._dataset.ledger, self._dataset.renamed
        past = Ledger(ledger.table, (line for line in list(ledger.lines) if line.seq <= plan.seq))
        saved = {
            side: {now.get(name, name): one for name, one in by_class.items()}
            for side, by_class in plan.thresholds.items()
        }
        thresholds = Thresholds.from_json(self._dataset.class_names, saved)
        found: Bools = self._proposed.propose(self._proposed.scores_of(plan.run), thresholds, past) == draw.sign
        found &= self._columns(draw.class_names)
        for number in plan.left_out:
            found.ravel()[self._records.cells(self._records.audit(number).plan.items)] = False
        if draw.part == "all":
            return found
        is_old = np.zeros_like(found)
        for number in draw.earlier:
            other = self._records.audit(number)
            for index, one in enumerate(other.plan.draws):
                if one.sign == draw.sign:
                    is_old |= self._population(other, index, thresholds)
        return found & (is_old if draw.part == "old" else ~is_old)

    def _columns(self, class_names: Sequence[str]) -> Bools:
        """Return (C,) which classes are named; all where none is."""
        named = np.full(self._dataset.table.num_classes, not class_names)
        named[[self._dataset.column_of(name) for name in class_names]] = True
        return named
