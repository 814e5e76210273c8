"""The overview tab: what is known, how it goes, what to do next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import gradio as gr
import pandas as pd

from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.components.class_bars import bars_value, class_bars
from logicmix_studio.app.page import EACH, QUICK, Page
from logicmix_studio.app.session import event
from logicmix_studio.app.tabs.overview_data import data_accordion
from logicmix_studio.app.tabs.overview_frames import (
    COLOURS,
    curve_plot,
    pace_words,
    rounds_plot,
    rounds_table,
    together_table,
)
from logicmix_studio.explore.next_step import Step

SECONDS: Final = 2.0
"""How often the tab looks whether anything has changed."""
RUNNERS_UP: Final = 3
SIZES: Final = (12, 20, 40)
"""How many classes the table of classes together may hold."""
NOTHING: Final = Step("", "Nothing is left to do", "", "", "overview")


def overview_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    studio = page.studio
    seen = gr.State({})
    steps = gr.State([])
    with gr.Row():
        with gr.Column(scale=7, min_width=480):
            bars = class_bars(elem_id="class-bars")
            with gr.Accordion("Classes together"):
                sizes = [(f"{size} most frequent", size) for size in SIZES]
                is_long = studio.table.num_classes > SIZES[0]
                top = gr.Dropdown(sizes, value=SIZES[1], label="Classes", visible=is_long)
                title = "How often is the class of a column there, where that of the row is?"
                together = gr.Dataframe(headers=["class"], label=title, interactive=False, buttons=[])
        with gr.Column(scale=3, min_width=300):
            with gr.Column(elem_classes=["lm-card", "lm-step"]):
                words = custom("next_step", {"title": "…", "reason": ""}, elem_id="next-step", elem_classes="lm-bare")
                with gr.Row():
                    first = gr.Button(variant="primary", size="md", scale=2, visible=False)
                    later = gr.Button("Not now", size="md", scale=1, min_width=90, visible=False)
                others = [gr.Button(size="sm", visible=False) for _ in range(RUNNERS_UP)]
                back = gr.Button("Bring back what was put off", size="sm", visible=False)
            plain = {"x_title": "", "y_title": "", "height": 200, "buttons": []}
            curve = gr.LinePlot(x="time", y="known", title="Known proportion over time", y_axis_format=".1%", **plain)
            pace = gr.Markdown()
            goal = gr.Slider(1, 100, 50, step=1, label="Goal: known cells in %", interactive=True)
            rounds = gr.LinePlot(
                x="round",
                y="share",
                color="measure",
                title="Rounds",
                color_map=COLOURS,
                y_axis_format=".0%",
                **plain,
            )
    with gr.Accordion("Rounds"):
        table = gr.Dataframe(headers=["Round"], interactive=False, show_label=False, buttons=[])
    data_accordion(page)

    buttons = [first, *others]
    shown = [bars, curve, pace, goal, rounds, table, together, steps, words, later, back, *buttons]

    def look(before: dict[str, Any], size: int) -> list[Any]:
        """Show what has changed since the last look; leave the rest alone."""
        overview = studio.overview
        version = (id(overview), overview.version, size)
        if before.get("version") == version:
            return [gr.skip()] * (1 + len(shown))
        values = {
            "bars": bars_value(studio),
            "curve": curve_plot(overview.curve()),
            "pace": pace_words(overview.speed()),
            "goal": round(100 * overview.speed().goal),
            "rounds": rounds_plot(overview.rounds()),
            "table": rounds_table(overview.rounds()),
            "together": overview.together(size),
            "steps": (overview.next_steps(), bool(overview.put_off())),
        }
        now = {name: hash(_text(value)) for name, value in values.items()}
        new = {name: gr.skip() if before.get(name) == now[name] else values[name] for name in values}
        if new["together"] is values["together"]:
            new["together"] = together_table(values["together"])
        is_new = new.pop("steps") is values["steps"]
        advice = _advice(*values["steps"]) if is_new else [gr.skip()] * (len(shown) - len(new))
        return [{**now, "version": version}, *new.values(), *advice]

    def put_off(found: list[dict[str, Any]]) -> None:
        studio.overview.put_off_step(found[0]["key"])

    def bring_back() -> None:
        studio.overview.put_off_step("")

    def set_goal(percent: float) -> str:
        """Set the share of known cells that people aim at, in %; tell how long it takes."""
        studio.overview.set_goal(percent / 100)
        return pace_words(studio.overview.speed())

    def open_class(evt: gr.EventData) -> tuple[Any, dict[str, Any]]:
        wanted = {name: evt._data[name] for name in ("class_name", "state") if evt._data[name]}
        return page.go("browse", **wanted)

    looks = [page.timer("overview", SECONDS).tick, page.shown["overview"].select, top.change]
    gr.on(looks, event(look), [seen, top], [seen, *shown], **QUICK)
    bars.select(open_class, None, page.way, **EACH)
    for place, button in enumerate(buttons):

        def follow(found: list[dict[str, Any]], place: int = place) -> tuple[Any, dict[str, Any]]:
            return page.go(found[place]["tab"], **found[place]["filters"])

        button.click(follow, steps, page.way, **QUICK)
    for button, act in ((later, put_off), (back, bring_back)):
        inputs = steps if button is later else None
        button.click(event(act), inputs, None, **QUICK).then(event(look), [seen, top], [seen, *shown], **QUICK)
    goal.release(event(set_goal), goal, pace, queue=False, show_progress="hidden", api_name="set_goal")

    def overview() -> dict[str, Any]:
        """Tell what is known: cells by state of every class, known and wrong, the pace and the way to the goal."""
        how, rates = studio.overview.errors()
        counts = studio.overview.counts()
        return {
            "images": studio.table.num_images,
            "known": counts.known,
            "pseudo_labels": counts.pseudo,
            "cells": counts.total,
            "classes": studio.overview.classes().to_dict("records"),
            "expected_positives": studio.overview.expected_positives(),
            "wrong_by": how,
            "wrong": {name: rate._asdict() for name, rate in rates.items()},
            "pace": asdict(studio.overview.speed()),
        }

    def next_steps() -> list[dict[str, Any]]:
        """List what would help most now, with the reason, the most useful first."""
        return [asdict(step) for step in studio.overview.next_steps()]

    def put_off_step(key: str) -> list[dict[str, Any]]:
        """Leave a step out until things have changed; an empty key brings all of them back. List the others.

        Args:
            key: The step's key.
        """
        studio.overview.put_off_step(key)
        return next_steps()

    for function in (overview, next_steps, put_off_step):
        gr.api(event(function), api_name=function.__name__, queue=False)


def _advice(steps: list[Step], is_put_off: bool) -> list[Any]:
    """Return what the card of the next step shows: the steps, its words and its buttons."""
    first, *others = steps or [NOTHING]
    others = others[:RUNNERS_UP]
    return [
        [asdict(step) for step in (first, *others)],
        {"title": safe(first.title), "reason": safe(first.reason)},
        gr.update(visible=bool(steps)),
        gr.update(visible=is_put_off),
        gr.update(value=first.label, visible=bool(steps)),
        *(gr.update(value=step.title, visible=True) for step in others),
        *(gr.update(visible=False) for _ in range(RUNNERS_UP - len(others))),
    ]


def _text(value: Any) -> str:
    return value.to_csv() if isinstance(value, pd.DataFrame) else repr(value)
