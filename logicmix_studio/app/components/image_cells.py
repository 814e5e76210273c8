"""One image, large, with all its cells: answered in place."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom
from logicmix_studio.app.page import person, server_function
from logicmix_studio.studio import Studio


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
