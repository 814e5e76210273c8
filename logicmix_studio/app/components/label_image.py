"""One photograph large, with all its classes: the script shows and sends, the service knows."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.components import custom
from logicmix_studio.app.media import media_url, thumb_url
from logicmix_studio.app.page import Page, person, server_function
from logicmix_studio.explore.labelling import LabelImage
from logicmix_studio.labels import POSITIVE
from logicmix_studio.studio import Studio


def label_image(page: Page, value: dict[str, Any]) -> gr.HTML:
    """Return the component; it asks the server for its photographs itself.

    Args:
        value: ``name`` of the data set, ``query`` (arguments of `LabelService.next`; None until it shall begin),
            ``suggestions`` (hidden, shown or filled in) and ``threshold``.
    """

    @server_function
    def label_next(asked: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        studio, who = page.studio, person(page.studio, request)
        is_first = asked.pop("first")
        batch = studio.labelling.next(**asked, who=who)
        recent = studio.labelling.recent(who) if is_first else []
        tail = f" (the last {batch.left_test:,} in split test)" if batch.left_test else ""
        return {
            **vars(batch),
            "classes": studio.class_names,
            "images": [as_json(studio, image) for image in batch.images],
            "recent": [as_json(studio, image) for image in recent],
            "words": f"left{tail} · {batch.complete:,} of {len(studio.image_ids):,} complete",
        }

    @server_function
    def label_write(content: dict[str, Any], request: gr.Request) -> dict[str, Any]:
        studio, who, kind = page.studio, person(page.studio, request), content.pop("kind")
        if kind == "skip":
            studio.labelling.skip(content["image_id"], who)
            return {"skipped": []}
        action_id = content.pop("id")
        if kind == "label":
            receipt = studio.labelling.label(**content, who=who, action_id=action_id)
            return {"skipped": [decision.class_name for decision in receipt.skipped]}
        reverse = studio.ledger.undo if kind == "undo" else studio.ledger.redo
        line = reverse(who, action_id=action_id, target=content["target"]).line
        if line is None or line.of is None:
            return {"skipped": [], "image": None, "words": "There was nothing to take back."}
        said = studio.ledger.line(line.of)
        image = studio.labelling.image_of(said)
        return {
            "skipped": [],
            "image": image and as_json(studio, image),
            "marked": [cell.class_name for cell in said.cells if POSITIVE in (cell.before.state, cell.after.state)],
            "words": f"{'Undone' if kind == 'undo' else 'Done again'}: line {said.seq}, {len(said.cells)} cells",
        }

    @server_function
    def label_about(class_name: str) -> dict[str, Any]:
        text, image_ids = page.studio.labelling.about(class_name)
        return {"text": text, "urls": [thumb_url(page.studio, image_id, 128) for image_id in image_ids]}

    return custom("label_image", value, server_functions=[label_next, label_write, label_about])


def as_json(studio: Studio, image: LabelImage) -> dict[str, Any]:
    """Return an image with the addresses of its pictures; a key "path" would be a file to Gradio's client."""
    facts = {"file" if name == "path" else name: value for name, value in vars(image).items()}
    return {**facts, "thumb": thumb_url(studio, image.image_id, 96), "url": media_url(studio, image.image_id)}
