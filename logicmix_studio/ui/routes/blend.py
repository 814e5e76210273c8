"""Routes of the Blend tab. Torch is imported with the first drawing, in a worker thread."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Query
from starlette.responses import Response

from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from logicmix_studio.ui.blend_sources import (
    ImageFilter,
    describe_blend,
    find_images,
    missing_model,
    parse_ids,
)
from logicmix_studio.ui.blend_statistics import LARGEST_BLEND

if TYPE_CHECKING:
    from logicmix_studio.ui.blend_room import BlendRoom
    from logicmix_studio.ui.blend_scores import BlendScores

MEDIA_TYPE: Final = "image/jpeg"
DRAWS: Final = 1000
"""Blends behind the statistics."""
LARGEST_SEED: Final = 2**63 - 1 - DRAWS
PICTURE_HEADERS: Final = {"cache-control": "private, max-age=600"}

Seed = Annotated[int, Query(ge=0, le=LARGEST_SEED)]
Size = Annotated[int, Query(ge=2, le=LARGEST_BLEND)]
Probability = Annotated[float, Query(ge=0.0, le=1.0)]


class LateRooms:
    """Makes what needs torch when it is first asked for.

    Args:
        studio: The opened data set.
    """

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._guard = threading.Lock()
        self._room: BlendRoom | None = None
        self._scores: BlendScores | None = None

    def room(self) -> BlendRoom:
        """Return what draws; the first call imports torch."""
        with self._guard:
            if self._room is None:
                self._room = import_module("logicmix_studio.ui.blend_room").BlendRoom(self._studio)
            assert self._room is not None
            return self._room

    def scores(self) -> BlendScores:
        """Return what scores; the first call imports the training room's network."""
        room = self.room()
        with self._guard:
            if self._scores is None:
                module = import_module("logicmix_studio.ui.blend_scores")
                self._scores = module.BlendScores(self._studio, room)
            assert self._scores is not None
            return self._scores


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/blend``."""
    routes = APIRouter(prefix="/api/blend")
    late = LateRooms(studio)
    _add_choosing(routes, studio, late)
    _add_seeing(routes, studio, late)
    return routes


def _add_choosing(routes: APIRouter, studio: Studio, late: LateRooms) -> None:
    @routes.get("/draw")
    def draw(
        seed: Seed = 526,
        k_min: Size = 2,
        k_max: Size = 3,
        probability: Probability = 0.5,
        blends_only: bool = False,
        telling: bool = False,
        pseudo: bool = False,
    ) -> dict[str, Any]:
        _check_sizes(k_min, k_max)
        used, rows = late.room().draw(
            seed, k_min, k_max, probability, blends_only=blends_only, is_telling=telling
        )
        return {**describe_blend(studio, rows, with_pseudo=pseudo), "seed": used}

    @routes.get("/labels")
    def labels(ids: str, pseudo: bool = False) -> dict[str, Any]:
        return describe_blend(studio, parse_ids(studio, ids), with_pseudo=pseudo)

    @routes.get("/images")
    def images(
        text: str = "",
        class_name: str = "",
        state: str = "",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=200)] = 60,
    ) -> dict[str, Any]:
        return find_images(studio, ImageFilter(text, class_name, state), offset, limit)

    @routes.get("/statistics")
    def statistics(
        seed: Seed = 526,
        k_min: Size = 2,
        k_max: Size = 3,
        probability: Probability = 0.5,
        pseudo: bool = False,
    ) -> dict[str, Any]:
        _check_sizes(k_min, k_max)
        return late.room().statistics(seed, DRAWS, k_min, k_max, probability, with_pseudo=pseudo)


def _add_seeing(routes: APIRouter, studio: Studio, late: LateRooms) -> None:
    @routes.get("/image")
    def image(
        ids: str,
        size: Annotated[int, Query(ge=1, le=1024)] = 224,
        method: str = "logicmix",
        seed: Seed = 0,
        augment: Annotated[int | None, Query(ge=0, le=LARGEST_SEED)] = None,
        only: Annotated[int | None, Query(ge=0)] = None,
    ) -> Response:
        rows, room = parse_ids(studio, ids), late.room()
        known = import_module("logicmix_studio.ui.blend_methods").COMPARISONS
        if method not in known:
            raise StudioError(f"there is no method {method!r}", f"one of {', '.join(known)}")
        if only is not None and only >= len(rows):
            raise StudioError(f"there is no source {only} among {len(rows)}", "reload the page")
        content = room.picture(rows, size, method=method, seed=seed, augment_seed=augment, only=only)
        return Response(content, media_type=MEDIA_TYPE, headers=PICTURE_HEADERS)

    @routes.get("/methods")
    def methods(ids: str, seed: Seed = 526) -> dict[str, Any]:
        rows = parse_ids(studio, ids)
        return {"methods": late.room().methods(rows, seed), "has_truth": studio.complete is not None}

    @routes.get("/augmentation")
    def augmentation(ids: str, seed: Seed = 1) -> dict[str, Any]:
        return late.room().augmentation(parse_ids(studio, ids), seed)

    @routes.get("/scores")
    def scores(ids: str) -> dict[str, Any]:
        rows, missing = parse_ids(studio, ids), missing_model(studio)
        run, _ = studio.current_choice()
        if missing is not None or run is None:
            return missing or {}
        return late.scores().scores(run, rows)


def _check_sizes(k_min: int, k_max: int) -> None:
    if k_min > k_max:
        raise StudioError(f"fewest sources {k_min} is more than most sources {k_max}", "lower the one")
