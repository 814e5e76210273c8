"""What Browse asks for: a view, its pages, the images that look alike."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from fastapi import APIRouter, Query

from logicmix_studio.run_scores import RunScores
from logicmix_studio.studio import Studio
from logicmix_studio.ui.browse_index import JournalIndex
from logicmix_studio.ui.browse_query import BrowseSpec, BrowseView, browse
from logicmix_studio.ui.browse_similar import Similar
from logicmix_studio.ui.state import as_score

PAGE = 120
MAX_PAGE = 400
VIEWS_KEPT = 12
"""A view is remembered so that it does not shift under somebody who labels in it; an older one is found anew."""
CHIPS = 6
"""Cells that a tile names."""
SIMILAR = 12


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/browse``."""
    routes = APIRouter(prefix="/api/browse")
    index = JournalIndex(studio.ledger)
    views = Views(studio, index)
    similar = Similar(studio)

    @routes.get("")
    def open_view(
        class_name: Annotated[str, Query(alias="class")] = "",
        state: str = "",
        score_from: Annotated[float, Query(alias="from")] = 0.0,
        score_to: Annotated[float, Query(alias="to")] = 1.0,
        split: str | None = None,
        run: int | None = None,
        who: str = "",
        source: str = "",
        path: str = "",
        sort: str = "name",
    ) -> dict[str, Any]:
        named_split = "" if split == "none" else split
        spec = BrowseSpec(class_name, state, score_from, score_to, named_split, run, who, source, path, sort)
        key, view = views.open(spec)
        return {
            "view": key,
            "total": len(view.rows),
            "cells": view.num_cells,
            "facets": view.facets,
            "run": view.run,
            "seq": view.seq,
            "people": index.people,
            "runs": [info.run for info in studio.finished_runs()],
            "page": PAGE,
            "items": _items(studio, view, views.claims(view), 0, PAGE),
        }

    @routes.get("/page")
    def page(
        view: str, offset: Annotated[int, Query(ge=0)], limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = PAGE
    ) -> dict[str, Any]:
        found = views.find(view)
        return {"items": _items(studio, found, views.claims(found), offset, limit)}

    @routes.get("/ids")
    def ids(view: str) -> dict[str, Any]:
        names = studio.image_ids
        return {"ids": [names[row] for row in views.find(view).rows]}

    @routes.get("/similar/{image_id}")
    def alike(image_id: str, count: Annotated[int, Query(ge=1, le=60)] = SIMILAR) -> dict[str, Any]:
        studio.image_path(image_id)
        run, found = similar.find(image_id, count)
        paths = studio.table.paths
        return {
            "run": run,
            "images": [
                {"id": one, "path": paths[studio.ledger.row_of[one]], "likeness": likeness}
                for one, likeness in found
            ],
        }

    return routes


class Views:
    """The last views, each under a key that the page keeps."""

    def __init__(self, studio: Studio, index: JournalIndex) -> None:
        """Start without any."""
        self._studio = studio
        self._index = index
        self._guard = threading.Lock()
        self._views: OrderedDict[str, BrowseView] = OrderedDict()
        self._specs: OrderedDict[str, BrowseSpec] = OrderedDict()
        self._claims: tuple[tuple[int, int, int], npt.NDArray[np.int8]] | None = None

    def open(self, spec: BrowseSpec) -> tuple[str, BrowseView]:
        """Return a fresh view and its key."""
        view = browse(self._studio, self._index, spec)
        about = f"{spec}|{view.seq}|{view.run}|{self._studio.settings.version}"
        key = hashlib.blake2b(about.encode(), digest_size=8).hexdigest()
        with self._guard:
            self._views[key] = view
            self._specs[key] = spec
            self._views.move_to_end(key)
            while len(self._views) > VIEWS_KEPT:
                self._views.popitem(last=False)
            while len(self._specs) > 20 * VIEWS_KEPT:
                self._specs.popitem(last=False)
        return key, view

    def find(self, key: str) -> BrowseView:
        """Return a view by its key; one that was forgotten is found anew, and all images where even that fails."""
        with self._guard:
            view, spec = self._views.get(key), self._specs.get(key, BrowseSpec())
        return view if view is not None else browse(self._studio, self._index, spec)

    def claims(self, view: BrowseView) -> npt.NDArray[np.int8]:
        """Return (N, C) the pseudo-labels of the run that a view looks at."""
        studio = self._studio
        current, _ = studio.current_choice()
        if view.run is None or view.run == current:
            return studio.proposals_array()
        key = (view.run, studio.ledger.seq, studio.settings.version)
        with self._guard:
            if self._claims is None or self._claims[0] != key:
                self._claims = (key, studio.propose(studio.run_scores(view.run)))
            return self._claims[1]


def _items(
    studio: Studio, view: BrowseView, proposals: npt.NDArray[np.int8], offset: int, limit: int
) -> list[dict[str, Any]]:
    scores = None if view.run is None else studio.run_scores(view.run)
    column = studio.ledger.column_of.get(view.spec.class_name)
    return [_item(studio, int(row), column, scores, proposals) for row in view.rows[offset : offset + limit]]


def _item(
    studio: Studio, row: int, column: int | None, scores: RunScores | None, proposals: npt.NDArray[np.int8]
) -> dict[str, Any]:
    states, claims = studio.ledger.states[row], proposals[row]
    shown = np.concatenate([np.flatnonzero(states == 1), _surest(claims, row, scores)])
    named = [column] if column is not None else []
    columns = [*named, *[int(one) for one in shown if int(one) != column]][: CHIPS + len(named)]
    return {
        "id": studio.image_ids[row],
        "path": studio.table.paths[row],
        "split": studio.table.splits[row],
        "known": int(np.count_nonzero(states)),
        "positives": int(np.count_nonzero(states == 1)),
        "claims": int(np.count_nonzero(claims)),
        "proposed": int(np.count_nonzero(claims == 1)),
        "cells": [
            [
                one,
                int(states[one]),
                int(claims[one]),
                None if scores is None else as_score(scores.scores[row, one]),
                None if studio.complete is None else int(studio.complete[row, one]),
            ]
            for one in columns
        ],
    }


def _surest(claims: npt.NDArray[np.int8], row: int, scores: RunScores | None) -> npt.NDArray[np.int64]:
    """Return the columns of an image's positive pseudo-labels, the surest first."""
    found = np.flatnonzero(claims == 1)
    if scores is None or not len(found):
        return found
    return found[np.argsort(-scores.scores[row, found].astype(np.float32), kind="stable")]
