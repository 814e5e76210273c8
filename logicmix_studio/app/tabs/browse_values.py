"""What Browse shows, as the values of its components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any, Final

from logicmix_studio.app.media import media_url, thumb_url
from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import FoundImages, ImageQuery
from logicmix_studio.explore.images import ImageView
from logicmix_studio.labels import NEGATIVE
from logicmix_studio.studio import Studio

DEFAULTS: Final[dict[str, Any]] = {**asdict(ImageQuery()), "run": ""}
"""The filters, in the order of their components, while nobody has chosen."""
STATE_WORDS: Final = {
    "": "All",
    "positive": "● positive",
    "negative": "○ negative",
    "pseudo": "◐ pseudo-label",
    "unknown": "◌ unknown",
    "pseudo-positive": "◐ yes only",
    "pseudo-negative": "◐ no only",
    "known": "known",
    "open": "open",
}
ALWAYS_SHOWN: Final = 5
"""The first states that can always be chosen; the others appear where they make sense."""


def any_of(words: str, names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the choices of a filter: in words for none, then names."""
    return [(words, ""), *((name, name) for name in names)]


def query_of(filters: Mapping[str, Any]) -> ImageQuery:
    """Return the query of a page's or an address's filters, which may be text; those left out are as by default.

    Raises:
        StudioError: If one of them makes no sense.
    """
    chosen = {**DEFAULTS, **{name: value for name, value in filters.items() if value not in (None, "")}}
    try:
        band = {name: float(chosen[name]) for name in ("score_from", "score_to")}
        run = int(chosen["run"]) if chosen["run"] else None
    except ValueError as error:
        raise StudioError(f"a filter is no number: {error}", "clear the filters") from None
    return ImageQuery(**{**chosen, **band, "run": run})


def filters_of(query: ImageQuery) -> dict[str, Any]:
    """Return what a query's filters are, as far as somebody has chosen."""
    return {name: value for name, value in asdict(query).items() if value not in (DEFAULTS[name], None)}


def state_choices(counts: Mapping[str, int], state: str) -> list[tuple[str, str]]:
    """Return the states to choose from with the number of images; the signs beside pseudo-labels only."""
    names = list(STATE_WORDS)[:ALWAYS_SHOWN]
    names += ["pseudo-positive", "pseudo-negative"] if state.startswith("pseudo") else []
    names += [state] if state not in names else []
    return [(f"{STATE_WORDS[name]} {counts[name]:,}" if name in counts else STATE_WORDS[name], name) for name in names]


def grid_value(studio: Studio, found: FoundImages, start: int) -> dict[str, Any]:
    """Return a page of images for :func:`~logicmix_studio.app.components.image_grid.image_grid`."""
    query, total = found.query, len(found.rows)
    has_count = found.num_cells not in (total, total * studio.table.num_classes)
    cells = f"{found.num_cells:,} cells" if has_count else ""
    test = f"{found.num_test:,} of them test images, which get no pseudo-labels" if found.num_test else ""
    nothing = "No image fits these filters. Take one of them away, or clear them."
    if found.run is None and query.state.startswith("pseudo"):
        nothing = "No run has finished yet: pseudo-labels and scores come with the first one."
    items = [grid_item(studio, tile, query.class_name) for tile in studio.images.tiles(found, start)]
    note = " · ".join(filter(None, (cells, test)))
    return {"items": items, "start": start, "total": total, "note": note, "empty": nothing}


def grid_item(studio: Studio, tile: ImageView, class_name: str = "") -> dict[str, Any]:
    """Return a tile of the grid; the class that was asked for shows its score."""
    chips: list[list[Any]] = []
    for cell in tile.cells:
        is_claim = cell.kind == "pseudo"
        name = f"{cell.class_name}{' no' if is_claim and cell.proposal == NEGATIVE else ''}"
        chips.append([cell.kind, name, cell.score if is_claim or cell.class_name == class_name else None])
    if tile.num_more:
        chips.append(["", f"+{tile.num_more}", None])
    claims = "only negative pseudo-labels" if tile.num_proposals else ""
    return {
        "id": tile.image_id,
        "key": tile.image_id,
        "url": thumb_url(studio, tile.image_id),
        "large": media_url(studio, tile.image_id),
        "title": tile.path,
        "chips": chips or [["", claims or ("no known positive" if tile.num_known else "nothing known"), None]],
        "aside": f"{tile.num_known}/{studio.table.num_classes}",
        "badge": "test" if tile.split == "test" else "",
    }


def similar_values(studio: Studio, image_id: str) -> tuple[str, dict[str, Any]]:
    """Return what stands above the similar images, and they themselves."""
    run, found = studio.images.similar(image_id)
    items = [{**grid_item(studio, tile), "title": f"{tile.path} ({cosine:.2f})"} for tile, cosine in found]
    words = f"**Similar images** by the features of run {run}"
    none = "After the first run, the images that look most alike stand here."
    return words if run else none, {"items": items, "start": 0, "total": len(items), "note": ""}


def image_value(studio: Studio, image_id: str, found: FoundImages, active: str = "") -> dict[str, Any]:
    """Return an image for :func:`~logicmix_studio.app.components.image_cells.image_cells`.

    ``found`` says which images are beside it; ``active`` is the class to begin with, that of the filter unless given.
    """
    image = studio.images.image(image_id)
    beside = found.beside(studio.dataset.row_of(image_id))
    before, after = (None if row is None else studio.image_ids[row] for row in beside)
    size = "" if image.size is None else "{} × {}".format(*image.size)
    run = "no model yet" if image.run is None else f"scores of run {image.run}"
    facts = (str(PurePosixPath(image.path).parent).removeprefix("."), size, image.split, run)
    return {
        "id": image_id,
        "path": image.path,
        "facts": " · ".join(filter(None, facts)),
        "url": media_url(studio, image_id) if image.size else "",
        "large": media_url(studio, image_id, 4096),
        "active": active or found.query.class_name,
        "before": before,
        "after": after,
        "ahead": [media_url(studio, one) for one in (after, before) if one],
        "has_truth": studio.complete is not None,
        "cells": [asdict(cell) for cell in image.cells],
    }
