"""Blind random checks: the only answers that measure how right a run is.

An audit draws claims of a sign at random and without replacement, as many as were fixed before the first look. They are
shown shuffled, without score and without the claim. Only the plan's own items count; what people answered in a chosen
order never does. The answers are decisions like any other, and settle their cells.

A plan is a file, written before the first cell is shown. Its answers are journal lines, so a crash between two answers
loses neither; nothing but lines that name the audit feeds its result.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, write_json
from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.review.cells import flat_index
from logicmix_studio.store import Dataset, Line

CLAIM_WORDS = {POSITIVE: "present", NEGATIVE: "absent"}
"""What a claim says of its class."""
DEFAULT_TARGET = 0.95

Part = Literal["all", "new", "old"]
"""All claims, those that no earlier audit drew from, or those that one did."""
Status = Literal["open", "finished", "given up"]


@dataclass(frozen=True)
class Scope:
    """Claims that are checked, or accepted, together."""

    sign: int
    """`POSITIVE` or `NEGATIVE`."""
    class_names: tuple[str, ...] = ()
    """Only of these classes; of all where empty."""
    threshold: float | None = None
    """From this confidence on, in [0.5, 1]; from the thresholds of today where None."""
    target: float = DEFAULT_TARGET
    """Share of them that shall be right, in (0, 1)."""

    def __post_init__(self) -> None:
        """Refuse what is no sign and no share."""
        if self.sign not in CLAIM_WORDS:
            raise StudioError(f"the sign is {self.sign}", "choose 1 (present) or -1 (absent)")
        if not 0.0 < self.target < 1.0:
            raise StudioError(f"the target is {self.target}", "choose a number between 0 and 1, such as 0.95")


@dataclass(frozen=True)
class AuditItem:
    """One claim of an audit; only `image_id` and `class_name` are shown."""

    image_id: str
    class_name: str
    sign: int
    """What the run claims."""
    confidence: float = 1.0
    draw: int = -1
    """Index into the plan's draws."""


@dataclass(frozen=True)
class Draw:
    """Claims that were drawn at random from one population."""

    sign: int
    part: Part
    class_names: list[str]
    """The classes that it drew from."""
    earlier: list[int]
    """The audits whose populations tell "old" from "new"."""
    population: int
    """Claims it drew from."""
    size: int
    """Claims that were drawn."""


@dataclass(frozen=True)
class AuditPlan:
    """A drawn audit: what is shown, in that order, and all that tells what it was drawn from."""

    run: int
    seq: int
    """The journal's last line at that moment."""
    seed: int
    target: float
    thresholds: Mapping[str, Mapping[str, float]]
    """From which confidence on, as `Thresholds.to_json` gives them."""
    left_out: list[int]
    """Open audits whose cells could not be drawn."""
    draws: list[Draw]
    items: list[AuditItem]

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> AuditPlan:
        """Return the plan that `dataclasses.asdict` has written.

        Plans by confidence band, as they once were, have no draws: their answers can be read and are no evidence, since
        each band was drawn at another rate.

        Raises:
            StudioError: If parts are missing.
        """
        try:
            if "strata" in saved:
                old = [AuditItem(one["image_id"], one["class_name"], one["sign"]) for one in saved["items"]]
                return cls(int(saved["run"]), 0, int(saved["seed"]), 0.0, {}, [], [], old)
            draws, items = [Draw(**one) for one in saved["draws"]], [AuditItem(**one) for one in saved["items"]]
            return cls(**{**saved, "draws": draws, "items": items})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StudioError(f"an audit cannot be read: {error!r}", "draw a new one") from error


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
        self._audits: dict[int, Audit] = {}
        self.warnings: list[str] = []
        """What could not be read: such an audit is no evidence, and its cells are free."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                self._audits[_number(path)] = _read(path)
            except StudioError as error:
                self.warnings.append(f"an audit is left out: {error.what}")
        self._answers: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
        with self._ledger.lock:
            for line in self._ledger.lines:
                self._see(line)
            self._ledger.listen(self._on_line)

    def all(self) -> list[Audit]:
        """Return the audits, oldest first."""
        return [self._audits[number] for number in sorted(self._audits)]

    def next_number(self) -> int:
        """Return the number of the next audit; that of one which can't be read is not given again."""
        return max((_number(path) for path in self._folder.glob("*.json")), default=0) + 1

    def open(self) -> list[Audit]:
        """Return the audits that wait for answers, oldest first."""
        return [audit for audit in self.all() if self.status(audit) == "open"]

    def audit(self, number: int) -> Audit:
        """Return one audit; a `StudioError` says that there is none of that number."""
        if number not in self._audits:
            raise StudioError(f"there is no audit {number}", "choose one from the list")
        return self._audits[number]

    def save(self, audit: Audit) -> None:
        """Write an audit to its file."""
        write_json(self._folder / f"{audit.number:04d}.json", {"format": 2, **asdict(audit)}, new_folders=1)
        self._audits[audit.number] = audit

    def cells(self, items: Iterable[AuditItem]) -> list[int]:
        """Return the cells of items whose image and class are still there."""
        found = (flat_index(self._ledger, item.image_id, item.class_name) for item in items)
        return [cell for cell in found if cell >= 0]

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

    def _on_line(self, line: Line) -> None:
        if self._see(line):
            self._on_answer()

    def _see(self, line: Line) -> bool:
        """Take note of a journal line; return whether it gives an audit's answer or takes one back."""
        about, counts = self._ledger.target(line), line.kind != "undo"
        if "withdrawn" in line.extra:  # in older journals some answers were notes, and notes took them back
            about = self._ledger.target(replace(line, of=line.extra["withdrawn"]))
            counts = bool(line.extra.get("again"))
        if about is None or "audit" not in about.extra or "said" not in about.extra:
            return False
        place = about.cells[0][:2] if about.cells else (about.extra["image"], about.extra["class"])
        cell, answers = flat_index(self._ledger, *place), self._answers[about.extra["audit"]]
        if counts:
            answers[cell] = (about.extra["said"], about.seq)
        elif answers.get(cell, (0, 0))[1] == about.seq:
            del answers[cell]
        answers.pop(-1, None)
        return True


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdecimal() else 0


def _read(path: Path) -> Audit:
    saved = read_json(path) or {}
    try:
        plan = AuditPlan.from_json(saved["plan"])
        who, time, action = (str(saved.get(name, "")) for name in ("who", "time", "action"))
        if saved["number"] != _number(path) or type(plan.run) is not int:
            raise ValueError(f"number {saved['number']!r}, run {plan.run!r}")
        return Audit(_number(path), plan, who, time, action, bool(saved.get("given_up", False)))
    except StudioError as error:
        raise StudioError(f"{path}: {error.what}", "move the file away") from error
    except (KeyError, TypeError, ValueError) as error:
        raise StudioError(f"{path}: no audit can be read from it: {error}", "move the file away") from error
