"""Audits as people do them: how many answers are needed and what they unlock; drawing, answering, results."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.audit import (
    CLAIM_WORDS,
    Audit,
    AuditItem,
    AuditPlan,
    AuditRecords,
    Draw,
    Part,
    Scope,
    Status,
)
from logicmix_studio.review.audit_evidence import AuditEvidence, Evidence, Known
from logicmix_studio.review.cards import Card
from logicmix_studio.review.evidence import Further, split_answers
from logicmix_studio.review.intervals import clopper_pearson, clopper_pearson_lower
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import Thresholds
from logicmix_studio.review.reliability import reliability_curve
from logicmix_studio.review.service import ReviewService
from logicmix_studio.store import Dataset, Decision, Receipt, utc_now

ORIGIN: Final = "audit"


@dataclass(frozen=True)
class SignResult:
    """How right the claims of one sign were in an audit."""

    sign: int
    checked: int
    right: int
    unsure: int
    """They count as checked and not as right, so that the bound never flatters."""
    lower_bound: float
    """One-sided, for what the audit drew from."""
    interval: tuple[float, float]
    """Two-sided."""


@dataclass(frozen=True)
class AuditResult:
    """What the answers to an audit say."""

    number: int
    run: int
    status: Status
    counts: bool
    """Whether it is evidence: it was finished, and drawn so that it can be pooled."""
    signs: tuple[SignResult, ...]


class AuditService:
    """All audits of a data set, whose cells ``review`` leaves out of every queue. May be called from any thread."""

    def __init__(self, dataset: Dataset, proposed: ProposalSet, review: ReviewService) -> None:
        self._dataset, self._proposed, self._review = dataset, proposed, review
        self._records = AuditRecords(dataset, self._reserve)
        self._evidence = AuditEvidence(dataset, proposed, self._records)
        self._reserve()

    # what is known -----------------------------------------------------------

    def known(self, scope: Scope) -> Known:
        """Return what audits say of some claims, and how many answers would unlock what.

        Raises:
            StudioError: If there is no run, or a class is none.
        """
        return self._evidence.of(scope).known

    def by_class(self, scope: Scope) -> pd.DataFrame:
        """Return the same by class: class, threshold, claims, covered, checked, right, looks_worse."""
        return self._evidence.of(scope).by_class.copy()

    def open_claims(self, scope: Scope, *, covered: bool) -> npt.NDArray[np.int64]:
        """Return the flat indices of claims that may be accepted at once; those of open audits are left to these.

        Classes that look worse are left out; with ``covered``, claims for which the audits' bound does not hold, too.
        """
        found = self._evidence.of(scope)
        cells = found.cells[found.covered if covered else found.is_open]
        return cells[~np.isin(cells, list(self._review.reserved))]

    def reliability(self) -> pd.DataFrame:
        """Return how often scores were right on held-out known cells; see :func:`reliability_curve`."""
        scores, states = self._proposed.current, self._dataset.states
        if scores is None:
            return reliability_curve(np.zeros(0), np.zeros(0, dtype=np.int8))
        return reliability_curve(scores.scores[scores.heldout], states[scores.heldout])

    @property
    def warnings(self) -> list[str]:
        """Audits that could not be read, one sentence each."""
        return self._records.warnings

    # audits ------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """Return the audits, newest first: audit, claims, run, who, time, answered, planned, status."""
        rows = []
        for audit in reversed(self._records.all()):
            planned = len(audit.plan.items)
            answered = planned - len(self._records.waiting(audit))
            place = (audit.number, _what(audit), audit.plan.run, audit.who, audit.time)
            rows.append((*place, answered, planned, self._records.status(audit)))
        columns = ["audit", "claims", "run", "who", "time", "answered", "planned", "status"]
        return pd.DataFrame(rows, columns=columns)

    def start(
        self,
        scopes: Sequence[Scope],
        *,
        who: str,
        count: int | None = None,
        seed: int | None = None,
        action_id: str | None = None,
    ) -> Audit:
        """Draw an audit and write its plan; nothing of it has been shown before.

        Args:
            scopes: The claims to check: of one sign, or of both, which are shown mixed.
            who: The person who starts it.
            count: How many answers for each sign; as many as are needed unless given.
            seed: Decides the draw and the order; a random one unless given.
            action_id: The same id twice draws once.

        Raises:
            StudioError: If there is no run, a class is none, or nothing to draw or to prove.
        """
        ledger = self._dataset.ledger
        for scope in scopes:
            self._evidence.of(scope)  # weighed before the ledger is locked: others may decide meanwhile
        with ledger.lock:
            for audit in self._records.all():
                if action_id is not None and audit.action == action_id:
                    return audit
            seed = secrets.randbelow(2**32) if seed is None else seed
            plan = self._plan(scopes, count, seed)
            number = self._records.next_number()
            audit = Audit(number, plan, who, utc_now(), action_id or "")
            self._records.save(audit)
            words = f"audit {number} started: {len(plan.items):,} questions, {_what(audit)}, run {plan.run}"
            ledger.note(words, who=who, origin=ORIGIN, extra={"audit_status": number})
            self._reserve()
            return audit

    def give_up(self, number: int, *, who: str, given_up: bool = True) -> None:
        """End an audit that nobody will finish, or take it up again: its number of answers was fixed beforehand.

        The answers to one that was given up stay, and prove nothing, as it ended where somebody chose.

        Raises:
            StudioError: If there is no such audit, or it is finished.
        """
        ledger, words = self._dataset.ledger, "given up" if given_up else "taken up again"
        with ledger.lock:
            audit = self._records.audit(number)
            if self._records.status(audit) == "finished":
                raise StudioError(f"audit {number} is finished, it can't be {words}", "start another one")
            if audit.given_up != given_up:
                self._records.save(replace(audit, given_up=given_up))
                ledger.note(f"audit {number} {words}", who=who, origin=ORIGIN, extra={"audit_status": number})
                self._reserve()

    def result(self, audit: int) -> AuditResult:
        """Return what a finished audit says, sign by sign.

        Args:
            audit: Its number.

        Raises:
            StudioError: If there is no such audit, or it is open: a result in between could tell where to stop.
        """
        record = self._records.audit(audit)
        status, answers = self._records.status(record), self._records.answers(audit)
        if status == "open":
            left = len(self._records.waiting(record))
            raise StudioError(
                f"audit {audit} is open: check {left} more photographs", "or give it up to see its answers"
            )
        signs = []
        for sign in CLAIM_WORDS:
            cells = self._records.cells(item for item in record.plan.items if item.sign == sign)
            said = [answers[cell] for cell in cells if cell in answers]
            if cells:
                right, checked, unsure = said.count(sign), len(said), said.count(UNKNOWN)
                low, high = clopper_pearson(right, checked)
                lower = float(clopper_pearson_lower(right, checked))
                signs.append(SignResult(sign, checked, right, unsure, lower, (float(low), float(high))))
        counts = status == "finished" and bool(record.plan.draws)
        return AuditResult(audit, record.plan.run, status, counts, tuple(signs))

    # answering ---------------------------------------------------------------

    def questions(self, number: int, want: int = 50, have: Sequence[int] = ()) -> list[Card]:
        """Return the next cells to show, without claim and score, but for those that the screen has already."""
        held = set(have)
        cells = [cell for cell in self._records.waiting(self._records.audit(number)) if cell not in held]
        return [blind(card) for card in self._review.cards(cells[:want])]

    def left(self, number: int) -> int:
        """Return how many cells of an audit nobody has answered yet."""
        return len(self._records.waiting(self._records.audit(number)))

    def answer(
        self,
        number: int,
        image_id: str,
        class_name: str,
        said: int,
        *,
        who: str,
        action_id: str | None = None,
        ms: int | None = None,
    ) -> Receipt:
        """Take the answer to one cell of an audit; it settles the cell and can be undone like any other.

        What is ``said`` is 1 present, -1 absent or 0 unsure. The same ``action_id`` twice is one answer; ``ms`` is how
        long the person looked. The receipt has no line where somebody had answered the cell before.

        Raises:
            StudioError: If the audit has no such cell, or the disk refuses.
        """
        ledger, audit = self._dataset.ledger, self._records.audit(number)
        cell = self._review.flat(image_id, class_name)
        item = next((item for item in audit.plan.items if self._records.cells([item]) == [cell]), None)
        if item is None or said not in (POSITIVE, UNKNOWN, NEGATIVE):
            raise StudioError(f"audit {number} does not ask for that, or not for {said}", "reload the page")
        answer = "unsure" if said == UNKNOWN else "accept" if said == item.sign else "reject"
        score = item.confidence if item.sign == POSITIVE else 1.0 - item.confidence
        decision = Decision(image_id, class_name, said, answer, round(score, 4))
        with ledger.lock:
            is_repeated = action_id is not None and ledger.find(action_id) is not None
            if cell in self._records.answers(number) and not is_repeated:
                return Receipt(line=None, skipped=(decision,))
            return ledger.decide(
                [decision],
                who=who,
                origin=ORIGIN,
                action_id=action_id,
                run=audit.plan.run,
                note=f"audit {number}",
                extra={"audit": number, "said": said, "image": image_id, "class": class_name, "ms": ms},
                always=True,
            )

    def _plan(self, scopes: Sequence[Scope], count: int | None, seed: int) -> AuditPlan:
        rng = np.random.default_rng(seed)
        sides = {sign: self._proposed.thresholds.of(sign) for sign in (POSITIVE, NEGATIVE)}
        still_open = self._records.open()
        taken = self._records.cells(item for audit in still_open for item in audit.plan.items)
        draws, items = list[Draw](), list[AuditItem]()
        for scope in scopes:
            found = self._evidence.of(scope)
            sides[scope.sign] = found.thresholds.of(scope.sign)
            for draw, cells in _draw(found, _further(found, count), taken, rng):
                items += [
                    AuditItem(image_id, name, draw.sign, score if draw.sign == POSITIVE else 1.0 - score, len(draws))
                    for image_id, name, score in self._proposed.named(cells)
                ]
                draws.append(draw)
        if not items:
            raise StudioError("nothing is left to check", "accept the claims, or name a number of answers")
        return AuditPlan(
            run=found.known.run,
            seq=self._dataset.ledger.seq,
            seed=seed,
            target=scopes[0].target,
            thresholds=Thresholds(sides[POSITIVE], sides[NEGATIVE]).to_json(self._dataset.class_names),
            left_out=[audit.number for audit in still_open],
            draws=draws,
            items=[items[place] for place in rng.permutation(len(items))],
        )

    def _reserve(self) -> None:
        """Leave the cells that open audits wait for out of every queue."""
        waiting = map(self._records.waiting, self._records.open())
        self._review.reserved = frozenset(itertools.chain.from_iterable(waiting))


def blind(card: Card) -> Card:
    """Return a card without what the model says of it."""
    return replace(card, claim=0, score=None)


def _further(found: Evidence, count: int | None) -> Further:
    if count is None:
        if found.further is None:
            raise StudioError(
                f"{found.known.what} are too few to show {found.known.scope.target:.0%}",
                "review them one by one, or choose more classes or a lower target",
            )
        return found.further
    if count < 1:
        raise StudioError(f"an audit of {count} answers shows nothing", "ask for one at least")
    return Further(count, found.further is not None and found.further.is_fresh)


def _draw(
    found: Evidence, further: Further, taken: list[int], rng: np.random.Generator
) -> list[tuple[Draw, npt.NDArray[np.int64]]]:
    """Draw claims at random without replacement: from all of them, or from old and new ones apart."""
    is_old = found.is_old | further.is_fresh
    is_free = found.is_open & ~np.isin(found.cells, taken)
    pools = found.cells[is_free & is_old], found.cells[is_free & ~is_old]
    whole: Part | None = "all" if not (len(pools[0]) and len(pools[1])) else None
    parts: tuple[Part, Part] = ("old", "new")
    draws = []
    for part, pool, number in zip(parts, pools, split_answers(found.claims, further), strict=True):
        size = min(number, len(pool))
        if size:
            earlier = [] if whole else sorted({sample.audit for sample in found.claims.samples})
            names = found.by_class["class"][~found.by_class["looks_worse"]].tolist()
            draw = Draw(found.known.scope.sign, whole or part, names, earlier, len(pool), size)
            draws.append((draw, rng.choice(pool, size=size, replace=False, shuffle=False)))
    return draws


def _what(audit: Audit) -> str:
    """Return which claims an audit is about, in words."""
    draws = audit.plan.draws
    names = list(dict.fromkeys(name for draw in draws for name in draw.class_names))
    signs = {item.sign for item in audit.plan.items}
    claims = " and ".join(words for sign, words in CLAIM_WORDS.items() if sign in signs)
    return f"{claims} of {names[0]}" if len(names) == 1 else claims
