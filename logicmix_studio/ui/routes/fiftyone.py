"""The FiftyOne App on the same data set, started on demand."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio

MAX_IMAGES = 20_000
"""Images that a view in the App is made of."""


class OpenRequest(BaseModel):
    """What the App shall show."""

    images: list[str] | None = Field(default=None, max_length=MAX_IMAGES)
    """Only these, in this order; the whole data set unless given."""


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/fiftyone``."""
    routes = APIRouter(prefix="/api/fiftyone")

    @routes.post("/open")
    def open_app(asked: OpenRequest) -> dict[str, Any]:
        link = studio.link
        if link is None:
            raise StudioError(
                "FiftyOne is not attached to this server", "start it with: logicmix-studio launch FOLDER"
            )
        for image_id in asked.images or []:
            studio.image_path(image_id)
        return {"url": link.open_app(asked.images)}

    return routes
