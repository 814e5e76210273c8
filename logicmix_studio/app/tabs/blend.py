"""The blend tab: a blend, its sources and its truth table; drawn as the trainer draws, or made of chosen images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.components import custom, image_grid, tile, tiles
from logicmix_studio.app.guarded import checked, remembered, server_function
from logicmix_studio.app.media import thumb_url
from logicmix_studio.app.page import QUICK, Page, person
from logicmix_studio.app.tabs.blend_panels import blend_api, blend_panels
from logicmix_studio.errors import StudioError
from logicmix_studio.explore.blend_labels import verdict
from logicmix_studio.explore.image_query import ImageQuery
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import DEFAULT_SEED
from logicmix_studio.training.settings import MixingSettings

DRAW, BUILD = "Draw like the trainer", "Build one"
SIZES: Final = list(range(2, 17))
STATES: Final = [("any state", ""), "positive", "negative", "unknown", ("pseudo-label", "pseudo")]
BARE: Final[dict[str, Any]] = {"show_label": False, "visible": False}
FEW: Final = 8
"""Up to here, classes stay in their own order."""
FOUND: Final = 60
"""Images of one page of the search."""
FIRST: Final = "The first blend loads what mixes images: some seconds, once."
NO_IMAGES: Final = "**No images yet.** Choose two or more above: by name, by class or by state."
NUMBERS: Final = ("seed", "sample", "min_sources", "max_sources", "probability")
"""What an address says of a drawn blend."""


def blend_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    # States stand outside the inner tabs, where each would count as a tab.
    blend, came, position = gr.State(None), gr.State(0.0), gr.State(0)
    panel, augment_seed = gr.State("truth"), gr.State(0)
    stay, forward, backward = gr.State(0), gr.State(1), gr.State(-1)
    with gr.Row():
        mode = gr.Radio([DRAW, BUILD], value=DRAW, show_label=False, container=False, min_width=330, scale=0)
        following = gr.Button("Next blend", variant="primary", elem_id="blend-next", min_width=170, scale=0)
        previous = gr.Button("Previous", elem_id="blend-previous", min_width=150, scale=0)
        seed = gr.Number(DEFAULT_SEED, label="seed ⏎", precision=0, minimum=0, min_width=90)
        sample = gr.Number(1, label="sample ⏎", precision=0, minimum=1, min_width=90)
        least = gr.Dropdown(SIZES, value=2, label="sources", min_width=80)
        most = gr.Dropdown(SIZES, value=3, label="to", min_width=70)
        probability = gr.Slider(0, 1, 0.5, step=0.05, label="probability", min_width=170, buttons=[])
        skip = gr.Checkbox(True, label="skip unmixed", min_width=130)
    with gr.Group(visible=False) as builder:
        with gr.Row():
            text = gr.Textbox(label="part of the file name")
            of_class = gr.Dropdown([("any class", ""), *page.studio.class_names], value="", label="class")
            state = gr.Dropdown(STATES, value="", label="its state")
            start = gr.Number(1, label="from image number ⏎", precision=0, minimum=1, step=FOUND)
            clear = gr.Button("Start anew")
        found = image_grid(elem_id="blend-found")
    with gr.Row():
        with gr.Column(scale=2, min_width=300):
            picture = gr.Image(format="jpeg", alt_text="The blend", interactive=False, buttons=["download"], **BARE)
            caption = gr.Markdown(FIRST)
            sources = gr.Gallery(columns=3, height="auto", allow_preview=False, buttons=[], **BARE)
            with gr.Row(visible=False) as one_source:
                browse = gr.Button("Open in Browse", size="sm")
                take_out = gr.Button("Take out", size="sm")
        with gr.Column(scale=4, min_width=460), gr.Tabs() as tabs:
            with gr.Tab("Truth table", id="truth"):
                pseudo = gr.Checkbox(False, label="fill in pseudo-labels, as a run does in its later epochs")
                table = truth_table(page)
            inputs = [panel, blend, augment_seed, seed, least, most, probability, pseudo]
            follow = blend_panels(page, inputs)

    shown = [mode, blend, picture, caption, sources, table, one_source, seed, sample]
    controls = [mode, blend, seed, sample, least, most, probability, skip, pseudo]
    search = [text, of_class, state, start]
    drawing = [following, previous, seed, sample, least, most, probability, skip]

    def show(request: gr.Request, made: Any, filled: bool, words: str, **mixing: Any) -> list[Any]:
        """Return the values of ``shown``; the words take the place of the caption where there is no blend."""
        value = truth_value(page.studio, () if made is None else made.image_ids, filled)
        now, image, numbers = gr.skip(), None, [gr.skip(), gr.skip()]
        if made is not None:
            now, value["address"] = BUILD, {"images": ",".join(made.image_ids)}
            if made.sample is not None:
                now, numbers = DRAW, [made.seed, made.sample]
                value["address"] = {"seed": made.seed, "sample": made.sample, **mixing}
            try:
                image, words = page.studio.blends.picture(made), _caption(made, value["rows"])
            except StudioError as error:
                words = f"**The blend could not be drawn.** {error.what}: {error.hint}"
        # An empty picture or gallery would be a box that says nothing.
        seen = gr.update(value=image, visible=image is not None)
        gallery = gr.update(value=_gallery(page, request, value), visible=made is not None)
        return [now, made, seen, words, gallery, value, gr.Row(visible=False), *numbers]

    def drawn(request: gr.Request, values: Sequence[Any], step: int = 0, *, is_first: bool = False) -> list[Any]:
        of, number, low, high, share, only, filled = values
        mixing = {"min_sources": int(low), "max_sources": int(high), "probability": share}
        try:
            service, settings = page.studio.blends, MixingSettings(**mixing)
            start = 1 if is_first else max(1, int(number or 1) + step)
            made = service.draw(int(of or 0), start, settings, blends_only=only, backwards=step < 0)
            if is_first and only:
                made = service.draw_telling(int(of or 0), settings)
        except StudioError as error:
            return show(request, None, filled, f"**{error.what}.** {error.hint}")
        return show(request, made, filled, "", **mixing)

    def built(request: gr.Request, ids: Sequence[str], filled: bool, *wanted: Any) -> list[Any]:
        made = page.studio.blends.make(ids) if ids else None
        return [*show(request, made, filled, NO_IMAGES), _found(page, ids, *wanted)]

    def draw(request: gr.Request, step: int, now: str, made: Any, *values: Any) -> list[Any]:
        if now == BUILD and step == 0:
            return show(request, made, values[-1], NO_IMAGES)
        return drawn(request, values, step)

    def start_anew(request: gr.Request, filled: bool, *wanted: Any) -> list[Any]:
        return built(request, [], filled, *wanted)

    def toggle(request: gr.Request, told: gr.EventData, made: Any, filled: bool, *wanted: Any) -> list[Any]:
        ids, one = _chosen(made), told._data["id"]
        ids = [other for other in ids if other != one] if one in ids else [*ids, one]
        return built(request, ids, filled, *wanted)

    def remove(request: gr.Request, at: int, made: Any, filled: bool, *wanted: Any) -> list[Any]:
        ids = list(remembered(made).image_ids)
        return built(request, [*ids[:at], *ids[at + 1 :]], filled, *wanted)

    def switch(now: str, made: Any, *wanted: Any) -> list[Any]:
        is_drawn = now == DRAW
        offered = gr.skip() if is_drawn else _found(page, _chosen(made), *wanted)
        return [*[gr.update(visible=is_drawn) for _ in drawing], gr.Group(visible=not is_drawn), offered]

    def find(made: Any, *wanted: Any) -> dict[str, Any]:
        return _found(page, _chosen(made), *wanted)

    def point(picked: gr.SelectData) -> list[Any]:
        at = checked("the image", picked.index, int)
        name = f"image {at + 1}"
        return [at, gr.Row(visible=True), f"Open {name} in Browse", f"Take {name} out"]

    def look(at: int, made: Any) -> Any:
        return page.go("browse", image=remembered(made).image_ids[at])

    def arrive(
        request: gr.Request, target: dict[str, Any], last: float, now: str, made: Any, *values: Any
    ) -> list[Any]:
        """Show what the address names; else the blend that was there, with today's labels; else a first one."""
        asked = target if target.get("at", last) != last else {}
        numbers = [checked(name, asked.get(name, old), int | float) for name, old in zip(NUMBERS, values, strict=False)]
        mixing, filled = dict(zip(NUMBERS[2:], numbers[2:], strict=True)), values[-1]
        if asked.get("images"):
            parts = show(
                request, page.studio.blends.make(checked("images", asked["images"], str).split(",")), filled, ""
            )
        elif "sample" in asked or (made is None and now == DRAW):
            parts = drawn(request, [*numbers, *values[5:]], is_first="sample" not in asked)
        else:
            parts = show(request, made, filled, NO_IMAGES, **mixing)
        tab = gr.Tabs(selected=asked["panel"]) if "panel" in asked else gr.skip()
        return [target.get("at", last), tab, *numbers[2:], *parts]

    typed = [box.input for box in (skip, least, most, pseudo)]
    changes = [seed.submit, sample.submit, probability.release, *typed]
    arrivals = [page.shown["blend"].select, page.targets["blend"].change]
    arrived = [came, tabs, least, most, probability, *shown]
    every = [*shown, found]
    follow(following.click(draw, [forward, *controls], shown, **QUICK))
    follow(previous.click(draw, [backward, *controls], shown, **QUICK))
    follow(gr.on(changes, draw, [stay, *controls], shown, **QUICK))
    follow(gr.on(arrivals, arrive, [page.targets["blend"], came, *controls], arrived, **QUICK))
    follow(found.select(toggle, [blend, pseudo, *search], every, **QUICK))
    follow(take_out.click(remove, [position, blend, pseudo, *search], every, **QUICK))
    follow(clear.click(start_anew, [pseudo, *search], every, **QUICK))
    mode.change(switch, [mode, blend, *search], [*drawing, builder, found], **QUICK)
    gr.on([text.input, of_class.input, state.input, start.submit], find, [blend, *search], found, **QUICK)
    sources.select(point, None, [position, one_source, browse, take_out], **QUICK)
    browse.click(look, [position, blend], page.way, **QUICK)
    blend_api(page.studio)


