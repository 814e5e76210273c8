"""The truth table of a blend: its open cells take answers, and the blend's label changes before one's eyes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.components import custom
from logicmix_studio.app.page import Page, person, server_function
from logicmix_studio.explore.blend_labels import verdict
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.studio import Studio

FEW: Final = 8
"""Up to here, classes stay in their own order."""


def truth_table(page: Page) -> gr.HTML:
    """Return the component; its value comes from :func:`truth_value`. It stands in the tab whose keys it answers."""

    @server_function
    def change_label(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        studio, who = page.studio, person(page.studio, request)
        note = ""
        if "undo" in asked:
            studio.ledger.undo(who, action_id=asked["id"], target=asked["undo"])
        elif "redo" in asked:
            studio.ledger.redo(who, action_id=asked["id"], target=asked["redo"])
        else:
            cell = (asked["image"], asked["class"], asked["state"])
            receipt = studio.blends.answer(*cell, who=who, action_id=asked["id"])
            note = "Somebody answered this cell meanwhile: their answer stays." if receipt.skipped else ""
        return truth_value(studio, asked["ids"], asked["pseudo"]) | {"note": note}

    return custom("truth_table", None, server_functions=[change_label])


def truth_value(studio: Studio, image_ids: Sequence[str], with_pseudo: bool) -> dict[str, Any]:
    """Return the table of a blend's sources as JSON: decided classes first, where there are many.

    With pseudo-labels, these fill unknown cells first.
    """
    rows = studio.blends.truth_table(image_ids, with_pseudo=with_pseudo) if image_ids else []
    if len(rows) > FEW:
        rows = sorted(rows, key=lambda row: (row.state == UNKNOWN, -row.state))
    count, wrong = verdict(rows)
    words = f"✓ The complete labels are known here: the decided classes are right, all {count}." if count else ""
    if wrong:
        why = "pseudo-labels" if with_pseudo else "labels"
        words = f"✗ Wrong in {len(wrong)} of {count} decided classes, from wrong {why} of a source: {', '.join(wrong)}."
    return {
        "ids": list(image_ids),
        "files": [studio.table.paths[studio.dataset.row_of(image_id)] for image_id in image_ids],
        "rows": [dataclasses.asdict(row) for row in rows],
        "pseudo": with_pseudo,
        "verdict": words,
        "note": "",
    }
