"""A simulated person at the studio's screens: every answer goes through the services that the page uses."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.evaluation.annotator import SimulatedAnnotator
from logicmix_studio.evaluation.costs import CostModel, Effort
from logicmix_studio.explore.labelling import LabelImage, LabelService
from logicmix_studio.labels import POSITIVE, TEST_SPLIT, UNKNOWN
from logicmix_studio.review.audit import Scope
from logicmix_studio.review.audit_service import AuditService
from logicmix_studio.review.bulk_service import BulkService
from logicmix_studio.review.cards import Card
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.review.service import ReviewService
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.registry import RunRegistry
from logicmix_studio.runs.service import RunService
from logicmix_studio.store import Dataset, Decision

WHO: Final = "simulated person"
PAGE: Final = 24
"""Tiles on a page of the grid."""
MOST_AUDIT: Final = 400
"""Audits of the same claims that ask for more answers are not begun."""


class Services(Protocol):
    """The part of a studio that a person works with; ``Studio`` is one."""

    dataset: Dataset
    proposed: ProposalSet
    jobs: Jobs
    registry: RunRegistry

    @property
    def review(self) -> ReviewService:
        """Queues and answers."""

    @property
    def audits(self) -> AuditService:
        """Blind random checks."""

    @property
    def bulk(self) -> BulkService:
        """Thresholds, and accepting many claims at once."""

    @property
    def labelling(self) -> LabelService:
        """One image with all its classes."""

    @property
    def runs(self) -> RunService:
        """Starting runs."""


OpenTrial = Callable[[float, int], AbstractContextManager[Services]]
"""Opens a studio on a trial by known proportion and seed."""


@dataclass(frozen=True)
class PageResult:
    """A page of the grid after it was confirmed."""

    tiles: int
    """0 where the queue had none left."""
    marked: int
    """Tiles whose answer differs from what the page took for granted."""


class Person:
    """Answers what the screens show and adds up what that costs.

    Args:
        services: The studio.
        annotator: Who knows the answers, but for errors.
        costs: What each act costs.
        on_spend: Called with each act's effort, after its answers are written.
        seed: Of the draws of audits.
    """

    def __init__(
        self,
        services: Services,
        annotator: SimulatedAnnotator,
        costs: CostModel,
        on_spend: Callable[[Effort], None],
        seed: int,
    ) -> None:
        self._services, self._annotator, self._costs, self._spend = services, annotator, costs, on_spend
        self._seed = seed
        self._mark = costs.of_mark(services.dataset.table.num_classes)

    def stream(self, spec: QueueSpec, want: int) -> int:
        """Answer the next cells of a queue one by one; return how many there were."""
        services, done = self._services, 0
        while done < want:
            batch = services.review.next_batch(spec, who=WHO, holder="stream", want=min(50, want - done))
            for card, answer in zip(batch.cards, self._answers(batch.cards), strict=True):
                verdict = "unsure" if answer == UNKNOWN else "set"
                if UNKNOWN not in (answer, card.claim):
                    verdict = "accept" if answer == card.claim else "reject"
                decision = Decision(card.image_id, card.class_name, int(answer), verdict, card.score)
                services.dataset.ledger.decide([decision], who=WHO, origin="stream", run=batch.run)
                self._spend(Effort(self._costs.answer, 1, 1))
            if not batch.cards:
                break
            done += len(batch.cards)
        return done

    def page(self, spec: QueueSpec, sign: int) -> PageResult:
        """Look through one page of a queue of one class, take ``sign`` for granted and mark what differs."""
        batch = self._services.review.next_batch(spec, who=WHO, holder="grid", want=PAGE)
        return self._confirm(batch.cards, sign)

    def proposals_page(self, class_name: str, sign: int) -> PageResult:
        """Confirm the next page of pseudo-labels of a class and sign, the surest first."""
        spec = QueueSpec.of(order="confident", scope="proposals", class_name=class_name, sign=sign)
        return self.page(spec, sign)

    def likeliest_page(self) -> PageResult:
        """Confirm the page of the grid that promises most positives, whatever its class; without tiles where none does."""
        page = self._services.review.likeliest_page(who=WHO, holder="grid", want=PAGE)
        return self._confirm(page.batch.cards, page.sign)

    def image(self, order: str, *, filled: bool) -> bool:
        """Label the next image with all its classes; return whether there was one outside split test.

        Args:
            order: Which comes next; see :data:`logicmix_studio.explore.labelling.ORDERS`.
            filled: Whether pseudo-labels that are present stand there as marks already.
        """
        batch = self._services.labelling.next(order, who=WHO, want=1)
        image = next((image for image in batch.images if image.split != TEST_SPLIT), None)
        if image is None:
            return False
        present = self._present(image)
        given = {name for name, claim in image.claims.items() if claim == POSITIVE} if filled else set[str]()
        self._services.labelling.label(image.image_id, present, who=WHO, filled=given & present)
        marks = len(given ^ present)
        self._spend(Effort(self._costs.image + self._mark * marks, marks + 1, 1))
        return True

    def audit(self, scope: Scope) -> bool:
        """Audit some claims until the target is shown or asks for too much; return whether they may be accepted now."""
        audits, known, answered = self._services.audits, self._services.audits.known(scope), 0
        while not (known.is_shown and known.covered == known.claims):
            if not known.claims or known.needed is None or answered + known.needed > MOST_AUDIT:
                break
            number = audits.start([scope], who=WHO, seed=self._seed + answered).number
            while cards := audits.questions(number):
                for card, answer in zip(cards, self._answers(cards), strict=True):
                    audits.answer(number, card.image_id, card.class_name, int(answer), who=WHO)
                    self._spend(Effort(self._costs.answer, 1, 1))
                answered += len(cards)
            known = audits.known(scope)
        return known.is_shown

    def accept(self, scope: Scope) -> int:
        """Accept at once what audits show to be right; return how many cells that were."""
        plan = self._services.bulk.plan(scope)
        if not (plan.is_audited and len(plan.cells)):
            return 0
        self._services.bulk.accept(scope, expected=len(plan.cells), who=WHO)
        self._spend(Effort(self._costs.bulk, 2, 0))
        return len(plan.cells)

    def _confirm(self, cards: list[Card], sign: int) -> PageResult:
        if not cards:
            return PageResult(0, 0)
        answers = self._answers(cards)
        wrong = {card.cell for card, answer in zip(cards, answers, strict=True) if answer == -sign}
        unsure = {card.cell for card, answer in zip(cards, answers, strict=True) if answer == UNKNOWN}
        cells = [card.cell for card in cards]
        self._services.review.confirm(cells, sign=sign, wrong=wrong, unsure=unsure, who=WHO)
        marked = len(wrong) + len(unsure)
        seconds = self._costs.tile * len(cards) + self._costs.mark * marked + self._costs.page
        self._spend(Effort(seconds, marked + 1, len(cards)))
        return PageResult(len(cards), len(wrong))

    def _answers(self, cards: list[Card]) -> NDArray[np.int8]:
        rows, columns = np.divmod(
            np.array([card.cell for card in cards], dtype=np.int64), self._services.dataset.table.num_classes
        )
        return self._annotator.answer(rows, columns)

    def _present(self, image: LabelImage) -> set[str]:
        names = [name for name, state in image.states.items() if state == UNKNOWN]
        row = self._services.dataset.row_of(image.image_id)
        columns = [self._services.dataset.column_of(name) for name in names]
        answers = self._annotator.answer([row] * len(columns), columns)
        return {name for name, answer in zip(names, answers.tolist(), strict=True) if answer == POSITIVE}
