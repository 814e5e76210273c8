"""Audits as people do them: drawn, answered blind, and counted from the journal.

A plan is a file, written before the first cell is shown. Its answers are journal lines, so a crash between two answers
loses neither; nothing but lines that name the audit feeds its result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review import AuditItem, AuditPlan, AuditResult, AuditSpec, plan_audit, score_audit
from logicmix_studio.review.answers import ACTION, WITHDRAWN
from logicmix_studio.review.service import Cell, ReviewService
from logicmix_studio.store import Decision, Line, Receipt, read_json, utc_now, write_json
from logicmix_studio.studio import Studio

ORIGIN: Final = "audit"
AnswerCell = tuple[str, str]
"""Image id and class name."""


@dataclass
class Audit:
    """One drawn audit."""

    number: int
    plan: AuditPlan
    who: str
    time: str
    action: str
    """The page's id of the request that drew it."""
    given_up: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the file's content."""
        return {
            "format": 1,
            "number": self.number,
            "who": self.who,
            "time": self.time,
            "action": self.action,
            "given_up": self.given_up,
            "plan": self.plan.to_json(),
        }


class AuditService:
    """All audits of a data set.

    Args:
        studio: The studio.
        desk: Keeps cells of open audits out of every queue.
    """

    def __init__(self, studio: Studio, desk: ReviewService) -> None:
        self.studio = studio
        self.desk = desk
        self._audits = _load(studio.workspace.audits)
        self._answers: dict[int, dict[AnswerCell, tuple[int, int]]] = defaultdict(dict)
        with studio.ledger.lock:
            for line in studio.ledger.lines:
                self._see(line)
            studio.ledger.listen(self._see)
        self._reserve()

    # audits ------------------------------------------------------------------

    def numbers(self) -> list[int]:
        """Return the numbers of all audits, the newest first."""
        return sorted(self._audits, reverse=True)

    def audit(self, number: int) -> Audit:
        """Return one audit.

        Raises:
            StudioError: If there is none of that number.
        """
        try:
            return self._audits[number]
        except KeyError:
            raise StudioError(f"there is no audit {number}", "choose one from the list") from None

    def start(self, spec: AuditSpec, *, who: str, action_id: str) -> Audit:
        """Draw an audit and keep its plan.

        Args:
            spec: What to measure, fixed before the first look.
            who: The person who starts it.
            action_id: The same id twice draws once.

        Raises:
            StudioError: If there is no run, nothing to draw from, or a class is none.
        """
        with self.studio.ledger.lock:
            for audit in self._audits.values():
                if audit.action == action_id:
                    return audit
            plan = plan_audit(self.desk.view(), self.studio.image_ids, spec)
            if all(item.is_planted for item in plan.items):
                raise StudioError(
                    "there is no open cell to audit here", "choose other classes or a lower confidence"
                )
            number = max(self._audits, default=0) + 1
            audit = Audit(number, plan, who, utc_now(), action_id)
            self._save(audit)
            self._audits[number] = audit
            self._reserve()
            return audit

    def give_up(self, number: int) -> None:
        """End an audit that nobody will finish; its answers count now, at a bound that allows stopping early."""
        audit = self.audit(number)
        audit.given_up = True
        self._save(audit)
        self._reserve()

    def result(self, number: int) -> AuditResult:
        """Return what the answers to an audit say so far."""
        return score_audit(self.audit(number).plan, self.answers(number))

    def is_finished(self, number: int) -> bool:
        """Return whether all its cells are answered, or somebody gave it up; nobody sees results before."""
        audit = self.audit(number)
        return audit.given_up or len(self.answers(number)) >= len(audit.plan.items)

    def evidence(self) -> list[tuple[AuditPlan, Mapping[AnswerCell, int]]]:
        """Return every finished plan with its answers, oldest first."""
        return [
            (self._audits[number].plan, self.answers(number))
            for number in sorted(self._audits)
            if self.is_finished(number)
        ]

    # answering ---------------------------------------------------------------

    def answers(self, number: int) -> dict[AnswerCell, int]:
        """Return the answers to an audit: 1 present, -1 absent, 0 unsure."""
        with self.studio.ledger.lock:
            return {cell: said for cell, (said, _) in self._answers[number].items()}

    def next_items(self, number: int, want: int, have: Sequence[int]) -> list[dict[str, Any]]:
        """Return the next cells to show, without any claim.

        Args:
            number: The audit.
            want: How many.
            have: Places in the plan that the screen holds already.
        """
        audit, answered, held = self.audit(number), self.answers(number), set(have)
        items: list[dict[str, Any]] = []
        for place, item in enumerate(audit.plan.items):
            if len(items) == want:
                break
            if item.cell in answered or place in held or item.image_id not in self.studio.ledger.row_of:
                continue
            row = self.studio.ledger.row_of[item.image_id]
            path = self.studio.table.paths[row]
            items.append({"cell": place, "image": item.image_id, "class": item.class_name, "path": path})
        return items

    def answer(
        self, number: int, place: int, said: int, *, who: str, action_id: str, ms: float | None
    ) -> Receipt:
        """Take the answer to one cell of an audit.

        A claim's cell is settled like in any review; a planted cell is not touched.

        Args:
            number: The audit.
            place: The cell's place in the plan.
            said: 1 present, -1 absent, 0 unsure.
            who: The person.
            action_id: The same id twice is one answer.
            ms: How long the person looked.

        Raises:
            StudioError: If there is no such cell, or the disk refuses.
        """
        audit = self.audit(number)
        if not 0 <= place < len(audit.plan.items) or said not in (POSITIVE, UNKNOWN, NEGATIVE):
            raise StudioError(f"audit {number} has no cell {place} to answer with {said}", "reload the page")
        item = audit.plan.items[place]
        extra = {"audit": number, "said": said, **({} if ms is None else {"ms": round(ms)})}
        with self.studio.ledger.lock:
            known = self.desk.actions.find(action_id)
            if known is not None:
                return Receipt(line=known, repeated=True)
            receipt = Receipt(line=None)
            if not item.is_planted:
                decision = _decision(item, said)
                receipt = self.studio.ledger.decide(
                    [decision], who=who, origin=ORIGIN, action_id=action_id, run=audit.plan.run, extra=extra
                )
            if receipt.line is None:  # planted, or settled by somebody else meanwhile: only the answer counts
                fact = {"image": item.image_id, "class": item.class_name, ACTION: action_id}
                receipt = self.studio.ledger.note(
                    "audit answer", who=who, origin=ORIGIN, extra={**extra, **fact}
                )
        return receipt

    def refresh(self) -> None:
        """Keep the cells of open audits out of every queue, after answers were taken back."""
        self._reserve()

    # within ------------------------------------------------------------------

    def _save(self, audit: Audit) -> None:
        write_json(self.studio.workspace.audits / f"{audit.number:04d}.json", audit.to_json())

    def _reserve(self) -> None:
        cells: set[Cell] = set()
        for number, audit in self._audits.items():
            if audit.given_up:
                continue
            answered = self.answers(number)
            cells.update(
                self.desk.flat(*item.cell)
                for item in audit.plan.items
                if item.cell not in answered and not item.is_planted and self._exists(item)
            )
        self.desk.reserve(cells)

    def _exists(self, item: AuditItem) -> bool:
        ledger = self.studio.ledger
        return item.image_id in ledger.row_of and item.class_name in ledger.column_of

    def _see(self, line: Line) -> None:
        if line.kind in ("undo", "redo") and line.of is not None:
            about = self.studio.ledger.line(line.of)
            self._count(about, line.kind == "redo")
        elif WITHDRAWN in line.extra and "audit" in line.extra:
            self._count(self.studio.ledger.line(int(line.extra[WITHDRAWN])), bool(line.extra.get("again")))
        else:
            self._count(line, counts=True)

    def _count(self, line: Line, counts: bool) -> None:
        if "audit" not in line.extra or "said" not in line.extra:
            return
        if line.cells:
            cell = (line.cells[0].image_id, line.cells[0].class_name)
        else:
            cell = (str(line.extra["image"]), str(line.extra["class"]))
        answers = self._answers[int(line.extra["audit"])]
        if counts:
            answers[cell] = (int(line.extra["said"]), line.seq)
        elif answers.get(cell, (0, 0))[1] == line.seq:
            del answers[cell]


def _decision(item: AuditItem, said: int) -> Decision:
    if said == UNKNOWN:
        return Decision(item.image_id, item.class_name, UNKNOWN, "unsure")
    answer = "accept" if said == item.sign else "reject"
    score = item.confidence if item.sign == POSITIVE else 1.0 - item.confidence
    return Decision(item.image_id, item.class_name, said, answer, round(score, 4))


def _load(folder: Path) -> dict[int, Audit]:
    audits: dict[int, Audit] = {}
    for path in sorted(folder.glob("*.json")):
        saved = read_json(path)
        if saved is None:
            continue
        audit = Audit(
            int(saved["number"]),
            AuditPlan.from_json(saved["plan"]),
            str(saved["who"]),
            str(saved["time"]),
            str(saved.get("action", "")),
            bool(saved.get("given_up", False)),
        )
        audits[audit.number] = audit
    return audits
