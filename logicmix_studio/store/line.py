"""A line of the journal: what it may hold, and how it is written and read.

One schema holds for both ways: what could not be read again is refused before it is written.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from sys import intern
from typing import Any, Final, NamedTuple

from logicmix_studio.files import is_number, is_text, parse_json

KINDS: Final = frozenset({"decide", "undo", "redo", "note"})
ANSWERS: Final = frozenset({"accept", "reject", "unsure", "skip", "set", "undo", "redo"})
STATES: Final = frozenset({-1, 0, 1})
SOURCES: Final = frozenset({0, 1, 2, 3})
"""Values of :class:`~logicmix_studio.store.ledger.Source`."""
MAX_RUN: Final = 32_767
"""The ledger keeps runs as int16."""
MAX_SEQ: Final = 2**53
MAX_TEXT: Final = 1_000_000
"""Characters of one text."""
MAX_DEPTH: Final = 16
"""Levels of lists and objects in ``extra``."""
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{24}")
_MAX_INT: Final = 2**63
_CHECKSUM: Final = ',"crc":'


class CellValue(NamedTuple):
    """Everything the ledger knows of one cell."""

    state: int
    """+1 positive, 0 unknown, -1 negative."""
    source: int
    """Who it comes from: see :class:`~logicmix_studio.store.ledger.Source`."""
    unsure_run: int
    """The run whose queue the cell left as "unsure", or -1."""


cell_value = lru_cache(maxsize=10_000, typed=True)(CellValue)
"""Lines are kept by the hundred thousand, and few values differ: the same is the same object."""


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
    """1 for the first line; rises by one, but for lines that are lost."""
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
        """Return the line as it stands in the file, without the line break; its checksum comes last.

        Raises:
            ValueError: If it could not be read again, with the reason.
        """
        if problem := line_problem(self):
            raise ValueError(problem)
        content = {name: getattr(self, name) for name in _LINE_FIELDS} | {"extra": dict(self.extra)}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        return f"{text[:-1]}{_CHECKSUM}{zlib.crc32(text.encode())}}}"

    @classmethod
    def from_json(cls, text: str | bytes) -> Line:
        """Return a line from its text; one without a checksum, as earlier versions wrote it, is read, too.

        Raises:
            ValueError: If it is no line or was changed, with the reason.
        """
        data = text.encode() if isinstance(text, str) else text.rstrip(b"\n")
        try:
            raw = parse_json(data)
            if "crc" in raw and raw["crc"] != zlib.crc32(data[: data.rfind(_CHECKSUM.encode())] + b"}"):
                raise ValueError("it was changed: its checksum does not fit")
            cells = tuple(
                CellChange(
                    intern(image_id), intern(class_name), intern(answer), score, cell_value(*before), cell_value(*after)
                )
                for image_id, class_name, answer, score, before, after in raw["cells"]
            )
            facts = {name: raw[name] for name in _LINE_FIELDS if raw.get(name) is not None}
            facts |= {name: intern(facts[name]) for name in ("kind", "who", "origin")}
            line = cls(**{**facts, "cells": cells})
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a journal line: {error}") from error
        if problem := line_problem(line):
            raise ValueError(f"not a journal line: {problem}")
        return line


_LINE_FIELDS = tuple(one.name for one in fields(Line))


def line_problem(line: Line) -> str:
    """Return why a line could not be read again, or could not be acted upon; empty where it can."""
    for value in (line.id, line.kind, line.time, line.who, line.origin, line.note):
        if not is_text(value, MAX_TEXT):
            return f"{value!r:.60} is no text, or too long a one"
    if line.kind not in KINDS:
        return f"unknown kind {line.kind!r}"
    if not _is_time(line.time):
        return f"{line.time!r} is no time with a zone"
    if not _is_int(line.seq, 1, MAX_SEQ):
        return f"its number is {line.seq!r}"
    if line.run is not None and not _is_int(line.run, 0, MAX_RUN):
        return f"run {line.run!r} is none: runs are whole numbers up to {MAX_RUN}"
    if not _is_int(line.of, 1, MAX_SEQ) if line.kind in ("undo", "redo") else line.of is not None:
        return f"{line.kind} of line {line.of!r}"
    return next(filter(None, map(_cell_problem, line.cells)), "") or _extra_problem(line)


def _cell_problem(cell: CellChange) -> str:
    image_id, class_name, answer, score, before, after = cell
    if not (type(image_id) is str and _IMAGE_ID.fullmatch(image_id)):
        return f"{image_id!r:.60} is no image's id"
    if not is_text(class_name, MAX_TEXT):
        return f"{class_name!r:.60} is no class's name"
    if type(answer) is not str or answer not in ANSWERS:
        return f"unknown answer {answer!r}"
    if score is not None and not (is_number(score) and 0.0 <= score <= 1.0):
        return f"the score {score!r} is not between 0 and 1"
    for state, source, unsure_run in (before, after):
        if type(state) is not int or state not in STATES:
            return f"the state {state!r} is not -1, 0 or 1"
        if not _is_int(source, 0, 3) or (state != 0) != (source != 0):
            return f"the source {source!r} does not fit the state {state}"
        if not _is_int(unsure_run, -1, MAX_RUN):
            return f"unsure in run {unsure_run!r}: runs are whole numbers up to {MAX_RUN}"
    return ""


def _extra_problem(line: Line) -> str:
    extra = line.extra
    if not isinstance(extra, dict | Mapping):
        return "extra is no object"
    for name, value in extra.items():
        if not (is_text(name, MAX_TEXT) and _FACTS.get(name, _is_json)(value)):
            return f"extra has {name!r:.60}: {value!r:.60}"
    if "said" in extra and "audit" in extra and not line.cells and not {"image", "class"} <= extra.keys():
        return "an audit's answer without a cell"
    return ""


def _is_int(value: Any, low: int, high: int) -> bool:
    return type(value) is int and low <= value <= high


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_json(value: Any, depth: int = MAX_DEPTH) -> bool:
    """Return whether a value comes back from JSON as it was, but for tuples, which become lists."""
    if value is None or type(value) is bool:
        return True
    if isinstance(value, int):
        return -_MAX_INT <= value < _MAX_INT
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return is_text(value, MAX_TEXT)
    if depth == 0 or not isinstance(value, dict | list | tuple):
        return False
    if isinstance(value, dict):
        return all(is_text(key, MAX_TEXT) and _is_json(part, depth - 1) for key, part in value.items())
    return all(_is_json(part, depth - 1) for part in value)


_FACTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "audit": lambda value: _is_int(value, 0, MAX_SEQ),
    "said": lambda value: _is_int(value, -1, 1),
    "withdrawn": lambda value: _is_int(value, 1, MAX_SEQ),
    "image": lambda value: is_text(value, MAX_TEXT),
    "class": lambda value: is_text(value, MAX_TEXT),
    "rest": lambda value: is_text(value, MAX_TEXT),
}
"""Facts that are read again, and what they must be; others may be anything."""
