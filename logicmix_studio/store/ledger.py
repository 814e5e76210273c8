"""The ledger: what is known of every cell, in memory, backed by the journal."""

from __future__ import annotations

import enum
import itertools
import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import UNKNOWN, LabelTable
from logicmix_studio.store.journal import Journal, new_action_id, utc_now
from logicmix_studio.store.line import CellChange, CellValue, Line, cell_value

NEVER = -1
"""``unsure_run`` of a cell that nobody was unsure about."""

Listener = Callable[[Line], None]
_log = logging.getLogger(__name__)


class Source(enum.IntEnum):
    """Who a cell's state comes from."""

    NOBODY = 0
    IMPORTED = 1
    HUMAN = 2
    ACCEPTED = 3
    """A person agreed with a pseudo-label."""


@dataclass(frozen=True)
class Decision:
    """A person's answer to one cell, as it arrives."""

    image_id: str
    class_name: str
    state: int
    """The state the cell shall have; ignored for "unsure" and "skip"."""
    answer: str = "set"
    """accept, reject, unsure, skip or set."""
    score: float | None = None


@dataclass(frozen=True)
class Receipt:
    """What became of an action."""

    line: Line | None
    """The journal line; None where nothing had to be written."""
    repeated: bool = False
    """Whether the same action had been written before."""
    skipped: tuple[Decision, ...] = ()
    """Answers that were left out because somebody else had settled the cell meanwhile."""
    left_alone: tuple[CellChange, ...] = ()
    """Cells that an undo left alone because they were changed again later."""


