"""The grid: one class and sign a page; the exceptions are marked, the rest is confirmed in one go."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

import gradio as gr

from logicmix_studio.app.components import image_grid, tile, tiles
from logicmix_studio.app.media import media_url
from logicmix_studio.app.page import QUICK, Page, event, person
from logicmix_studio.app.tabs.review_filters import arrival, filled, filter_row, is_arriving, is_meant, then_address
from logicmix_studio.app.tabs.review_stream import reversal_words
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review.cards import Batch, Card, PilePage
from logicmix_studio.studio import Studio

NAMES: Final = ("class_name", "sign", "run", "split", "size")
Passed = list[list[int]]
"""The cells of the pages that were left undecided."""
WINDOW: Final = "(_, ...rest) => [sessionStorage['lm-window'] ??= lm.newId(), ...rest]"
"""Names the browser's window, so that a reload shows the same tiles and another window others."""


def grid_part(page: Page, tab: gr.Tab) -> None:
    """Lay the view out, then wire it."""
    studio = page.studio
    boxes = filter_row(studio, NAMES)
    with gr.Row():
        question = gr.HTML(padding=False, min_height=60)
        words = {"Back": 90, "Leave undecided": 170, "Undo": 90}
        back, later, again = (gr.Button(word, size="md", scale=0, min_width=width) for word, width in words.items())
        train = gr.Button("Go to training", visible=False, size="md", scale=0, min_width=160)
    grid = image_grid(marking=True, elem_id="review-grid")
    window, passed, came = gr.Textbox(visible=False), gr.State([]), arrival()
    outputs = [*boxes[:2], question, grid, later, train, passed]

    @event
    def load(request: gr.Request, window: str, passed: Passed, *values: str) -> list[Any]:
        name, sign, run, split, size = values
        found = studio.review.next_page(
            who=person(studio, request),
            holder=f"{window}:grid",
            class_name=name,
            sign=int(sign),
            run=int(run) if run else None,
            split=split,
            want=int(size),
            have=[cell for cells in passed for cell in cells],
        )
        return [*page_shown(studio, found), passed]

    @event
    def begin(request: gr.Request, window: str, *values: str) -> list[Any]:
        return load(request, window, [], *values)

    @event
    def look(request: gr.Request, window: str, target: dict[str, Any], came: float, *values: str) -> list[Any]:
        if is_arriving(target, "grid", came):
            return [gr.skip()] * len(outputs)
        return load(request, window, [], *values)

    @event
    def arrive(request: gr.Request, window: str, target: dict[str, Any]) -> list[Any]:
        if not is_meant(target, "grid"):
            return [gr.skip()] * (1 + len(outputs) + len(boxes) - 2)
        values, updates = filled(studio, NAMES, target)
        found = load(request, window, [], *values)
        return [target["at"], *found[:2], *updates[2:], *found[2:]]

    @event
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
        first = found.cards[0]
        batch = Batch(found.cards, len(found.cards), first.run, [], None)
        return [*page_shown(studio, PilePage(first.class_name, first.claim, batch)), passed]

    @event
    def undo(request: gr.Request, window: str, passed: Passed, *values: str) -> list[Any]:
        return turn("undo", request, window, passed, *values)

    @event
    def leave(request: gr.Request, window: str, passed: Passed, shown: dict[str, Any], *values: str) -> list[Any]:
        cells = of_keys([item["key"] for item in shown["items"]])[0]
        return load(request, window, [*passed, cells], *values)

    @event
    def come_back(passed: Passed) -> list[Any]:
        if not passed:
            raise gr.Error("This is the first page", print_exception=False)
        cards = [card for card in studio.review.cards(passed[-1]) if not card.state]
        return [grid_value(studio, cards, len(cards)), passed[:-1]]

    place, quick = [window, passed, *boxes], {"js": WINDOW, **QUICK}
    begun = gr.on([box.input for box in boxes], begin, [window, *boxes], outputs, **quick)
    then_address(begun, "grid", NAMES, boxes)
    looked = tab.select(look, [window, page.targets["review"], came, *boxes], outputs, **quick)
    then_address(looked, "grid", NAMES, boxes)
    page.targets["review"].change(arrive, [window, page.targets["review"]], [came, *boxes, *outputs[2:]], **quick)
    then_address(grid.submit(submit, place, outputs, js=WINDOW, **QUICK), "grid", NAMES, boxes)
    later.click(leave, [window, passed, grid, *boxes], outputs, **quick)
    again.click(undo, place, outputs, **quick)
    back.click(come_back, passed, [grid, passed], **QUICK)
    train.click(lambda: page.go("train"), None, page.way, **QUICK)


def page_shown(studio: Studio, found: PilePage) -> list[Any]:
    """Return class, sign, question, grid and buttons for a page of tiles."""
    empty, total = found.batch.empty, found.batch.total
    name = f'<b style="color: var(--lm-accent)">{escape(found.class_name)}</b>'
    words = f"Which of these have no {name}?" if found.sign == POSITIVE else f"Which of these do have {name}?"
    claim = "The model finds it in each" if found.sign == POSITIVE else "The model finds it in none"
    text = f"<h2>{words}</h2><p>{claim}. Mark the exceptions, confirm the rest. · {total:,} pseudo-labels wait</p>"
    if empty is not None:
        text = f"<h2>{escape(empty.title)}</h2><p>{escape(empty.text)}</p>"
    return [
        found.class_name,
        str(found.sign),
        f'<div id="review-grid-question">{text}</div>',
        grid_value(studio, found.batch.cards, total),
        gr.Button(interactive=empty is None),
        gr.Button(visible=empty is not None),
    ]


def grid_value(studio: Studio, cards: Sequence[Card], total: int) -> dict[str, Any]:
    """Return cards as tiles."""
    items = []
    for card in cards:
        key, large = f"{card.cell}:{card.claim}:{card.run or ''}", media_url(studio, card.image_id)
        items.append(tile(studio, card.image_id, card.path, key=key, large=large, chips=[]))
    return tiles(items, total=total)


def of_keys(keys: Sequence[str]) -> tuple[list[int], int, int | None]:
    """Return the cells that tiles stand for, what the run claims of them, and the run."""
    parts = [key.split(":") for key in keys]
    claim, run = (int(parts[0][1]), parts[0][2]) if parts else (0, "")
    return [int(part[0]) for part in parts], claim, int(run) if run else None
