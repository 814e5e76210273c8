"""The one way a page reads and changes cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Depends, Query
from PIL import Image
from pydantic import BaseModel, Field

from logicmix_studio.review import Thresholds
from logicmix_studio.store import CellChange, Decision, Line, Receipt
from logicmix_studio.studio import Studio
from logicmix_studio.ui.security import current_person
from logicmix_studio.ui.state import as_score

MAX_CELLS = 200_000
"""Cells of one action."""

CellRow = tuple[str, str, int, str] | tuple[str, str, int, str, float | None]


class DecideRequest(BaseModel):
    """Answers that are one journal line and one undo."""

    id: str = Field(min_length=8, max_length=100)
    """Made by the page; the same id twice is one action."""
    origin: str = Field(max_length=40)
    cells: list[CellRow] = Field(max_length=MAX_CELLS)
    """image id, class, state, answer and, if it was shown, the score."""
    run: int | None = None
    ms: float | None = None
    """How long the person looked."""
    note: str = Field(default="", max_length=2000)
    extra: dict[str, Any] = Field(default_factory=dict)


class UndoRequest(BaseModel):
    """Undo a line, or this person's last one."""

    id: str = Field(min_length=8, max_length=100)
    of: int | None = None


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/cells``."""
    routes = APIRouter(prefix="/api/cells")

    @routes.post("/decide")
    def decide(asked: DecideRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        extra = dict(asked.extra)
        if asked.ms is not None:
            extra["ms"] = round(asked.ms)
        receipt = studio.ledger.decide(
            [_decision(row) for row in asked.cells],
            who=who,
            origin=asked.origin,
            action_id=asked.id,
            run=asked.run,
            note=asked.note,
            extra=extra,
        )
        return _answer(studio, receipt, who)

    @routes.post("/undo")
    def undo(asked: UndoRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        return _answer(studio, studio.ledger.undo(who, action_id=asked.id, of=asked.of), who)

    @routes.post("/redo")
    def redo(asked: UndoRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        return _answer(studio, studio.ledger.redo(who, action_id=asked.id), who)

    @routes.get("/history")
    def history(image: str, class_name: str = Query(alias="class")) -> dict[str, Any]:
        lines = studio.ledger.history(image, class_name)
        return {"lines": [_history_entry(studio, line, image, class_name) for line in reversed(lines)]}

    @routes.get("/image/{image_id}")
    def image(image_id: str) -> dict[str, Any]:
        return image_cells(studio, image_id)

    return routes


def image_cells(studio: Studio, image_id: str) -> dict[str, Any]:
    """Return an image and all its cells.

    Raises:
        StudioError: If there is no such image.
    """
    path = studio.image_path(image_id)
    ledger, row = studio.ledger, studio.ledger.row_of[image_id]
    current, proposals, thresholds = studio.current, studio.proposals_array(), studio.thresholds
    width, height = _size(path)
    cells = []
    for column, name in enumerate(studio.class_names):
        score = None if current is None else as_score(current.scores[row, column])
        cells.append(
            {
                "class": name,
                "state": int(ledger.states[row, column]),
                "source": int(ledger.sources[row, column]),
                "unsure": int(ledger.unsure_run[row, column]),
                "score": score,
                "proposal": int(proposals[row, column]),
                "threshold_hit": _threshold_hit(thresholds, column, score),
                "truth": None if studio.complete is None else int(studio.complete[row, column]),
            }
        )
    return {
        "id": image_id,
        "row": row,
        "path": studio.table.paths[row],
        "split": studio.table.splits[row],
        "width": width,
        "height": height,
        "run": None if current is None else current.run,
        "cells": cells,
    }


def _decision(row: CellRow) -> Decision:
    score = row[4] if len(row) == 5 else None
    return Decision(row[0], row[1], row[2], row[3], score)


def _answer(studio: Studio, receipt: Receipt, who: str) -> dict[str, Any]:
    ledger, line = studio.ledger, receipt.line
    return {
        "seq": None if line is None else line.seq,
        "kind": None if line is None else line.kind,
        "of": None if line is None else line.of,
        "cells": 0 if line is None else len(line.cells),
        "repeated": receipt.repeated,
        "skipped": [[decision.image_id, decision.class_name] for decision in receipt.skipped],
        "kept": [[cell.image_id, cell.class_name] for cell in receipt.kept],
        "can_undo": ledger.can_undo(who),
        "can_redo": ledger.can_redo(who),
    }


def _history_entry(studio: Studio, line: Line, image_id: str, class_name: str) -> dict[str, Any]:
    change: CellChange = next(
        cell for cell in line.cells if cell.image_id == image_id and cell.class_name == class_name
    )
    return {
        "seq": line.seq,
        "kind": line.kind,
        "time": line.time,
        "who": line.who,
        "origin": line.origin,
        "run": line.run,
        "of": line.of,
        "note": line.note,
        "bulk": len(line.cells),
        "answer": change.answer,
        "score": change.score,
        "before": change.before.state,
        "after": change.after.state,
        "undone": line.kind == "decide" and studio.ledger.is_undone(line.seq),
    }


def _threshold_hit(thresholds: Thresholds, column: int, score: float | None) -> int:
    """Return the sign whose threshold a score reaches, or 0."""
    if score is None:
        return 0
    if score >= thresholds.positive[column]:
        return 1
    return -1 if 1 - score >= thresholds.negative[column] else 0


def _size(path: Path) -> tuple[int | None, int | None]:
    """Return an image's size from its header; nothing where the file can't be read."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) >= 5
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None, None
    return (height, width) if turned else (width, height)
