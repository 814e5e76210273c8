"""The overview tab: what is known, how it goes, what to do next."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

import gradio as gr
import numpy as np
import pandas as pd

from logicmix_studio.app.api import offer
from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.components.class_bars import bars_value, class_bars, percent
from logicmix_studio.app.page import EACH, QUICK, Page, event
from logicmix_studio.app.tabs.overview_data import data_accordion
from logicmix_studio.explore.next_step import Step
from logicmix_studio.review.progress import Speed
from logicmix_studio.words import duration

SECONDS: Final = 2.0
"""How often the tab looks whether anything has changed."""
RUNNERS_UP: Final = 3
SIZES: Final = (12, 20, 40)
"""How many classes the table of classes together may hold."""
MEASURES = {
    "known": "known",
    "map": "mAP",
    "positives_right": "“yes” that are right",
    "negatives_right": "“no” that are right",
}
COLOURS = dict(zip(MEASURES.values(), ("#5c6ada", "#b7791f", "#17998b", "#8595ae"), strict=True))
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
            "classes": studio.overview.classes(),
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

    offer(studio, overview, next_steps, put_off_step)


def pace_words(speed: Speed) -> str:
    """Return in words how fast people are and how long they need to the goal."""
    goal = f"{100 * speed.goal:.0f} % known"
    if speed.missing == 0:
        left = f"The goal of {goal} is reached."
    elif speed.seconds_left is None:
        left = f"{speed.missing:,} cells are missing to the goal of {goal}."
    else:
        left = f"At this rate {duration(speed.seconds_left)} of work to {goal}; pauses are left out."
    rate = f"**{speed.per_minute:.1f}** decisions a minute" if speed.per_minute else "No pace yet"
    each = f" of {speed.cells_per_decision:.1f} cells" if speed.cells_per_decision > 1.05 else ""
    return f"{rate}{each}. {left}"


def curve_plot(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the curve of known cells, beginning a little before the first decision and not at a distant import."""
    times = curve["time"].dt.tz_convert(None)
    if len(times) == 1:
        return pd.DataFrame({"time": [times[0], times[0] + pd.Timedelta(minutes=1)], "known": curve["known"].repeat(2)})
    span = max(0.1 * (times.iloc[-1] - times[1]), pd.Timedelta(minutes=1))
    return curve.assign(time=[max(times[0], times[1] - span), *times[1:]])


def rounds_plot(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the measures of finished runs as ``round``, ``share`` and ``measure``, one row a point."""
    if rounds.empty:
        return pd.DataFrame({"round": [], "share": [], "measure": []})
    done = rounds[rounds["status"] == "finished"].rename(columns=MEASURES)
    done["round"] = done["run"].map(f"{{:0{len(str(done['run'].max()))}d}}".format)
    return done.melt("round", list(MEASURES.values()), "measure", "share").dropna(subset="share")


def rounds_table(rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the runs in words, the newest first."""
    rows = [
        {
            "Round": one.name + (" ◐" if one.is_current else ""),
            "Status": one.status,
            "Began": f"{one.time:%Y-%m-%d %H:%M}",
            "Known": percent(one.known),
            "mAP": "–" if np.isnan(one.map) else f"{one.map:.3f}",
            "Answers after it": f"{one.answers:,}",
            "Accepted": _share(one.accepted, one.accepted + one.rejected),
            "True “yes”": _share(one.positives_right),
            "True “no”": _share(one.negatives_right),
        }
        for one in rounds[::-1].itertuples(index=False, name="Round")
    ]
    return pd.DataFrame(rows or [{"Round": "No run yet: a round is to label, to train, and to look at what comes."}])


def together_table(share: pd.DataFrame) -> Any:
    """Return the table of classes together, the more often the stronger the colour."""
    table = share.map(lambda value: "·" if np.isnan(value) else f"{100 * value:.0f} %")
    tints = share.map(
        lambda value: "" if np.isnan(value) else f"background-color: rgba(92, 106, 218, {0.55 * value:.2f})"
    )
    table.insert(0, "class", share.index)
    tints.insert(0, "class", "")
    return table.style.apply(lambda _: tints, axis=None)


def _share(part: float, whole: float | None = None) -> str:
    if np.isnan(part) or whole == 0:
        return "–"
    return percent(part) if whole is None else f"{percent(part, whole)} of {whole:,}"


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
