"""Pictures by id, and the page's own scripts, style sheets and icons."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from logicmix_studio.images.decode import UnreadableImage
from logicmix_studio.images.thumbnails import MEDIA_TYPE, display_image, thumbnail, version_of
from logicmix_studio.studio import Studio
from logicmix_studio.ui.state import assets_version, media_version

THUMB_SIZES: Final = (64, 96, 128, 192, 256, 384, 512)
MEDIA_SIZES: Final = (512, 768, 1024, 1536, 2048, 4096)
"""Longest sides that are made; a request is answered with the next larger one, to keep the cache small."""

ASSET_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
}
ASSET_FOLDERS: Final = frozenset({"css", "js", "icons"})

_BROKEN: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">'
    '<rect width="64" height="64" fill="#8a93a3" fill-opacity=".18"/>'
    '<path d="M18 44l10-12 6 7 5-5 7 10z M22 20h20M20 18l24 24" fill="none" stroke="#8a93a3" '
    'stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round"/></svg>'
)
_FOREVER: Final = "private, max-age=31536000, immutable"
_ASK_AGAIN: Final = "private, no-cache"


def media_router(studio: Studio) -> APIRouter:
    """Return ``/thumb/{id}`` and ``/media/{id}``."""
    routes = APIRouter()
    cache = studio.workspace.cache / "thumbnails"
    version = media_version(studio)

    @routes.get("/thumb/{image_id}")
    def thumb(request: Request, image_id: str, s: int = 256, v: str = "") -> Response:
        path, side = studio.image_path(image_id), next_size(s, THUMB_SIZES)
        tag = f'"{version_of(path)}-{side}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=_headers(tag, v == version))
        return _picture(thumbnail(path, side, cache, image_id), tag, v == version)

    @routes.get("/media/{image_id}")
    def media(request: Request, image_id: str, s: int = 1024, v: str = "") -> Response:
        path, side = studio.image_path(image_id), next_size(s, MEDIA_SIZES)
        tag = f'"{version_of(path)}-m{side}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=_headers(tag, v == version))
        return _picture(display_image(path, side, cache, image_id), tag, v == version)

    return routes


def assets_router(folder: Path) -> APIRouter:
    """Return ``/assets/lm-VERSION/KIND/NAME`` (kept for good) and ``/assets/KIND/NAME`` (asked for again)."""
    routes = APIRouter()

    @routes.get("/assets/lm-{version}/{kind}/{name}")
    def versioned(request: Request, version: str, kind: str, name: str) -> Response:
        return _asset(request, kind, name, is_final=version == assets_version(folder))

    @routes.get("/assets/{kind}/{name}")
    def plain(request: Request, kind: str, name: str) -> Response:
        return _asset(request, kind, name, is_final=False)

    @routes.get("/favicon.ico")
    def favicon(request: Request) -> Response:
        return _asset(request, "icons", "logicmix.svg", is_final=False)

    def _asset(request: Request, kind: str, name: str, *, is_final: bool) -> Response:
        path = folder / kind / name
        media_type = ASSET_TYPES.get(path.suffix)
        if (
            kind not in ASSET_FOLDERS
            or media_type is None
            or path.parent.parent != folder
            or not path.is_file()
        ):
            return JSONResponse({"error": f"there is no file {kind}/{name}", "hint": "reload the page"}, 404)
        stat = path.stat()
        tag = f'"{stat.st_size:x}-{stat.st_mtime_ns:x}"'
        headers = _headers(tag, is_final)
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(path.read_bytes(), media_type=media_type, headers=headers)

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


def _headers(tag: str, is_final: bool) -> dict[str, str]:
    return {"etag": tag, "cache-control": _FOREVER if is_final else _ASK_AGAIN}


def _picture(content: bytes, tag: str, is_final: bool) -> Response:
    return Response(content, media_type=MEDIA_TYPE, headers=_headers(tag, is_final))
