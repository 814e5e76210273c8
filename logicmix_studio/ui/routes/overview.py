"""What Overview asks for."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Query

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.studio import Studio
from logicmix_studio.ui.overview_facts import (
    MAX_TOGETHER,
    Counts,
    KnownCurve,
    chosen_columns,
    count_cells,
    progress,
    rounds,
    together,
    true_precision,
)
from logicmix_studio.ui.overview_steps import next_steps

TOP_CLASSES = 20
"""Classes of the heat map unless somebody asks for others."""


def router(studio: Studio) -> APIRouter:
    """Return the routes below ``/api/overview``."""
    routes = APIRouter(prefix="/api/overview")
    imported = int(np.count_nonzero(studio.table.states != UNKNOWN))
    curve = KnownCurve(imported, str(studio.info.get("created", "")))

    @routes.get("")
    def overview() -> dict[str, Any]:
        counts = _counts(studio)
        return {
            "num_images": studio.table.num_images,
            "num_test": int(studio.table.is_test.sum()),
            "classes": _class_table(studio, counts),
            "known": counts.known,
            "positive": int(counts.positive.sum()),
            "negative": int(counts.negative.sum()),
            "pseudo_positive": int(counts.pseudo_positive.sum()),
            "pseudo_negative": int(counts.pseudo_negative.sum()),
            "unknown": int(counts.unknown.sum()),
            "total": counts.total,
            "progress": progress(studio, counts.known, counts.total),
            "truth": _truth(studio),
            "current_run": studio.current_choice()[0],
            "seq": studio.ledger.seq,
        }

    @routes.get("/steps")
    def steps() -> dict[str, Any]:
        return {"steps": [step.to_json() for step in next_steps(studio, _counts(studio))]}

    @routes.get("/history")
    def history() -> dict[str, Any]:
        points = curve.read(studio.ledger.lines)
        return {"points": points, "total": int(studio.ledger.states.size), "rounds": rounds(studio)}

    @routes.get("/together")
    def cooccurrence(
        class_name: Annotated[list[str] | None, Query(alias="class")] = None,
        top: Annotated[int, Query(ge=1, le=MAX_TOGETHER)] = TOP_CLASSES,
    ) -> dict[str, Any]:
        columns = chosen_columns(studio, class_name or [], top)
        found = together(studio.ledger.states, columns)
        return {
            "classes": [studio.class_names[column] for column in columns],
            "both": found["both"].tolist(),
            "judged": found["judged"].tolist(),
        }

    return routes


def _counts(studio: Studio) -> Counts:
    return count_cells(studio.ledger.states, studio.proposals_array())


def _class_table(studio: Studio, counts: Counts) -> dict[str, list[Any]]:
    """Return the counts by column: shorter than an object a class, which matters with a thousand of them."""
    return {
        "name": list(studio.class_names),
        "positive": counts.positive.tolist(),
        "negative": counts.negative.tolist(),
        "pseudo_positive": counts.pseudo_positive.tolist(),
        "pseudo_negative": counts.pseudo_negative.tolist(),
        "unknown": counts.unknown.tolist(),
    }


def _truth(studio: Studio) -> dict[str, Any] | None:
    if studio.complete is None:
        return None
    return true_precision(studio.proposals_array(), studio.complete)
