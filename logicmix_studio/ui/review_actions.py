"""Taking an action back by the id the page gave it, whatever became of it."""

from __future__ import annotations

from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.store import Line, Receipt
from logicmix_studio.studio import Studio

WITHDRAWN: Final = "withdrawn"
"""Key of a note that takes another note back: the sequence number of that note."""

ACTION: Final = "action"
"""Key under which a note carries the page's id; notes have ids of their own."""


class Actions:
    """The journal's lines by the ids that pages gave them.

    A page may ask to undo an answer whose fate it does not know: it was written, it was left out because somebody
    else had settled the cell, or it answered a planted suggestion and stands as a note. Each has its way back.

    Args:
        studio: The studio.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._seqs: dict[str, int] = {}
        self._withdrawn: set[int] = set()

    def see(self, line: Line) -> None:
        """Take note of a journal line."""
        self._seqs[str(line.extra.get(ACTION, line.id))] = line.seq
        if WITHDRAWN in line.extra:
            seq = int(line.extra[WITHDRAWN])
            if line.extra.get("again"):
                self._withdrawn.discard(seq)
            else:
                self._withdrawn.add(seq)

    def find(self, action_id: str) -> Line | None:
        """Return the line an action wrote, or None."""
        seq = self._seqs.get(action_id)
        return None if seq is None else self.studio.ledger.line(seq)

    def is_withdrawn(self, seq: int) -> bool:
        """Return whether a note was taken back."""
        return seq in self._withdrawn

    def undo(self, who: str, *, action_id: str, target: str | None = None, of: int | None = None) -> Receipt:
        """Undo an action.

        Args:
            who: The person who undoes.
            action_id: The same id twice is one action.
            target: The page's id of the action; the person's last one where neither this nor ``of`` is given.
            of: The journal line of the action.

        Raises:
            StudioError: If there is nothing to undo, or the disk refuses.
        """
        ledger = self.studio.ledger
        with ledger.lock:
            known = self.find(action_id)
            if known is not None:
                return Receipt(line=known, repeated=True)
            if target is not None:
                line = self.find(target)
                if line is None or (line.kind == "decide" and ledger.is_undone(line.seq)):
                    return Receipt(line=None)
                of = line.seq
            if of is not None and ledger.line(of).kind == "note":
                return self._withdraw(of, who, action_id, again=False)
            return ledger.undo(who, action_id=action_id, of=of)

    def redo(self, who: str, *, action_id: str, target: str | None = None) -> Receipt:
        """Bring an action back that was undone.

        Args:
            who: The person who redoes.
            action_id: The same id twice is one action.
            target: The page's id of the action; the one undone last unless given.

        Raises:
            StudioError: If something else was undone later, or there is nothing to redo.
        """
        ledger = self.studio.ledger
        with ledger.lock:
            known = self.find(action_id)
            if known is not None:
                return Receipt(line=known, repeated=True)
            line = None if target is None else self.find(target)
            if target is not None and line is None:
                return Receipt(line=None)
            if line is not None and line.kind == "note":
                return self._withdraw(line.seq, who, action_id, again=True)
            if line is not None and ledger.can_redo(who) != line.seq:
                raise StudioError(
                    f"line {line.seq} cannot be brought back now",
                    "a newer decision came in between: answer again",
                )
            return ledger.redo(who, action_id=action_id)

    def _withdraw(self, seq: int, who: str, action_id: str, *, again: bool) -> Receipt:
        line = self.studio.ledger.line(seq)
        if self.is_withdrawn(seq) is not again:
            return Receipt(line=None)
        extra: dict[str, Any] = {ACTION: action_id, WITHDRAWN: seq}
        if again:
            extra["again"] = True
        if "audit" in line.extra:
            extra["audit"] = line.extra["audit"]
        text = "answer brought back" if again else "answer withdrawn"
        return self.studio.ledger.note(text, who=who, origin=line.origin, extra=extra)
