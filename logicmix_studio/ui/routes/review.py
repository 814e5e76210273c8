"""Routes of the Review tab."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Depends

from logicmix_studio.review import QueueSpec, count_proposals
from logicmix_studio.store import CellChange, Decision, Line, Receipt
from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_audits import AuditRoom
from logicmix_studio.ui.review_desk import ReviewDesk
from logicmix_studio.ui.review_plants import count_plants
from logicmix_studio.ui.routes.review_audit import audit_routes
from logicmix_studio.ui.routes.review_conflicts import conflict_routes
from logicmix_studio.ui.routes.review_history import history_routes
from logicmix_studio.ui.routes.review_models import (
    AnswerRequest,
    AnswerRow,
    QueueRequest,
    ReleaseRequest,
    UndoRequest,
)
from logicmix_studio.ui.routes.review_thresholds import threshold_routes
from logicmix_studio.ui.security import current_person

__all__ = ["router"]

SHOWN_AGAIN = 50
"""Cells of an undone action that the page may show again."""


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/review``."""
    desk = ReviewDesk(studio)
    audits = AuditRoom(studio, desk)
    routes = APIRouter(prefix="/api/review")
    routes.include_router(_queue_routes(studio, desk))
    routes.include_router(_answer_routes(studio, desk, audits))
    routes.include_router(audit_routes(studio, desk, audits))
    routes.include_router(threshold_routes(studio, desk, audits))
    routes.include_router(conflict_routes(studio, desk))
    routes.include_router(history_routes(studio, desk))
    return routes


def _queue_routes(studio: Studio, desk: ReviewDesk) -> APIRouter:
    routes = APIRouter()

    @routes.post("/queue")
    def queue(asked: QueueRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        batch = desk.next_batch(
            QueueSpec.from_query(asked.query),
            who=who,
            holder=asked.holder,
            want=asked.want,
            have=asked.have,
            plant=asked.plant,
        )
        return {
            "items": batch.items,
            "total": batch.total,
            "run": batch.run,
            "lost": batch.lost,
            "empty": batch.empty,
            "seq": studio.ledger.seq,
        }

    @routes.post("/release")
    def release(asked: ReleaseRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        name = f"{who}/{asked.holder}"
        if asked.everything:
            desk.leases.release_all(name)
        else:
            desk.leases.release(asked.cells, name)
        return {"released": len(asked.cells)}

    @routes.post("/take-again")
    def take_again(who: str = Depends(current_person)) -> dict[str, Any]:
        return {"again": desk.take_again(who)}

    @routes.get("/classes")
    def classes() -> dict[str, Any]:
        positive, negative = count_proposals(studio.proposals_array())
        rows = zip(studio.class_names, positive.tolist(), negative.tolist(), strict=True)
        return {"classes": [{"name": name, "positive": pos, "negative": neg} for name, pos, neg in rows]}

    @routes.get("/care")
    def care() -> dict[str, Any]:
        with studio.ledger.lock:
            stamps = count_plants(studio.ledger.lines, desk.actions.is_withdrawn)
        return {
            "people": [
                {
                    "who": stamp.who,
                    "accepted": stamp.accepted,
                    "shown": stamp.shown,
                    "interval": stamp.interval,
                    "message": stamp.message(),
                }
                for stamp in stamps
            ]
        }

    return routes


def _answer_routes(studio: Studio, desk: ReviewDesk, audits: AuditRoom) -> APIRouter:
    routes = APIRouter()

    @routes.post("/answer")
    def answer(asked: AnswerRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        extra: dict[str, Any] = {"suggestion": asked.suggestion}
        if asked.ms is not None:
            extra["ms"] = round(asked.ms)
        if asked.tiles is not None:
            extra["tiles"] = asked.tiles
        receipt = desk.answer(
            _decisions(asked.cells),
            who=who,
            origin=asked.origin,
            action_id=asked.id,
            run=asked.run,
            note=asked.note,
            extra=extra,
        )
        return receipt_json(studio, receipt, who)

    @routes.post("/undo")
    def undo(asked: UndoRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        receipt = desk.actions.undo(who, action_id=asked.id, target=asked.target, of=asked.of)
        audits.refresh()
        return {**receipt_json(studio, receipt, who), "again": _again(desk, receipt.line)}

    @routes.post("/redo")
    def redo(asked: UndoRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        receipt = desk.actions.redo(who, action_id=asked.id, target=asked.target)
        audits.refresh()
        return receipt_json(studio, receipt, who)

    return routes


def receipt_json(studio: Studio, receipt: Receipt, who: str) -> dict[str, Any]:
    """Return what became of an action, for the page.

    Args:
        studio: The studio.
        receipt: What the ledger said.
        who: The person who asked.
    """
    line = receipt.line
    return {
        "seq": None if line is None else line.seq,
        "kind": None if line is None else line.kind,
        "of": None if line is None else line.of,
        "origin": None if line is None else line.origin,
        "written": 0 if line is None else len(line.cells),
        "repeated": receipt.repeated,
        "skipped": [[decision.image_id, decision.class_name] for decision in receipt.skipped],
        "kept": [[cell.image_id, cell.class_name] for cell in receipt.kept],
        "can_undo": studio.ledger.can_undo(who),
        "can_redo": studio.ledger.can_redo(who),
    }


def _again(desk: ReviewDesk, line: Line | None) -> list[dict[str, Any]]:
    """Return the cells that an undo opened again, for a screen that shows them."""
    if line is None:
        return []
    cells: Sequence[CellChange] = line.cells[:SHOWN_AGAIN]
    flat = [desk.flat(cell.image_id, cell.class_name) for cell in cells if _is_here(desk, cell)]
    has_left_scores = line.run in {info.run for info in desk.studio.finished_runs()}
    return desk.items(flat, desk.scores(line.run if has_left_scores else None))


def _is_here(desk: ReviewDesk, cell: CellChange) -> bool:
    ledger = desk.studio.ledger
    return cell.image_id in ledger.row_of and cell.class_name in ledger.column_of


def _decisions(rows: Sequence[AnswerRow]) -> list[Decision]:
    return [Decision(*row) for row in rows]