class Ledger:
    """The states of all cells, their sources, and the only way to change them.

    One action goes: check, append to the journal and wait for the disk, change the arrays, tell the listeners. All
    methods may be called from any thread.

    Attributes:
        states: (N, C) int8 in {-1, 0, +1}. Read it; never write to it.
        sources: (N, C) uint8, values of :class:`Source`.
        unsure_run: (N, C) int16, the run whose queue the cell left as unsure, or -1.
        warnings: What a person should know of the lines, one sentence each.

    Args:
        table: The imported labels; ids, paths, classes and splits are read from it.
        lines: The journal's lines, oldest first; they are replayed.
        journal: Where new lines go; without one the ledger can only be read.
        renamed: Former class names and the names of today: a former name still finds its class.
    """

    def __init__(
        self,
        table: LabelTable,
        lines: Iterable[Line] = (),
        journal: Journal | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        self.table = table
        self.lock = threading.RLock()
        self.states: npt.NDArray[np.int8] = table.states.copy()
        self.sources: npt.NDArray[np.uint8] = (table.states != UNKNOWN).astype(np.uint8) * np.uint8(Source.IMPORTED)
        self.unsure_run: npt.NDArray[np.int16] = np.full(table.states.shape, NEVER, dtype=np.int16)
        self.row_of: dict[str, int] = {image_id: row for row, image_id in enumerate(table.image_ids)}
        self.column_of: dict[str, int] = {name: column for column, name in enumerate(table.class_names)}
        self._renamed = {old: new for old, new in (renamed or {}).items() if new in self.column_of}
        self.column_of |= {old: self.column_of[new] for old, new in self._renamed.items()}
        self.lines: list[Line] = []
        self.warnings: list[str] = []
        self._journal = journal
        self._is_closed = False
        self._by_id: dict[str, Line] = {}
        self._by_seq: dict[int, Line] = {}
        self._touched: dict[tuple[int, int], list[int]] = defaultdict(list)
        self._undo: dict[str, dict[int, None]] = defaultdict(dict)
        """Line numbers by person, in the order in which undo takes them back: the last one first."""
        self._redo: dict[str, dict[int, None]] = defaultdict(dict)
        self._listeners: list[Listener] = []
        for line in lines:
            self._take(line)

    # reading -----------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The number of the last line; 0 before the first."""
        return self.lines[-1].seq if self.lines else 0

    def value(self, row: int, column: int) -> CellValue:
        """Return what is known of one cell."""
        state, source, unsure_run = self.states[row, column], self.sources[row, column], self.unsure_run[row, column]
        return cell_value(int(state), int(source), int(unsure_run))

    def find_row(self, image_id: str) -> int:
        """Return the row of an image; a StudioError where there is none."""
        if not isinstance(image_id, str) or image_id not in self.row_of:
            hint = "reload the page: the data set may have changed"
            raise StudioError(f"there is no image {image_id!r}", hint)
        return self.row_of[image_id]

    def find_column(self, class_name: str) -> int:
        """Return the column of a class; a StudioError where there is none."""
        if not isinstance(class_name, str) or class_name not in self.column_of:
            hint = f"classes are: {', '.join(self.table.class_names[:20])}"
            raise StudioError(f"there is no class {class_name!r}", hint)
        return self.column_of[class_name]

    def position(self, image_id: str, class_name: str) -> tuple[int, int]:
        """Return row and column of a cell; a StudioError where there is no such image or class."""
        return self.find_row(image_id), self.find_column(class_name)

    def history(self, image_id: str, class_name: str) -> list[Line]:
        """Return the lines that touched one cell, oldest first."""
        with self.lock:
            cell = self.position(image_id, class_name)
            return [self._by_seq[seq] for seq in self._touched.get(cell, ())]

    def line(self, seq: int) -> Line:
        """Return one line; a StudioError where there is none of that number."""
        if seq not in self._by_seq:
            raise StudioError(f"there is no journal line {seq}", f"the last one is {self.seq}")
        return self._by_seq[seq]

    def target(self, line: Line) -> Line | None:
        """Return the decision that a line speaks of: what an undo or redo names, or itself; None where it is lost."""
        return line if line.of is None else self._by_seq.get(line.of)

    def find(self, action_id: str) -> Line | None:
        """Return the line that an action wrote, or None."""
        return self._by_id.get(action_id)

    def states_at(self, time: str) -> npt.NDArray[np.int8]:
        """Return the (N, C) int8 states as they were at a time (UTC, ISO 8601)."""
        with self.lock:
            return Ledger(self.table, self.lines_until(time)).states

    def lines_until(self, time: str) -> list[Line]:
        """Return the lines before the first one later than a time: where the clock was set back, labels that once were."""
        return list(itertools.takewhile(lambda line: line.time <= time, self.lines))

    def can_undo(self, who: str) -> int | None:
        """Return the line that :meth:`undo` would undo for a person."""
        return next(reversed(self._undo[who]), None)

    def can_redo(self, who: str) -> int | None:
        """Return the line that :meth:`redo` would bring back for a person."""
        return next(reversed(self._redo[who]), None)

    def is_undone(self, seq: int) -> bool:
        """Return whether a decision stands undone at present."""
        return seq not in self._undo[self.line(seq).who]

    def listen(self, listener: Listener) -> None:
        """Have every new line handed over, in order, while the ledger is locked: take it and return at once.

        What is written is written: where a listener fails, the others still hear of the line, its caller gets the
        receipt, and :attr:`warnings` tells.
        """
        with self.lock:
            self._listeners.append(listener)

    def close(self) -> None:
        """Take no more lines; whoever waits to write gets a RuntimeError and may ask the data set that follows."""
        with self.lock:
            self._is_closed = True

    # changing ----------------------------------------------------------------

    def decide(
        self,
        decisions: Sequence[Decision],
        *,
        who: str,
        origin: str,
        action_id: str | None = None,
        run: int | None = None,
        note: str = "",
        extra: Mapping[str, Any] | None = None,
        keep_known: bool = False,
        always: bool = False,
        expected: int | None = None,
    ) -> Receipt:
        """Write one action of one or many answers: the only way in which a person changes cells, whoever calls.

        An accept or reject of a cell that somebody settled meanwhile is left out and reported, never forced.

        Args:
            decisions: The answers; all of them are one line and one undo.
            who: The person.
            origin: Where the person was (stream, grid, audit, conflicts, browse, blend, label, fiftyone, python).
            action_id: The same id twice is one action.
            run: The run whose pseudo-labels were answered.
            note: A person's words.
            extra: Facts beside the cells.
            keep_known: Whether every cell that is known already is left out and reported, whatever the answer.
            always: Whether a line is written even where no cell changes, because the answer itself counts.
            expected: How many cells the person was told; of another number none is written.

        Raises:
            StudioError: If an image or class is unknown, a state or answer is none, the number of cells is another than
                expected, or the disk refuses.
        """
        with self.lock:
            if repeated := self._repeated(action_id):
                return repeated
            changes: list[CellChange] = []
            skipped: list[Decision] = []
            for decision in {(one.image_id, one.class_name): one for one in decisions}.values():  # the last of a cell
                change = self._change(decision, run)
                if change is None or (keep_known and change.before.state != UNKNOWN):
                    skipped.append(decision)
                else:
                    changes.append(change)
            if expected is not None and len(changes) != expected:
                told = f"{len(changes):,} cells would be written, {expected:,} were named"
                raise StudioError(told, "look at the new number and confirm again")
            if not changes and not always:
                return Receipt(None, skipped=tuple(skipped))
            facts = {"run": run, "note": note, "extra": dict(extra or {})}
            return Receipt(self._write("decide", changes, who, origin, action_id, **facts), skipped=tuple(skipped))

    def undo(
        self, who: str, *, action_id: str | None = None, of: int | None = None, target: str | None = None
    ) -> Receipt:
        """Undo a person's last action, or any that is named.

        Cells that were changed again after the line stay as they are and are reported.

        Args:
            who: The person who undoes.
            action_id: The same id twice is one action.
            of: The line to undo; the person's last one where neither this nor ``target`` is given.
            target: The id of the action to undo. Its fate may be unknown to whoever asks: where it wrote nothing, or
                is undone already, nothing happens.

        Raises:
            StudioError: If there is nothing to undo.
        """
        with self.lock:
            if repeated := self._repeated(action_id):
                return repeated
            if target is not None:
                found = self.find(target)
                if found is None or self.is_undone(found.seq):
                    return Receipt(None)
                of = found.seq
            seq = self.can_undo(who) if of is None else of
            if seq is None:
                raise StudioError("there is nothing to undo", "your decisions appear here after the first one")
            line = self.line(seq)
            if line.kind != "decide":
                raise StudioError(f"line {seq} is not a decision but a {line.kind}", "revert the decision itself")
            if self.is_undone(seq):
                raise StudioError(f"line {seq} is undone already", "redo brings it back")
            return self._reverse(line, "undo", who, action_id)

    def redo(self, who: str, *, action_id: str | None = None, target: str | None = None) -> Receipt:
        """Bring back the action a person undid last.

        Args:
            who: The person who redoes.
            action_id: See :meth:`undo`.
            target: The id of the action that shall come back; where it wrote nothing, nothing happens.

        Raises:
            StudioError: If there is nothing to redo, or ``target`` is not what was undone last.
        """
        with self.lock:
            if repeated := self._repeated(action_id):
                return repeated
            seq = self.can_redo(who)
            if target is not None:
                found = self.find(target)
                if found is None:
                    return Receipt(None)
                if found.seq != seq:
                    told = f"line {found.seq} cannot be brought back now"
                    raise StudioError(told, "a newer decision came in between: answer again")
            if seq is None:
                raise StudioError("there is nothing to redo", "a new decision clears what had been undone")
            return self._reverse(self.line(seq), "redo", who, action_id)

    def note(
        self, text: str, *, who: str, origin: str, action_id: str | None = None, extra: Mapping[str, Any] | None = None
    ) -> Receipt:
        """Write a line without cells: a threshold that was moved, a class that was added."""
        with self.lock:
            if repeated := self._repeated(action_id):
                return repeated
            return Receipt(self._write("note", (), who, origin, action_id, note=text, extra=dict(extra or {})))

    # within ------------------------------------------------------------------

    def _repeated(self, action_id: str | None) -> Receipt | None:
        line = None if action_id is None else self.find(action_id)
        return None if line is None else Receipt(line=line, repeated=True)

    def _change(self, decision: Decision, run: int | None) -> CellChange | None:
        row, column = self.position(decision.image_id, decision.class_name)
        before, answer = self.value(row, column), decision.answer
        if answer == "unsure":
            # Not cell_value, which remembers what it is called with: a run may be of any type until the line's schema sees it.
            after = before._replace(unsure_run=NEVER if run is None else run)
        elif answer == "skip":
            after = before
        elif answer in ("accept", "reject"):
            if before.state != UNKNOWN:
                return None
            source = Source.ACCEPTED if answer == "accept" else Source.HUMAN
            after = cell_value(_checked_state(decision, (-1, 1)), int(source), before.unsure_run)
        elif answer == "set":
            state = _checked_state(decision, (-1, 0, 1))
            source = Source.NOBODY if state == UNKNOWN else Source.HUMAN
            after = cell_value(state, int(source), before.unsure_run)
        else:
            raise StudioError(f"unknown answer {answer!r}", "answers are: accept, reject, unsure, skip, set")
        image_id, class_name = self.table.image_ids[row], self.table.class_names[column]  # not a request's copies
        return CellChange(image_id, class_name, intern(answer), decision.score, before, after)

    def _reverse(self, target: Line, kind: str, who: str, action_id: str | None) -> Receipt:
        changes: list[CellChange] = []
        left_alone: list[CellChange] = []
        for cell in target.cells:
            expected, wanted = (cell.after, cell.before) if kind == "undo" else (cell.before, cell.after)
            row, column = self.row_of.get(cell.image_id), self.column_of.get(cell.class_name)
            if row is not None and column is not None and self.value(row, column) == expected:
                changes.append(cell._replace(answer=kind, before=expected, after=wanted))
            else:
                left_alone.append(cell)
        line = self._write(kind, changes, who, target.origin, action_id, run=target.run, of=target.seq)
        return Receipt(line, left_alone=tuple(left_alone))

    def _write(
        self, kind: str, changes: Sequence[CellChange], who: str, origin: str, action_id: str | None, **facts: Any
    ) -> Line:
        if self._is_closed:
            raise RuntimeError("the data set was closed or read anew: ask again")
        if self._journal is None:
            raise StudioError("this studio was opened for reading only", "open it with read_only=False to decide")
        written_id = action_id or new_action_id()
        number = max(self.seq, self._journal.num_lines) + 1  # a lost line's number is never given again
        line = Line(number, written_id, kind, utc_now(), who, origin, tuple(changes), **facts)
        self._journal.append(line)
        self._take(line)
        for listener in self._listeners:
            try:
                listener(line)
            except Exception as error:
                _log.exception("line %d of the journal is written, but not all of the studio has heard of it", number)
                self.warnings.append(f"action {number} is saved, but counts may be old until the next start: {error!r}")
        return line

    def _take(self, line: Line) -> None:
        if line.id in self._by_id:
            return
        now = self._renamed
        if now and any(cell.class_name in now for cell in line.cells):
            cells = (cell._replace(class_name=now.get(cell.class_name, cell.class_name)) for cell in line.cells)
            line = replace(line, cells=tuple(cells))
        self.lines.append(line)
        self._by_id[line.id] = line
        self._by_seq[line.seq] = line
        self._track(line)
        for cell in line.cells:
            row, column = self.row_of.get(cell.image_id), self.column_of.get(cell.class_name)
            if row is None or column is None:
                continue  # it is no longer in the import; the journal still has it
            self.states[row, column], self.sources[row, column], self.unsure_run[row, column] = cell.after
            self._touched[row, column].append(line.seq)

    def _track(self, line: Line) -> None:
        """Keep the stacks of undo and redo; an undo or redo of what is lost sets its cells all the same."""
        if line.kind == "decide":
            self._undo[line.who][line.seq] = None
            self._redo[line.who].clear()
        elif line.of is not None:
            target = self.target(line)
            undo, redo = {} if target is None else self._undo[target.who], self._redo[line.who]
            taken, given = (undo, redo) if line.kind == "undo" else (redo, undo)
            if target is None or line.of not in taken:
                gone = "is lost" if target is None else "did not stand" if line.kind == "undo" else "was not undone"
                self.warnings.append(f"action {line.seq} is the {line.kind} of action {line.of}, which {gone}")
                return
            del taken[line.of]
            given[line.of] = None


def _checked_state(decision: Decision, allowed: tuple[int, ...]) -> int:
    if decision.state not in allowed:
        told = f"state of {decision.class_name!r} must be one of {allowed}, got {decision.state!r}"
        raise StudioError(told, "+1 is positive, -1 negative, 0 unknown")
    return int(decision.state)
