"""Pictures by id: ``/thumb/{id}`` and ``/media/{id}``. A browser never names a path."""

from __future__ import annotations

import hashlib
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import Response

from logicmix_studio.app.answers import refusal
from logicmix_studio.environment import assets_folder
from logicmix_studio.errors import StudioError
from logicmix_studio.images.decode import UnreadableImage
from logicmix_studio.images.thumbnails import MEDIA_TYPE, display_image, thumbnail, version_of
from logicmix_studio.studio import Studio

THUMB_SIZES: Final = (64, 96, 128, 192, 256, 384, 512)
MEDIA_SIZES: Final = (512, 768, 1024, 1536, 2048, 4096)
"""Longest sides that are made; a request is answered with the next larger one, to keep the cache small."""

_BROKEN: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<rect width="64" height="64" fill="#8a93a3" fill-opacity=".18"/>'
    '<path d="M18 44l10-12 6 7 5-5 7 10z M22 20h20M20 18l24 24" fill="none" stroke="#8a93a3" '
    'stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_FOREVER: Final = "private, max-age=31536000, immutable"
_ASK_AGAIN: Final = "private, no-cache"


def media_version(studio: Studio) -> str:
    """Return a text that changes when the data set is imported anew, part of every picture's address; empty while it is gone."""
    try:
        stat = studio.workspace.labels_file.stat()
    except OSError:
        return ""
    return hashlib.blake2b(f"{stat.st_size}-{stat.st_mtime_ns}".encode(), digest_size=5).hexdigest()


def thumb_url(studio: Studio, image_id: str, side: int = 256) -> str:
    """Return the address of an image's thumbnail."""
    return f"/thumb/{image_id}?s={side}&v={media_version(studio)}"


def media_url(studio: Studio, image_id: str, side: int = 1024) -> str:
    """Return the address of an image at screen size."""
    return f"/media/{image_id}?s={side}&v={media_version(studio)}"


def media_router(studio: Studio) -> APIRouter:
    """Return ``/thumb/{id}``, ``/media/{id}`` and the page's icon."""
    routes = APIRouter()

    @routes.get("/thumb/{image_id}")
    def thumb(request: Request, image_id: str, s: int = 256, v: str = "") -> Response:
        return answer(request, image_id, next_size(s, THUMB_SIZES), v, is_thumb=True)

    @routes.get("/media/{image_id}")
    def media(request: Request, image_id: str, s: int = 1024, v: str = "") -> Response:
        return answer(request, image_id, next_size(s, MEDIA_SIZES), v, is_thumb=False)

    @routes.get("/favicon.ico")
    def favicon() -> Response:
        icon = assets_folder() / "icons" / "logicmix.svg"
        return Response(icon.read_bytes(), media_type="image/svg+xml", headers={"cache-control": _ASK_AGAIN})

    def answer(request: Request, image_id: str, side: int, version: str, *, is_thumb: bool) -> Response:
        try:
            path = studio.image_path(image_id)
            tag = f'"{version_of(path)}-{"t" if is_thumb else "m"}{side}"'
            kept = _FOREVER if version == media_version(studio) else _ASK_AGAIN
            headers = {"etag": tag, "cache-control": kept}
            if request.headers.get("if-none-match") == tag:
                return Response(status_code=304, headers=headers)
            cache = studio.workspace.cache / "thumbnails"
            make = thumbnail if is_thumb else display_image
            return Response(make(path, side, cache, image_id), media_type=MEDIA_TYPE, headers=headers)
        except UnreadableImage as error:
            return broken_picture(error)
        except StudioError as error:
            return refusal(404, error.what, error.hint)

    return routes


def next_size(asked: int, sizes: tuple[int, ...]) -> int:
    """Return the smallest size that is made and not below the one asked for.

    Example:
        >>> next_size(200, (128, 256, 512)), next_size(9000, (128, 256, 512))
        (256, 512)
    """
    return next((size for size in sizes if size >= asked), sizes[-1])


def broken_picture(error: UnreadableImage) -> Response:
    """Return a drawing that says that an image can't be shown, in place of the picture.

    Its status is 404, so a script sees the failure; an ``img`` element draws it all the same.
    """
    reason = error.reason[:200].encode("ascii", "replace").decode()
    headers = {"x-logicmix-error": reason, "cache-control": "no-store"}
    return Response(_BROKEN, status_code=404, media_type="image/svg+xml", headers=headers)
