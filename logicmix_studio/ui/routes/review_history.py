"""Routes of the history, and of what training would see."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Query

from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_desk import ReviewDesk
from logicmix_studio.ui.review_history import HistoryFilter, describe_line, labels_at, list_lines
from logicmix_studio.ui.review_whatif import what_if


def history_routes(studio: Studio, desk: ReviewDesk) -> APIRouter:
    """Return the routes of the history and of the look ahead.

    Args:
        studio: The studio.
        desk: Knows which notes were taken back.
    """
    routes = APIRouter()

    @routes.get("/history")
    def history(
        who: str = "",
        class_name: str = Query(default="", alias="class"),
        origin: str = "",
        image: str = "",
        before: int | None = None,
        limit: int = Query(default=60, ge=1, le=500),
    ) -> dict[str, Any]:
        wanted = HistoryFilter(who, class_name, origin, image, before)
        return list_lines(studio, desk.actions, wanted, limit)

    @routes.get("/history/{seq}")
    def line(
        seq: int, offset: int = Query(default=0, ge=0), count: int = Query(default=200, ge=1, le=1000)
    ) -> dict[str, Any]:
        return describe_line(studio, desk.actions, studio.ledger.line(seq), offset=offset, count=count)

    @routes.get("/labels-at")
    def at(time: str) -> dict[str, Any]:
        return labels_at(studio, time)

    @routes.get("/what-if")
    def ahead() -> dict[str, Any]:
        return what_if(studio, desk)

    return routes
