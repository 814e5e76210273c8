"""Who is here, what the data set is, and the pulse that tells a page what changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from logicmix_studio.studio import Studio
from logicmix_studio.ui.security import current_person
from logicmix_studio.ui.state import media_version

PRIVATE_SETTINGS = frozenset({"thresholds", "chosen_run"})
"""Settings with routes of their own, which check them."""
RUNNING = frozenset({"queued", "running"})


class SettingsChange(BaseModel):
    """Settings to set; null removes one."""

    changes: dict[str, Any]


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/session``."""
    routes = APIRouter(prefix="/api/session")

    @routes.get("")
    def session(request: Request, who: str = Depends(current_person)) -> dict[str, Any]:
        return {
            "who": who,
            "name": studio.name,
            "class_names": studio.class_names,
            "num_images": studio.table.num_images,
            "splits": sorted(set(studio.table.splits)),
            "version": media_version(studio),
            "settings": studio.settings.all(),
            "trial": studio.complete is not None,
            "trial_info": studio.info.get("trial"),
            "root": str(studio.workspace.root),
            "notes": studio.info.get("notes", []),
            "token": request.app.state.page_token,
            "gradio": request.app.state.door.is_ready,
            "pulse": _pulse(studio),
        }

    @routes.get("/pulse")
    def pulse() -> dict[str, Any]:
        return _pulse(studio)

    @routes.post("/settings")
    def change_settings(change: SettingsChange) -> dict[str, Any]:
        allowed = {key: value for key, value in change.changes.items() if key not in PRIVATE_SETTINGS}
        studio.settings.update(allowed)
        return {"settings": studio.settings.all()}

    return routes


def _pulse(studio: Studio) -> dict[str, Any]:
    current, reason = studio.current_choice()
    running = [info.run for info in studio.jobs.list() if info.status in RUNNING]
    return {
        "seq": studio.ledger.seq,
        "runs_version": studio.runs_version,
        "settings_version": studio.settings.version,
        "finished": [info.run for info in studio.finished_runs()],
        "current_run": current,
        "current_reason": reason,
        "running": running,
        "mirror": _mirror(studio),
    }


def _mirror(studio: Studio) -> dict[str, Any] | None:
    """Return how far the FiftyOne data set has followed, where one is attached."""
    return None if studio.link is None else asdict(studio.link.status)
