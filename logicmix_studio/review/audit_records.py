"""Audits on disk and their answers from the journal.

A plan is a file, written before the first cell is shown. Its answers are journal lines, so a crash between two answers
loses neither; nothing but lines that name the audit feeds its result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, write_json
from logicmix_studio.review.audit import AuditItem, AuditPlan
from logicmix_studio.store import Dataset, Line

Status = Literal["open", "finished", "given up"]


@dataclass(frozen=True)
class Audit:
    """One drawn audit."""

    number: int
    plan: AuditPlan
    who: str
    time: str
    """UTC, ISO 8601."""
    action: str
    """The id of the action that drew it."""
    given_up: bool = False


class AuditRecords:
    """All audits of a data set and what was answered; a cell is its flat index, row * C + column.

    Args:
        dataset: The data set.
        on_answer: Called after an answer was given or taken back.
    """

    def __init__(self, dataset: Dataset, on_answer: Callable[[], None]) -> None:
        self._ledger = dataset.ledger
        self._folder = dataset.workspace.audits
        self._on_answer = on_answer
        self._audits = {audit.number: audit for audit in map(_read, sorted(self._folder.glob("*.json")))}
        self._answers: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        with self._ledger.lock:
            for line in self._ledger.lines:
                self._see(line)
            self._ledger.listen(self._on_line)

    def all(self) -> list[Audit]:
        """Return the audits, oldest first."""
        return [self._audits[number] for number in sorted(self._audits)]

    def open(self) -> list[Audit]:
        """Return the audits that wait for answers, oldest first."""
        return [audit for audit in self.all() if self.status(audit) == "open"]

    def audit(self, number: int) -> Audit:
        """Return one audit.

        Raises:
            StudioError: If there is none of that number.
        """
        if number not in self._audits:
            raise StudioError(f"there is no audit {number}", "choose one from the list")
        return self._audits[number]

    def save(self, audit: Audit) -> None:
        """Write an audit to its file.

        Raises:
            StudioError: If the disk refuses.
        """
        write_json(self._folder / f"{audit.number:04d}.json", {"format": 2, **asdict(audit)})
        self._audits[audit.number] = audit

    def cells(self, items: Iterable[AuditItem]) -> list[int]:
        """Return the cells of items whose image and class are still there."""
        found = (self._cell(item.image_id, item.class_name) for item in items)
        return [cell for cell in found if cell is not None]

    def answers(self, number: int) -> dict[int, int]:
        """Return the answers to an audit by cell: 1 present, -1 absent, 0 unsure."""
        with self._ledger.lock:
            return {cell: said for cell, (said, _) in self._answers[number].items()}

    def waiting(self, audit: Audit) -> list[int]:
        """Return the cells that nobody has answered yet, in the plan's order."""
        answered = self.answers(audit.number)
        return [cell for cell in self.cells(audit.plan.items) if cell not in answered]

    def status(self, audit: Audit) -> Status:
        """Return how an audit stands."""
        if audit.given_up:
            return "given up"
        return "open" if self.waiting(audit) else "finished"

    def _cell(self, image_id: str, class_name: str) -> int | None:
        row, column = self._ledger.row_of.get(image_id), self._ledger.column_of.get(class_name)
        return None if row is None or column is None else row * self._ledger.table.num_classes + column

    def _on_line(self, line: Line) -> None:
        if self._see(line):
            self._on_answer()

    def _see(self, line: Line) -> bool:
        """Take note of a journal line; return whether it gives an audit's answer or takes one back."""
        if line.kind in ("undo", "redo") and line.of is not None:
            about, counts = self._ledger.line(line.of), line.kind == "redo"
        elif "withdrawn" in line.extra:  # in older journals some answers were notes, and notes took them back
            about, counts = self._ledger.line(int(line.extra["withdrawn"])), bool(line.extra.get("again"))
        else:
            about, counts = line, True
        if "audit" not in about.extra or "said" not in about.extra:
            return False
        place = about.cells[0][:2] if about.cells else (about.extra["image"], about.extra["class"])
        cell, answers = self._cell(*place), self._answers[int(about.extra["audit"])]
        if cell is not None and counts:
            answers[cell] = (int(about.extra["said"]), about.seq)
        elif cell is not None and answers.get(cell, (0, 0))[1] == about.seq:
            del answers[cell]
        return True


def _read(path: Path) -> Audit:
    saved = read_json(path) or {}
    try:
        plan = AuditPlan.from_json(saved["plan"])
        given_up = bool(saved.get("given_up", False))
        return Audit(saved["number"], plan, saved["who"], saved["time"], saved.get("action", ""), given_up)
    except KeyError as error:
        raise StudioError(f"{path}: no audit can be read from it", "move the file away") from error
