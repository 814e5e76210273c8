"""The grid: one class a page; the exceptions are marked, the rest is confirmed in one go."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.components import image_grid, tile, tiles
from logicmix_studio.app.guarded import remembered
from logicmix_studio.app.media import media_url
from logicmix_studio.app.page import QUICK, Page, person
from logicmix_studio.app.tabs.review_filters import arrival, filled, filter_row, is_arriving, is_meant, then_address
from logicmix_studio.app.tabs.review_stream import reversal_words
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review.cards import PilePage, Step, page_again
from logicmix_studio.review.queue_spec import PAGE_SCOPES
from logicmix_studio.studio import Studio

NAMES: Final = ("class_name", "sign", "scope", "run", "split", "size")
Passed = list[list[str]]
"""The keys of the tiles of each page that was left undecided."""
WINDOW: Final = "(_, ...rest) => [sessionStorage['lm-window'] ??= lm.newId(), ...rest]"
"""Names the browser's window, so that a reload shows the same tiles and another window others."""


def grid_part(page: Page, tab: gr.Tab) -> None:
    """Lay the view out, then wire it."""
    studio = page.studio
    boxes = filter_row(studio, NAMES, PAGE_SCOPES)
    with gr.Row():
        question = gr.HTML(padding=False, min_height=60)
        words = {"Back": 90, "Leave undecided": 170, "Undo": 90}
        back, later, again = (gr.Button(word, size="md", scale=0, min_width=width) for word, width in words.items())
        onward = gr.Button(visible=False, size="md", scale=0, min_width=160)
    grid = image_grid(marking=True, elem_id="review-grid")
    window, passed, step, came = gr.Textbox(visible=False), gr.State([]), gr.State(), arrival()
    shown = [question, grid, later, onward, step]
    outputs = [*boxes[:2], *shown, passed]

    def in_place(found: PilePage, passed: Passed, values: Sequence[str]) -> list[Any]:
        asked = dict(zip(NAMES, values, strict=True))
        place = [found.class_name, gr.Dropdown(value=str(found.sign), interactive=True)]
        if asked["scope"]:  # the next page may be of another class, and each has its own sign
            place = [asked["class_name"], gr.Dropdown(value="0", interactive=False)]
        return [*place, *page_shown(studio, found), passed]

    def load(request: gr.Request, window: str, passed: Passed, *values: str) -> list[Any]:
        name, sign, scope, run, split, size = values
        wanted: dict[str, Any] = {
            "who": person(studio, request),
            "holder": f"{window}:grid",
            "class_name": name,
            "run": int(run) if run else None,
            "split": split,
            "want": int(size),
            "have": [cell for keys in passed for cell in of_keys(keys)[0]],
        }
        review = studio.review
        found = review.likeliest_page(**wanted) if scope else review.next_page(sign=int(sign), **wanted)
        return in_place(found, passed, values)

    def begin(request: gr.Request, window: str, *values: str) -> list[Any]:
        return load(request, window, [], *values)

    def change_scope(request: gr.Request, window: str, *values: str) -> list[Any]:
        return load(request, window, [], "", "0", *values[2:])

    def look(request: gr.Request, window: str, target: dict[str, Any], came: float, *values: str) -> list[Any]:
        if is_arriving(target, "grid", came):
            return [gr.skip()] * len(outputs)
        return load(request, window, [], *values)

    def arrive(request: gr.Request, window: str, target: dict[str, Any]) -> list[Any]:
        if not is_meant(target, "grid"):
            return [gr.skip()] * (1 + len(outputs) + len(boxes) - 2)
        values, updates = filled(studio, NAMES, target, PAGE_SCOPES)
        found = load(request, window, [], *values)
        return [target["at"], *found[:2], *updates[2:], *found[2:]]

    def submit(event_data: gr.EventData, request: gr.Request, window: str, passed: Passed, *values: str) -> list[Any]:
        given = event_data._data
        if "answer" in given:
            return turn(given["answer"], request, window, passed, *values)
        cells, sign, run = of_keys(given["keys"])
        receipt = studio.review.confirm(
            cells,
            sign=sign,
            wrong=of_keys(given["marked"])[0],
            unsure=of_keys(given["unsure"])[0],
            who=person(studio, request),
            action_id=given["id"],
            run=run,
            ms=given["ms"],
        )
        if receipt.skipped:
            gr.Info(f"{len(receipt.skipped)} of {len(cells)} were known before: they were left as they are")
        return load(request, window, passed, *values)

    def turn(kind: str, request: gr.Request, window: str, passed: Passed, *values: str) -> list[Any]:
        found = (studio.review.undo if kind == "undo" else studio.review.redo)(person(studio, request))
        gr.Info(reversal_words(found))
        line = found.receipt.line
        if kind == "redo" or line is None or line.origin != "grid":
            return load(request, window, passed, *values)
        of = studio.ledger.target(line)
        sign = None if of is None else of.extra.get("sign")
        return in_place(page_again(found.cards, sign or found.cards[0].claim), passed, values)

    def undo(request: gr.Request, window: str, passed: Passed, *values: str) -> list[Any]:
        return turn("undo", request, window, passed, *values)

    def leave(request: gr.Request, window: str, passed: Passed, shown: dict[str, Any], *values: str) -> list[Any]:
        keys = [item["key"] for item in shown["items"]]
        return load(request, window, [*passed, keys], *values)

    def come_back(passed: Passed) -> list[Any]:
        if not passed:
            raise StudioError("this is the first page", "confirm it, or leave it undecided")
        cells, sign, run = of_keys(passed[-1])
        cards = [card for card in studio.review.cards(cells, run) if not card.state]
        return [*page_shown(studio, page_again(cards, sign)), passed[:-1]] if cards else come_back(passed[:-1])

    def go_on(step: Step | None) -> dict[Any, Any]:
        return page.go(remembered(step).tab or "review", **remembered(step).filters)

    place, quick = [window, passed, *boxes], {"js": WINDOW, **QUICK}
    scope = boxes[NAMES.index("scope")]
    begun = gr.on([box.input for box in boxes if box is not scope], begin, [window, *boxes], outputs, **quick)
    then_address(begun, "grid", NAMES, boxes)
    then_address(scope.input(change_scope, [window, *boxes], outputs, **quick), "grid", NAMES, boxes)
    looked = tab.select(look, [window, page.targets["review"], came, *boxes], outputs, **quick)
    then_address(looked, "grid", NAMES, boxes)
    page.targets["review"].change(arrive, [window, page.targets["review"]], [came, *boxes, *outputs[2:]], **quick)
    then_address(grid.submit(submit, place, outputs, js=WINDOW, **QUICK), "grid", NAMES, boxes)
    later.click(leave, [window, passed, grid, *boxes], outputs, **quick)
    again.click(undo, place, outputs, **quick)
    back.click(come_back, passed, [*shown, passed], **QUICK)
    onward.click(go_on, step, page.way, **QUICK)


