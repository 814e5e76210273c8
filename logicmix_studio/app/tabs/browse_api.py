"""What a program can do in Browse."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from logicmix_studio.app.api import offer, plain
from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import ImageQuery
from logicmix_studio.explore.images import PAGE
from logicmix_studio.studio import Studio


def browse_api(studio: Studio) -> None:
    """Offer images, similar ones, a cell's history and setting many; call it within the blocks."""

    def find_images(
        class_name: str = "",
        state: str = "",
        score_from: float = 0.0,
        score_to: float = 1.0,
        split: str = "",
        run: int | None = None,
        person: str = "",
        source: str = "",
        path: str = "",
        sort: str = "name",
        start: int = 0,
        limit: int = PAGE,
    ) -> dict[str, Any]:
        """Find images; all conditions can be combined, those on cells hold for one and the same cell.

        state: positive, negative, known, pseudo, pseudo-positive, pseudo-negative, unknown (without a pseudo-label)
        or open (with or without). split: none for images without. person: whose answer stands. source: imported,
        human or accepted. path: text in it. sort: name, name-down, score-high, score-low, uncertain, most-unknown,
        most-known, changed or random.

        Returns the images with their main cells, "total", "cells", "counts" by state, "test_images" among them
        (counted, but without pseudo-labels) and "line": give that to /set_cells as "seen".
        """
        query = ImageQuery(class_name, state, path, sort, score_from, score_to, split, person, source, run)
        found = studio.images.find(query)
        images = [asdict(tile) for tile in studio.images.tiles(found, start, limit)]
        sums = {"total": len(found.rows), "cells": found.num_cells, "counts": found.counts}
        return {"images": images, **sums, "test_images": found.num_test, "run": found.run, "line": found.seq}

    def image(image_id: str) -> dict[str, Any]:
        """Show an image with all its cells: state, source, score, pseudo-label, and the truth where it is known."""
        return asdict(studio.images.image(image_id))

    def similar_images(image_id: str, limit: int = 12) -> dict[str, Any]:
        """Find the images most alike by the features of a run, nearest first, with their cosines."""
        run, found = studio.images.similar(image_id, limit)
        return {"run": run, "images": [{**asdict(tile), "cosine": cosine} for tile, cosine in found]}

    def cell_history(image_id: str, class_name: str) -> dict[str, Any]:
        """Tell in words where a cell's state comes from, and what was decided about it, the latest first."""
        images = studio.images
        return {"words": images.explain(image_id, class_name), "lines": images.history(image_id, class_name)}

    def set_cells(
        caller: str,
        image_ids: list[str],
        class_name: str,
        state: int,
        seen: int | None = None,
        overwrite: bool = False,
        action_id: str | None = None,
    ) -> dict[str, Any]:
        """Set one class in many images to 1 (positive), -1 (negative) or 0 (unknown), as one action.

        Cells that are known otherwise are counted and left alone unless "overwrite"; those that were answered after the
        journal line "seen" are always left out. The same "action_id" twice is one action.
        """
        plan = studio.images.plan_set(image_ids, class_name, state, seen)
        done, receipt = studio.images.set_cells(plan, who=caller, overwrite=overwrite, action_id=action_id)
        return {"words": done.words, **asdict(done), **plain(receipt)}

    def open_in_fiftyone(image_ids: list[str] | None = None) -> str:
        """Open the FiftyOne App on some images, or on all; return its address."""
        return fiftyone_address(studio, image_ids)

    offer(studio, find_images, image, similar_images, cell_history, set_cells, open_in_fiftyone)


def fiftyone_address(studio: Studio, image_ids: list[str] | None) -> str:
    """Open the FiftyOne App on some images, or on all where None, and return its address.

    Raises:
        StudioError: If this server has no FiftyOne data set, or there is no such image.
    """
    if studio.sync is None:
        raise StudioError("this server has no FiftyOne data set", "start it with: logicmix-studio launch FOLDER")
    for image_id in image_ids or []:
        studio.dataset.row_of(image_id)
    return studio.sync.open_app(image_ids)
