"""Browse: every image, found by what is known of it; answered in place, one or many at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from html import escape
from pathlib import PurePosixPath
from typing import Any, Final

import gradio as gr
import numpy as np

from logicmix_studio.app.components import image_grid, tile, tiles
from logicmix_studio.app.guarded import checked, remembered
from logicmix_studio.app.media import media_url
from logicmix_studio.app.page import PRIVATE, QUICK, Page, any_of, owners_only, person
from logicmix_studio.app.tabs.browse_api import browse_api, fiftyone_address, image_cells
from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import SORTS, SOURCES, FoundImages, ImageQuery
from logicmix_studio.explore.images import MOST_UNASKED, PAGE, BulkPlan, ImageView
from logicmix_studio.labels import NEGATIVE, STATE_NAMES
from logicmix_studio.studio import Studio

Shown = dict[Any, Any]
"""New values of components; those that are left out stay."""
IN_TURN: Final[dict[str, Any]] = {**PRIVATE, "trigger_mode": "multiple", "concurrency_id": "browse"}
"""Of everything that changes the view: no event is left out and none overtakes another."""
SMALL: Final[dict[str, Any]] = {"size": "md", "scale": 0}
LOOK_S: Final = 3.0
"""How often the tab looks whether somebody else has changed labels."""
ANSWERS: Final = {"yes": 1, "no": -1, "unsure": 0}
FIFTYONE_IMAGES: Final = 20_000
ADDRESS: Final = "(text) => lm.address('browse', JSON.parse(text || '{}'))"
OPEN: Final = """(url) => { const page = window.open(url, "_blank"); if (page) page.opener = null;
lm.say(`FiftyOne is ready at ${url}`); }"""
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


def browse_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    studio = page.studio
    filters = list(_filters(studio))
    class_name, state, path, *_, someone, _, run, _ = filters
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            with gr.Row():
                clear = gr.Button("Clear the filters", min_width=150, **SMALL)
                fiftyone = gr.Button("Open in FiftyOne", min_width=150, **SMALL)
                anew = gr.Button("Labels have changed: find anew", min_width=260, visible=False, **SMALL)
            grid = image_grid(answers=True, elem_id="browse-grid")
            with gr.Row(elem_classes="lm-bottom"):
                before = gr.Button("‹ Page before", min_width=130, visible=False, **SMALL)
                after = gr.Button("Next page ›", min_width=130, visible=False, **SMALL)
            with gr.Row(visible=False, elem_classes="lm-bottom") as bulk:
                said = gr.Markdown()
                bulk_class = gr.Dropdown(list(studio.class_names), label="Class to set", min_width=150)
                words = ("● positive", "○ negative", "◌ unknown")
                yes, no, unknown = (gr.Button(word, min_width=110, **SMALL) for word in words)
            with gr.Row(visible=False, elem_classes="lm-bottom") as question:
                asked = gr.Markdown()
                rest = gr.Button(variant="primary", min_width=170, **SMALL)
                every = gr.Button(variant="stop", min_width=310, **SMALL)
                cancel = gr.Button("Cancel", min_width=90, **SMALL)
        with gr.Column(scale=3, min_width=340, elem_id="browse-image"):
            picture = image_cells(studio, store=f"browse:{studio.name}")
            alike_words, alike = gr.Markdown(), image_grid(strip=True)
    view, plan = gr.State({}), gr.State(None)
    link, address = gr.Textbox(visible="hidden"), gr.Textbox(visible="hidden")
    parts = [*filters, view, address, grid, picture, anew, before, after]
    parts += [bulk, said, bulk_class, question, asked, rest, every, plan]
    nothing: Shown = {view: gr.skip()}

    def at_view(at: dict[str, Any]) -> Shown:
        return {view: at, address: json.dumps({**filters_of(at["query"]), "image": at["image"]})}

    def show(at: dict[str, Any], **changes: Any) -> Shown:
        """Show a view: labels as they are now, the list as it was found, unless ``seq=None`` asks for a new one.

        Filters get choices, but no values: somebody may have chosen another meanwhile.
        """
        start = dict[str, Any](query=query_of({}), seq=None, start=0, image=None, selected=[], cleared=0)
        at = start | at | changes
        at["cleared"] += changes.get("selected") == []
        images, version, query, is_new = studio.images, studio.proposed.version, at["query"], at["seq"] is None
        found = images.find(query, seq=at["seq"])
        at["start"] = at["start"] if at["start"] < len(found.rows) else 0
        at |= {"seq": found.seq, "seen": version, "found": version if is_new else at["found"]}
        return {
            **at_view(at),
            grid: {**grid_value(studio, found, at["start"]), "cleared": at["cleared"]},
            picture: image_value(studio, at["image"], found) if at["image"] else None,
            state: gr.update(choices=state_choices(images.find(query).counts, query.state)),
            someone: gr.update(choices=any_of("Anybody", images.people)),
            run: gr.update(choices=any_of("Current run", map(str, studio.proposed.runs()))),
            **({class_name: gr.update(choices=any_of("Any class", studio.class_names))} if is_new else {}),
            **({} if at["selected"] else {bulk: gr.Row(visible=False), question: gr.Row(visible=False)}),
            anew: gr.Button(visible=at["found"] != version),
            before: gr.Button(visible=at["start"] > 0),
            after: gr.Button(visible=at["start"] + PAGE < len(found.rows)),
        }

    def search(at: dict[str, Any], *values: Any) -> Shown:
        query = query_of(dict(zip(DEFAULTS, values, strict=True)))
        shown = show(at, query=query, seq=None, start=0, image=None, selected=[])
        return {**shown, bulk_class: query.class_name or None}

    def arrive(at: dict[str, Any], target: dict[str, Any]) -> Shown:
        values = [target.get(name, plain) for name, plain in DEFAULTS.items()]
        shown = search({**at, "target": target.get("at")}, *values)
        if target.get("image"):
            shown |= show(shown[view], image=target["image"])
        return {
            **shown,
            **{part: shown.get(part, {}) | gr.update(value=value) for part, value in zip(filters, values, strict=True)},
        }

    def look(at: dict[str, Any], target: dict[str, Any]) -> Shown:
        return nothing if target.get("at") != at.get("target") else show(at, seq=None)  # `arrive` shows it

    def follow(at: dict[str, Any]) -> Shown:
        return show(at) if at and at["seen"] != studio.proposed.version else nothing

    def open_image(at: dict[str, Any], told: gr.EventData) -> Shown:
        image_id, found = told._data["id"], studio.images.find(at["query"], seq=at["seq"])
        places = np.flatnonzero(found.rows == studio.dataset.row_of(image_id))
        start = int(places[0]) // PAGE * PAGE if len(places) else at["start"]
        if start != at["start"]:
            return show(at, image=image_id, start=start, selected=[])
        value = image_value(studio, image_id, found, told._data.get("class_name", ""))
        return {**at_view({**at, "image": image_id}), picture: value}

    def close_image(at: dict[str, Any]) -> Shown:
        return {**at_view({**at, "image": None}), picture: None}

    def find_similar(at: dict[str, Any]) -> tuple[Any, ...]:
        return similar_values(studio, at["image"]) if at.get("image") else (gr.skip(), gr.skip())

    def select(at: dict[str, Any], told: gr.EventData) -> Shown:
        ids = checked("ids", told._data["ids"], list[str])
        rows = {bulk: gr.Row(visible=bool(ids)), question: gr.Row(visible=False)}
        return {view: {**at, "selected": ids}, said: f"**{len(ids):,}** selected. Set them to:", **rows}

    def ask(at: dict[str, Any], ids: list[str], name: str | None, value: int, who: str) -> Shown:
        """Set some cells at once where nothing known is touched; else, or where there are many, say how many, and ask."""
        if not name:
            raise StudioError("no class is chosen", "choose one in the filter, or beside the selection")
        wanted = studio.images.plan_set(ids, name, value, at["seen"][1])
        if not (wanted.known or wanted.changed or len(wanted.unknown) > MOST_UNASKED):
            return settle(at, wanted, who, overwrite=False)
        num, known, word = len(wanted.unknown), len(wanted.known), STATE_NAMES[value]
        rows = {bulk: gr.Row(visible=False), question: gr.Row(visible=True)}
        first = gr.Button(f"Set the {num:,} unknown", visible=num > 0)
        second = gr.Button(f"Change the {known:,} known to {word}, too", visible=known > 0)
        return {plan: wanted, asked: f"{wanted.words}.", rest: first, every: second, **rows}

    def settle(at: dict[str, Any], wanted: BulkPlan, who: str, *, overwrite: bool) -> Shown:
        expected = len(wanted.unknown) + (len(wanted.known) if overwrite else 0)
        line = studio.images.set_cells(wanted, who=who, overwrite=overwrite, expected=expected)[1].line
        num = len(line.cells) if line else 0
        gr.Info(f"{escape(wanted.class_name)}: {num:,} set to {STATE_NAMES[wanted.state]}. Undo takes it back.")
        return show(at, selected=[])

    def press(at: dict[str, Any], name: str | None, told: gr.EventData, request: gr.Request) -> Shown:
        key, who, at = told._data["answer"], person(studio, request), remembered(at)
        if key in ANSWERS:
            return ask(at, told._data["ids"], name or at["query"].class_name, ANSWERS[key], who)
        (studio.ledger.undo if key == "undo" else studio.ledger.redo)(who)
        return show(at)

    def setter(value: int) -> Callable[..., Shown]:
        def set_selected(at: dict[str, Any], name: str | None, request: gr.Request) -> Shown:
            return ask(remembered(at), at["selected"], name, value, person(studio, request))

        return set_selected

    def confirmer(*, overwrite: bool) -> Callable[..., Shown]:
        def confirm(at: dict[str, Any], wanted: BulkPlan | None, request: gr.Request) -> Shown:
            return settle(remembered(at), remembered(wanted), person(studio, request), overwrite=overwrite)

        return confirm

    @owners_only
    def open_fiftyone(at: dict[str, Any]) -> str:
        rows = studio.images.find(remembered(at)["query"], seq=at["seq"]).rows
        some = rows[:FIFTYONE_IMAGES].tolist() if len(rows) < studio.table.num_images else []
        return fiftyone_address(studio, at["selected"] or [studio.image_ids[row] for row in some] or None)

    looked, similar = page.shown["browse"].select, [alike_words, alike]
    gr.on([path.submit, *(part.input for part in filters)], search, [view, *filters], parts, **IN_TURN)
    page.targets["browse"].change(arrive, [view, page.targets["browse"]], parts, **IN_TURN).then(
        find_similar, view, similar, **QUICK
    )
    looked(look, [view, page.targets["browse"]], parts, **IN_TURN)
    page.timer("browse", LOOK_S).tick(follow, view, parts, **{**IN_TURN, "trigger_mode": "once"})
    # Asks for the filters, too: the page takes a moment to read them, in which a press would overtake a key.
    clear.click(lambda at, *_: arrive(at, {"at": at.get("target")}), [view, *filters], parts, **IN_TURN)
    anew.click(lambda at: show(at, seq=None), view, parts, **IN_TURN)
    before.click(lambda at: show(at, start=at["start"] - PAGE, selected=[]), view, parts, **IN_TURN)
    after.click(lambda at: show(at, start=at["start"] + PAGE, selected=[]), view, parts, **IN_TURN)
    opened = gr.on([grid.select, picture.select, alike.select], open_image, view, parts, **IN_TURN)
    opened.then(find_similar, view, similar, **QUICK)
    picture.input(follow, view, parts, **IN_TURN)
    picture.clear(close_image, view, parts, **IN_TURN)
    grid.input(select, view, parts, **IN_TURN)
    grid.submit(press, [view, bulk_class], parts, **IN_TURN)
    for button, value in ((yes, 1), (no, -1), (unknown, 0)):
        button.click(setter(value), [view, bulk_class], parts, **IN_TURN)
    rest.click(confirmer(overwrite=False), [view, plan], parts, **IN_TURN)
    every.click(confirmer(overwrite=True), [view, plan], parts, **IN_TURN)
    cancel.click(show, view, parts, **IN_TURN)
    fiftyone.click(open_fiftyone, view, link, **PRIVATE).success(None, link, None, js=OPEN)
    gr.on([address.change, looked], None, address, None, js=ADDRESS, **QUICK)
    browse_api(studio)


def _filters(studio: Studio) -> Iterator[Any]:
    """Lay the filters out, in the order of `DEFAULTS`."""
    splits = sorted({name or "none" for name in studio.table.splits})
    sorts = [(words, name) for name, words in SORTS.items()]
    with gr.Row(equal_height=True):
        yield gr.Dropdown(any_of("Any class", studio.class_names), value="", label="Class", min_width=150)
        yield gr.Radio(state_choices({}, ""), value="", label="State", scale=6, min_width=420)
        yield gr.Textbox(label="Text in the path", min_width=130)
        yield gr.Dropdown(sorts, value="name", label="Order", min_width=150)
    with gr.Accordion("More filters", open=False), gr.Row(equal_height=True):
        yield gr.Number(0, label="Score from", minimum=0, maximum=1, step=0.05, min_width=90)
        yield gr.Number(1, label="to", minimum=0, maximum=1, step=0.05, min_width=90)
        yield gr.Dropdown(any_of("Any split", splits), value="", label="Split", min_width=120)
        yield gr.Dropdown(any_of("Anybody", []), value="", label="Answered by", min_width=120)
        yield gr.Dropdown(any_of("Any source", SOURCES), value="", label="Known from", min_width=120)
        yield gr.Dropdown(any_of("Current run", []), value="", label="Scores of", min_width=120)
    yield gr.Textbox(visible="hidden")  # the images that FiftyOne has chosen


def query_of(filters: Mapping[str, Any]) -> ImageQuery:
    """Return the query of a page's or an address's filters, which may be text; those left out are as by default.

    Raises:
        StudioError: If one of them makes no sense.
    """
    chosen = {**DEFAULTS, **{name: value for name, value in filters.items() if value not in (None, "")}}
    query: ImageQuery = checked("filters", {**chosen, "run": chosen["run"] or None}, ImageQuery)
    return query


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
    """Return a page of images for :func:`~logicmix_studio.app.components.image_grid`."""
    query, total = found.query, len(found.rows)
    has_count = found.num_cells not in (total, total * studio.table.num_classes)
    cells = f"{found.num_cells:,} cells" if has_count else ""
    test = f"{found.num_test:,} of them test images, which get no pseudo-labels" if found.num_test else ""
    nothing = "No image fits these filters. Take one of them away, or clear them."
    if found.run is None and query.state.startswith("pseudo"):
        nothing = "No run has finished yet: pseudo-labels and scores come with the first one."
    items = [grid_item(studio, image, query.class_name) for image in studio.images.tiles(found, start)]
    chosen = "only those that were chosen: Clear the filters shows all" if query.images else ""
    note = " · ".join(filter(None, (chosen, cells, test)))
    return tiles(items, start, total, note, empty=nothing)


def grid_item(studio: Studio, image: ImageView, class_name: str = "", title: str = "") -> dict[str, Any]:
    """Return a tile of the grid; the class that was asked for shows its score."""
    chips: list[list[Any]] = []
    for cell in image.cells:
        is_claim = cell.kind == "pseudo"
        name = f"{cell.class_name}{' no' if is_claim and cell.proposal == NEGATIVE else ''}"
        chips.append([cell.kind, name, cell.score if is_claim or cell.class_name == class_name else None])
    if image.num_more:
        chips.append(["", f"+{image.num_more}", None])
    claims = "only negative pseudo-labels" if image.num_proposals else ""
    return tile(
        studio,
        image.image_id,
        title or image.path,
        large=media_url(studio, image.image_id),
        chips=chips or [["", claims or ("no known positive" if image.num_known else "nothing known"), None]],
        aside=f"{image.num_known}/{studio.table.num_classes}",
        badge="test" if image.split == "test" else "",
    )


def similar_values(studio: Studio, image_id: str) -> tuple[str, dict[str, Any]]:
    """Return what stands above the similar images, and they themselves."""
    run, found = studio.images.similar(image_id)
    items = [grid_item(studio, image, title=f"{image.path} ({cosine:.2f})") for image, cosine in found]
    words = f"**Similar images** by the features of run {run}"
    none = "Once a run is trained, the images that look most alike stand here."
    return words if run else none, tiles(items)


def image_value(studio: Studio, image_id: str, found: FoundImages, active: str = "") -> dict[str, Any]:
    """Return an image for :func:`~logicmix_studio.app.tabs.browse_api.image_cells`.

    ``found`` says which images are beside it; ``active`` is the class to begin with, that of the filter unless given.
    """
    image, beside = studio.images.image(image_id), found.beside(studio.dataset.row_of(image_id))
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
