"""What a program, and the script of one image, can do in Browse."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from logicmix_studio.app.api import offer, plain
from logicmix_studio.app.components import custom
from logicmix_studio.app.guarded import server_function
from logicmix_studio.app.page import person
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
        images: str = "",
        start: int = 0,
        limit: int = PAGE,
    ) -> dict[str, Any]:
        """Find images; all conditions can be combined, those on cells hold for one and the same cell.

        state: positive, negative, known, pseudo, pseudo-positive, pseudo-negative, unknown (without a pseudo-label)
        or open (with or without). split: none for images without. person: whose answer stands. source: imported,
        human or accepted. path: text in it. images: only these, ids with commas between. sort: name,
        name-down, score-high, score-low, uncertain, most-unknown, most-known, changed or random.

        Returns the images with their main cells, "total", "cells", "counts" by state, "test_images" among them
        (counted, but without pseudo-labels) and "line": give that to /set_cells as "seen".
        """
        query = ImageQuery(class_name, state, path, sort, score_from, score_to, split, person, source, run, images)
        found = studio.images.find(query)
        tiles = [asdict(tile) for tile in studio.images.tiles(found, start, limit)]
        sums = {"total": len(found.rows), "cells": found.num_cells, "counts": found.counts}
        return {"images": tiles, **sums, "test_images": found.num_test, "run": found.run, "line": found.seq}

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
        expected: int | None = None,
        action_id: str | None = None,
    ) -> dict[str, Any]:
        """Set one class in many images to 1 (positive), -1 (negative) or 0 (unknown), as one action.

        Cells that are known otherwise are counted and left alone unless "overwrite"; those that were answered after the
        journal line "seen" are always left out. "expected" is how many cells the caller means to write: where it is another
        number nothing is written, and above 100 cells it must be named. The same "action_id" twice is one action.
        """
        plan = studio.images.plan_set(image_ids, class_name, state, seen)
        how: dict[str, Any] = {"overwrite": overwrite, "expected": expected, "action_id": action_id}
        done, receipt = studio.images.set_cells(plan, who=caller, **how)
        return {"words": done.words, **asdict(done), **plain(receipt)}

    def open_in_fiftyone(image_ids: list[str] | None = None) -> str:
        """Open the FiftyOne App on some images, or on all; return its address."""
        return fiftyone_address(studio, image_ids)

    offer(
        studio,
        find_images,
        similar_images,
        cell_history,
        set_cells,
        open_in_fiftyone,
        methods={"image": "images.image"},
        of_owners=("open_in_fiftyone",),
    )


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


def image_cells(studio: Studio, **options: Any) -> gr.HTML:
    """Return the view of one image; its script builds it, so names are never HTML.

    Value: None, or ``{"id", "path", "facts", "url", "large", "active", "before", "after", "ahead", "has_truth",
    "cells"}``. ``facts`` is a line of text, ``url`` ("" where it can't be read) and ``large`` the picture's addresses,
    ``active`` the class to begin with, ``before`` and ``after`` the neighbours' ids, ``ahead`` addresses to fetch,
    ``cells`` :class:`~logicmix_studio.explore.images.Cell` as dicts, in the order to show.

    The keys of Review answer the chosen cell, then the next open one is chosen. Listen with ``evt: gr.EventData``:
    ``.select`` (show another image: ``evt._data["id"]``), ``.input`` (an answer was saved), ``.clear`` (close it).

    Args:
        studio: The data set, which its script asks and tells.
        options: Further arguments of `gr.HTML`; ``store`` keeps the unsent answers of data sets apart.
    """

    @server_function
    def answer_cell(told: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        """Set a cell, or undo or redo, and return the image's cells and what to say."""
        who, images, words = person(studio, request), studio.images, ""
        if "reverse" in told:
            reverse = studio.ledger.undo if told["reverse"] == "undo" else studio.ledger.redo
            line = reverse(who, action_id=told["id"]).line
            if line is None or not line.cells:
                return {"words": "Nothing has changed: the answers were changed again since."}
            image_id, name = line.cells[0].image_id, line.cells[0].class_name
            words = f"{line.kind}: {len(line.cells):,} answers" if len(line.cells) > 1 else ""
        else:
            image_id, name, state = told["image"], told["class_name"], told["state"]
            facts = {"seen_state": told["seen"], "action_id": told["id"], "ms": told["ms"]}
            if images.answer(image_id, name, state, who=who, **facts).skipped:
                words = f"{name} had been answered meanwhile and stays as it is."
        cells = [asdict(cell) for cell in images.image(image_id).cells]
        return {"image": image_id, "class_name": name, "words": words, "cells": cells}

    @server_function
    def cell_story(cell: dict[str, Any]) -> dict[str, Any]:
        """Return in words where a state comes from, and lines of who, what, when, state and whether it is undone."""
        lines = []
        for row in studio.images.history(cell["image"], cell["class_name"]).to_dict("records"):
            many = f"(one of {row['cells']:,})" if row["cells"] > 1 else ""
            what = " ".join(filter(None, (row["what"], many, row["note"])))
            lines.append([row["who"], what, row["time"], row["state"], row["undone"]])
        return {"words": studio.images.explain(cell["image"], cell["class_name"]), "lines": lines}

    return custom("image_cells", server_functions=[answer_cell, cell_story], **options)
