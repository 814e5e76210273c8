"""Label: one photograph at a time with all its classes."""

from __future__ import annotations

import json
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.api import HOLDER, offer
from logicmix_studio.app.components import custom
from logicmix_studio.app.guarded import checked, server_function
from logicmix_studio.app.media import media_url, thumb_url
from logicmix_studio.app.page import QUICK, Page, person
from logicmix_studio.explore.labelling import ORDERS, LabelImage
from logicmix_studio.labels import POSITIVE
from logicmix_studio.store import Receipt
from logicmix_studio.studio import Studio

SUGGESTIONS: Final = ("hidden", "shown", "filled in")
THRESHOLD: Final = 0.9
"""The score from which suggestions are filled in, until a person moves it."""
ADDRESS: Final = """(order, class_name, nothing_known, suggestions, threshold) => lm.address("label",
    { order, class_name: order === "like these" && class_name, nothing_known, suggestions, threshold })"""

REORDER: Final = "document.dispatchEvent(new Event('lm-pinned'))"


def label_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    names = list(page.studio.class_names)
    name = next(iter(names), None)
    with gr.Row(equal_height=True):
        order = gr.Dropdown(list(ORDERS), value=ORDERS[0], label="Order", filterable=False, min_width=130)
        alike = gr.Dropdown(names, value=name, label="Like those that show", visible=False, min_width=130)
        nothing_known = gr.Checkbox(label="Only with nothing known", min_width=130)
        suggestions = gr.Dropdown(
            list(SUGGESTIONS), value="shown", label="Suggestions of the model", filterable=False, min_width=130
        )
        threshold = gr.Slider(0.5, 1, THRESHOLD, step=0.01, label="from score", visible=False, min_width=130)
    begin: dict[str, Any] = {"name": page.studio.name, "query": None, "suggestions": "shown"}
    photograph = label_image(page, begin)
    with gr.Accordion("What a class means, and which classes come first", open=False), gr.Row():
        described = gr.Dropdown(names, value=name, label="Class")
        meaning = gr.Textbox(label="What it means", lines=2, scale=3, placeholder="What counts, what does not")
        save = gr.Button("Save what it means", scale=0, min_width=160)
        pinned = gr.Dropdown(names, value=[], multiselect=True, label="First in my list, keys 1 to 9", scale=3)
    key = json.dumps(f"lm-pinned:{page.studio.name}")
    filters = [order, alike, nothing_known, suggestions, threshold]
    parts = [photograph, *filters]

    def show(value: dict[str, Any], *given: Any) -> tuple[Any, ...]:
        order, alike, nothing_known, suggestions, threshold = given
        is_alike, is_filled = order == "like these", suggestions == "filled in"
        query = {"order": order, "class_name": alike if is_alike else None, "nothing_known": nothing_known}
        more = {"query": query, "suggestions": suggestions, "threshold": threshold}
        classes = gr.Dropdown(list(page.studio.class_names), value=alike, visible=is_alike)
        cut = gr.Slider(value=threshold, visible=is_filled)
        return {**value, **more}, order, classes, nothing_known, suggestions, cut

    def arrive(value: dict[str, Any], target: dict[str, Any]) -> tuple[Any, ...]:
        names = page.studio.class_names
        order, name, shown = (target.get(key) for key in ("order", "class_name", "suggestions"))
        order, shown = order if order in ORDERS else ORDERS[0], shown if shown in SUGGESTIONS else "shown"
        name = name if name in names else next(iter(names), None)
        is_bare = str(target.get("nothing_known")).lower() == "true"
        cut = checked("threshold", target.get("threshold", THRESHOLD), float)
        return show({**value, "came": target["at"]}, order, name, is_bare, shown, cut)

    def look(value: dict[str, Any], *given: Any) -> tuple[Any, ...]:
        *values, target, described = given
        names = list(page.studio.class_names)
        is_coming = target.get("at") != value.get("came")  # `arrive` shows it
        shown = (gr.skip(),) * len(parts) if is_coming else show(value, *values)
        return *shown, gr.Dropdown(names), gr.Dropdown(names), meaning_of(described)

    def meaning_of(class_name: str | None) -> str:
        return page.studio.labelling.about(class_name)[0] if class_name else ""

    def describe_class(class_name: str, text: str) -> None:
        """Keep in words what a class means: what counts and what does not. An empty text removes it."""
        page.studio.labelling.describe(class_name, text)
        gr.Info(f"Saved what {class_name} means.")

    address: dict[str, Any] = {"fn": None, "inputs": filters, "js": ADDRESS, **QUICK}
    page.targets["label"].change(arrive, [photograph, page.targets["label"]], parts, **QUICK).then(**address)
    looked, shown = [*parts, described, pinned, meaning], page.shown["label"]
    shown.select(look, [*parts, page.targets["label"], described], looked, **QUICK).then(**address)
    moved = [order.input, alike.input, nothing_known.input, suggestions.input, threshold.release]
    gr.on(moved, show, parts, parts, **QUICK).then(**address)
    shown.select(None, None, pinned, js=f"() => lm.remember({key}) ?? []", **QUICK)
    pinned.input(None, pinned, None, js=f"names => {{ lm.remember({key}, names); {REORDER} }}", **QUICK)
    described.change(meaning_of, described, meaning, **QUICK)
    saved = save.click(describe_class, [described, meaning], None, api_name="describe_class")
    saved.then(show, parts, parts, **QUICK)
    _api(page.studio)


def _api(studio: Studio) -> None:
    """Let programs do what the tab does."""

    def label_queue(
        caller: str, order: str = ORDERS[0], class_name: str = "", nothing_known: bool = False, limit: int = 10
    ) -> list[dict[str, Any]]:
        """List the next images to label with their states (+1, 0, -1), pseudo-labels and scores by class.

        They are the caller's for five minutes. Split test comes last, complete images never. Orders: in order, at
        random, most uncertain, like these (most like those known to show ``class_name``).
        """
        name, service = class_name or None, studio.labelling
        batch = service.next(order, name, nothing_known, who=caller, holder=HOLDER, want=limit)
        return [as_json(studio, image) for image in batch.images]

    def label_image(
        caller: str,
        image_id: str,
        present: list[str],
        rest: str = "absent",
        absent: list[str] | None = None,
        change_known: bool = False,
        action_id: str | None = None,
    ) -> Receipt:
        """Say which classes an image shows: one journal line, one undo.

        ``rest`` (absent or unknown) is what becomes of unknown classes that are not named. Named classes that are known
        otherwise are left alone and reported as skipped, unless ``change_known``.
        """
        label, others = studio.labelling.label, absent or []
        changed = [*present, *others] if change_known else []
        return label(image_id, present, rest, who=caller, absent=others, changed=changed, action_id=action_id)

    offer(studio, label_queue, label_image)


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
