"""Thresholds, and accepting many claims at once: on an audit's evidence, or without it and on record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.review.audit import CLAIM_WORDS, Scope
from logicmix_studio.review.audit_evidence import Known
from logicmix_studio.review.audit_service import AuditService
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.store import Dataset, Decision, Receipt

MOST_AT_ONCE: Final = 200_000
"""Cells of one bulk: a line of the journal must stay readable."""


@dataclass(frozen=True)
class BulkPlan:
    """What accepting the claims of a scope would write."""

    known: Known
    cells: npt.NDArray[np.int64]
    """(M,) flat indices."""
    is_audited: bool
    """Whether audits show the target for these cells; otherwise it takes a person's reason."""

    @property
    def words(self) -> str:
        """What would be written and what is known of it, in words."""
        known, scope = self.known, self.known.scope
        what = f"{len(self.cells):,} “{CLAIM_WORDS[scope.sign]}”"
        left_out = f"; left out, as they look worse: {', '.join(known.worse)}" if known.worse else ""
        if self.is_audited:
            rest = known.claims - known.covered
            newer = f"; {rest:,} more are not covered by an audit" if rest else ""
            return f"{what}, {known.so_far} of all, checked ones included{newer}{left_out}"
        return f"{what} without an audit that shows {scope.target:.0%}: {known.so_far}{left_out}"


class BulkService:
    """Moves thresholds and writes bulks, for a person: ``who``. May be called from any thread.

    The same ``action_id`` twice is one action.
    """

    def __init__(self, dataset: Dataset, proposed: ProposalSet, audits: AuditService) -> None:
        self._dataset, self._proposed, self._audits = dataset, proposed, audits

    def set_threshold(
        self, threshold: float, *, who: str, class_name: str = "", sign: int = 0, action_id: str | None = None
    ) -> Receipt:
        """Move from where on a claim is a pseudo-label; the journal has a line of it.

        Args:
            threshold: Confidence to reach, in [0.5, 1].
            who: The person.
            class_name: All classes where empty.
            sign: 1 or -1; both where 0.
            action_id: The same id twice is one action.

        Raises:
            StudioError: If the threshold is out of range or there is no such class.
        """
        names = [class_name] if class_name else list(self._dataset.class_names)
        with self._dataset.ledger.lock:
            moved, before = self._proposed.thresholds, []
            for name in names:
                for side in [sign] if sign else [POSITIVE, NEGATIVE]:
                    column = self._dataset.column_of(name)
                    before.append([name, side, float(moved.of(side)[column])])
                    moved = moved.replace(column, side, threshold)
            what = f"{class_name or 'all classes'}{f' {CLAIM_WORDS[sign]}' if sign else ''}"
            receipt = self._dataset.ledger.note(
                f"threshold of {what} moved to {threshold:g}",
                who=who,
                origin="thresholds",
                action_id=action_id,
                extra={"threshold": threshold, "before": before},
            )
            if not receipt.repeated:
                self._dataset.settings.update({"thresholds": moved.to_json(self._dataset.class_names)})
            return receipt

    def plan(self, scope: Scope, *, without_audit: bool = False) -> BulkPlan:
        """Return what accepting would write: all claims that the audits' bound covers, or all without an audit.

        Classes that look worse than the others are left out, unless they are all that is asked for.

        Raises:
            StudioError: If there is no run, or a class is none.
        """
        known = self._audits.known(scope)
        is_audited = known.is_shown and not without_audit
        return BulkPlan(known, self._audits.open_claims(scope, covered=is_audited), is_audited)

    def accept(
        self, scope: Scope, *, expected: int, who: str, reason: str = "", action_id: str | None = None
    ) -> Receipt:
        """Accept all claims of :meth:`plan`: one journal line, one undo; the line says what was known.

        Args:
            scope: Which claims.
            expected: How many cells the person was told.
            who: The person.
            reason: Why to accept without an audit that shows the target; the plan is then the one without.
            action_id: Of the action.

        Raises:
            StudioError: If no audit shows the target and there is no reason, or the number of cells is another, none or
                too many.
        """
        ledger, reason = self._dataset.ledger, reason.strip()
        self._audits.known(scope)  # weighed before the ledger is locked: others may decide meanwhile
        with ledger.lock:
            if action_id is not None and (line := ledger.find(action_id)) is not None:
                return Receipt(line=line, repeated=True)
            plan = self.plan(scope, without_audit=bool(reason))
            self._check(plan, reason)
            known = plan.known
            return ledger.decide(
                [
                    Decision(image_id, name, scope.sign, "accept", round(score, 4))
                    for image_id, name, score in self._proposed.named(plan.cells)
                ],
                who=who,
                origin="bulk",
                action_id=action_id,
                run=known.run,
                note=f"accepted at once: {plan.words}{f'. Reason: {reason}' if reason else ''}",
                extra={
                    "target": scope.target,
                    "threshold": known.threshold,
                    "checked": known.checked,
                    "right": known.right,
                    "lower_bound": round(known.lower_bound, 4),
                    "left_out": known.worse,
                    "audited": plan.is_audited,
                    "reason": reason,
                },
                keep_known=True,
                expected=expected,
            )

    def _check(self, plan: BulkPlan, reason: str) -> None:
        known, total = plan.known, len(plan.cells)
        if not (plan.is_audited or reason):
            more = "review them one by one" if known.needed is None else f"check {known.needed} more photographs"
            raise StudioError(
                f"no audit shows {known.scope.target:.0%} for {known.what}: {known.so_far}",
                f"{more}, or say why to accept them all the same",
            )
        if not total:
            raise StudioError("there is nothing to accept", "lower the threshold or choose other classes")
        if total > MOST_AT_ONCE:
            raise StudioError(f"{total:,} cells are too many for one action", f"accept up to {MOST_AT_ONCE:,} at once")