def _chosen(made: Any) -> list[str]:
    """Return the images of a blend that is being built; none where the trainer drew it."""
    return [] if made is None or made.sample is not None else list(made.image_ids)


def _found(page: Page, ids: Sequence[str], words: str, class_name: str, of_state: str, first: int) -> dict[str, Any]:
    """Return a page of the images that may be blended."""
    studio = page.studio
    rows = studio.blends.sources.find(ImageQuery(class_name=class_name, state=of_state, path=words))
    begin = max(0, min(int(first or 1), len(rows)) - 1)
    items = []
    for row in rows[begin : begin + FOUND].tolist():
        one = studio.image_ids[row]
        badge = str(ids.index(one) + 1) if one in ids else ""
        items.append(tile(studio, one, studio.table.paths[row], badge=badge))
    return tiles(items, begin, len(rows), "a click blends an image or takes it out")


def _gallery(page: Page, request: gr.Request, value: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the sources with their names; a gallery wants whole addresses."""
    origin = request.headers.get("origin") or str(request.request.base_url).rstrip("/")
    gallery = []
    for place, (one, file) in enumerate(zip(value["ids"], value["files"], strict=True)):
        known = sum(row["sources"][place]["state"] != 0 for row in value["rows"])
        words = f"{place + 1} · {file.split('/')[-1]}\n{known} of {len(value['rows'])} known"
        gallery.append((origin + thumb_url(page.studio, one), words))
    return gallery


def _caption(made: Any, rows: Sequence[dict[str, Any]]) -> str:
    states = [row["state"] for row in rows]
    count = len(made.rows)
    what = f"The mean of {count} images." if count > 1 else "One photograph: nothing is mixed."
    which = "" if made.sample is None else f" Sample {made.sample} of a run of seed {made.seed}."
    labels = f"{states.count(1)} positive, {states.count(-1)} negative, {states.count(0)} open"
    return f"{what}{which} {labels} of {len(states)} classes."


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
