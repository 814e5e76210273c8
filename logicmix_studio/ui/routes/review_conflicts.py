"""Routes of the conflicts: where a confident model contradicts what is known."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from logicmix_studio.review import QueueSpec
from logicmix_studio.store import Line, Source
from logicmix_studio.studio import Studio
from logicmix_studio.ui.review_desk import ReviewDesk
from logicmix_studio.ui.security import current_person

_SOURCES = {
    Source.NOBODY: "nobody",
    Source.IMPORTED: "the import",
    Source.HUMAN: "a person",
    Source.ACCEPTED: "an accepted pseudo-label",
}


class ConflictsRequest(BaseModel):
    """Ask for the next conflicts."""

    class_name: str = ""
    sign: int = Field(default=0, ge=-1, le=1)
    """What the model says: 1 present, -1 absent, 0 either."""
    want: int = Field(default=20, ge=1, le=200)
    have: list[int] = Field(default_factory=list, max_length=5000)
    holder: str = Field(min_length=4, max_length=80)


def conflict_routes(studio: Studio, desk: ReviewDesk) -> APIRouter:
    """Return the route of the conflict queue.

    Args:
        studio: The studio.
        desk: The queues.
    """
    routes = APIRouter()

    @routes.post("/conflicts")
    def conflicts(asked: ConflictsRequest, who: str = Depends(current_person)) -> dict[str, Any]:
        names = (asked.class_name,) if asked.class_name else ()
        spec = QueueSpec(order="conflicts", class_names=names, sign=asked.sign, changes="conflict")
        batch = desk.next_batch(spec, who=who, holder=asked.holder, want=asked.want, have=asked.have)
        items = [{**item, "known": _known_by(studio, item["image"], item["class"])} for item in batch.items]
        return {
            "items": items,
            "total": batch.total,
            "run": batch.run,
            "lost": batch.lost,
            "empty": batch.empty,
        }

    return routes


def _known_by(studio: Studio, image_id: str, class_name: str) -> dict[str, Any]:
    """Return who says what is known of a cell, and since when."""
    ledger = studio.ledger
    row, column = ledger.position(image_id, class_name)
    source = Source(int(ledger.sources[row, column]))
    line = _last_word(ledger.history(image_id, class_name), image_id, class_name)
    return {
        "source": _SOURCES[source],
        "who": None if line is None else line.who,
        "time": None if line is None else line.time,
        "origin": None if line is None else line.origin,
        "run": None if line is None else line.run,
        "bulk": 0 if line is None else len(line.cells),
    }


def _last_word(lines: list[Line], image_id: str, class_name: str) -> Line | None:
    """Return the last line that changed the state of a cell."""
    for line in reversed(lines):
        for cell in line.cells:
            if (cell.image_id, cell.class_name) == (
                image_id,
                class_name,
            ) and cell.before.state != cell.after.state:
                return line
    return None
