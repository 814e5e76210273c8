"""The journal: an append-only file of what people decided.

A line is on disk (fsync) before anything else changes, so a kill at any moment loses nothing that was acknowledged.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from logicmix_studio.errors import StudioError


class CellValue(NamedTuple):
    """Everything the ledger knows of one cell."""

    state: int
    """+1 positive, 0 unknown, -1 negative."""
    source: int
    """Who it comes from: see :class:`~logicmix_studio.store.ledger.Source`."""
    unsure_run: int
    """The run whose queue the cell left as "unsure", or -1."""


class CellChange(NamedTuple):
    """One cell of one action, before and after."""

    image_id: str
    class_name: str
    answer: str
    """accept, reject, unsure, skip, set, undo or redo."""
    score: float | None
    """The calibrated score the person could have seen; None where no model had scored the cell."""
    before: CellValue
    after: CellValue


@dataclass(frozen=True, slots=True)
class Line:
    """One action: a decision on one cell or a whole bulk, an undo, a redo, or a note."""

    seq: int
    """1 for the first line; rises by one."""
    id: str
    """Made by whoever asks; the same id twice is the same action."""
    kind: str
    """decide, undo, redo or note."""
    time: str
    """UTC, ISO 8601 with microseconds."""
    who: str
    origin: str
    """Where the person was: stream, grid, audit, conflicts, browse, blend, label, fiftyone, python."""
    cells: tuple[CellChange, ...] = ()
    run: int | None = None
    """The run whose proposals were answered."""
    of: int | None = None
    """The line that an undo or redo speaks of."""
    note: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Facts beside the cells: milliseconds taken, an override and its reason, an audit's number."""

    def to_json(self) -> str:
        """Return the line as it stands in the file, without the line break."""
        content = {name: getattr(self, name) for name in _LINE_FIELDS} | {"extra": dict(self.extra)}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Line:
        """Return a line from its text; a ValueError where it is none."""
        raw = json.loads(text)
        try:
            cells = tuple(
                CellChange(image_id, class_name, answer, score, CellValue(*before), CellValue(*after))
                for image_id, class_name, answer, score, before, after in raw["cells"]
            )
            facts = {name: raw[name] for name in _LINE_FIELDS if raw.get(name) is not None}
            return cls(**{**facts, "seq": int(raw["seq"]), "cells": cells})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a journal line: {error}") from error


_LINE_FIELDS = tuple(one.name for one in fields(Line))


def new_action_id() -> str:
    """Return an id for an action that nobody else made."""
    return uuid.uuid4().hex


def utc_now() -> str:
    """Return the time as journal lines carry it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def read_journal(path: Path) -> Iterator[Line]:
    """Yield the lines of a journal, oldest first.

    An unfinished last line (the machine stopped while it was written, so it was never acknowledged) is left out.

    Raises:
        StudioError: If a line in the middle is broken, with its number.
    """
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith(b"\n"):
                return
            try:
                yield Line.from_json(text)
            except ValueError as error:
                raise StudioError(
                    f"{path}:{number}: broken journal line ({error})",
                    "restore this line from a backup, or move it to another file to go on without it",
                ) from error


class Journal:
    """Appends lines to the journal and makes them durable.

    An unfinished last line that is found in the file is moved to ``journal.torn``.

    Raises:
        StudioError: If the file can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StudioError(f"{path}: cannot be written: {error.strerror}", "check the folder's rights") from error
        data = path.read_bytes()
        self._end = data.rfind(b"\n") + 1
        if self._end < len(data):
            with path.with_suffix(".torn").open("ab") as torn:
                torn.write(data[self._end :] + b"\n")
            self._cut()
            os.fsync(self._descriptor)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def append(self, line: Line) -> None:
        """Write one line and wait until it is on disk.

        Raises:
            StudioError: If the disk refuses; the file is then as it was before.
        """
        data = line.to_json().encode() + b"\n"
        try:
            written = 0
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
            os.fsync(self._descriptor)
        except OSError as error:
            self._cut()
            told = f"{self.path}: the decision was not saved: {error.strerror}"
            raise StudioError(told, "free some space and answer again") from error
        self._end += len(data)

    def close(self) -> None:
        """Close the file; appending afterwards is an error."""
        os.close(self._descriptor)

    def _cut(self) -> None:
        """Take away what stands behind the last whole line."""
        os.ftruncate(self._descriptor, self._end)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