def page_shown(studio: Studio, found: PilePage) -> list[Any]:
    """Return question, grid, buttons, and what is to be done next for a page of tiles."""
    empty = found.batch.empty
    text = f"<h2>{escape(empty.title)}</h2><p>{escape(empty.text)}</p>" if empty else question_words(found)
    step = next((one for one in empty.steps if one.tab or one.filters), None) if empty else None
    return [
        f'<div id="review-grid-question">{text}</div>',
        grid_value(studio, found),
        gr.Button(interactive=empty is None),
        gr.Button(step.label if step else "", visible=step is not None),
        step,
    ]


def question_words(found: PilePage) -> str:
    """Return what a page asks, as HTML."""
    name = f'<b style="color: var(--lm-accent)">{escape(found.class_name)}</b>'
    words = f"Which of these have no {name}?" if found.sign == POSITIVE else f"Which of these do have {name}?"
    claim = "The model finds it in each" if found.sign == POSITIVE else "The model finds it in none"
    waiting = f" · {found.batch.total:,} pseudo-labels wait"
    if found.promise is not None:
        number = f"About {found.promise:.0f}" if found.promise >= 1 else "Less than one"
        claim, waiting = f"{number} of {len(found.batch.cards)} should have it", ""
    return f"<h2>{words}</h2><p>{claim}. Mark the exceptions, confirm the rest.{waiting}</p>"


def grid_value(studio: Studio, found: PilePage) -> dict[str, Any]:
    """Return a page's cards as tiles."""
    items = []
    for card in found.batch.cards:
        key, large = f"{card.cell}:{found.sign}:{card.run or ''}", media_url(studio, card.image_id)
        items.append(tile(studio, card.image_id, card.path, key=key, large=large, chips=[]))
    return tiles(items, total=found.batch.total)


def of_keys(keys: Sequence[str]) -> tuple[list[int], int, int | None]:
    """Return the cells that tiles stand for, what their page takes for granted of them, and the run."""
    parts = [key.split(":") for key in keys]
    sign, run = (int(parts[0][1]), parts[0][2]) if parts else (0, "")
    return [int(part[0]) for part in parts], sign, int(run) if run else None
