"""Train: two runs side by side, what the next run would learn from, and the benchmark of the data set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import pandas as pd

from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.media import thumb_url
from logicmix_studio.app.page import QUICK, Page
from logicmix_studio.app.tabs.train_run import ACCENT, drawn, line_plot
from logicmix_studio.app.theme import STATE_COLOURS
from logicmix_studio.runs.compare import Disagreement
from logicmix_studio.runs.curves import CHARTS
from logicmix_studio.studio import Studio

COMPARED = list(CHARTS)[:3]
BETTER, WORSE = "background-color: #17998b40", "background-color: #e5a42c40"
LINES = ("", " photographs", " positive", " blends", " negative")
EARLIER, LATER = ["#8595ae"] * 3 + ["#c2a15c"] * 2, [ACCENT] * 3 + [STATE_COLOURS["pseudo-label"]] * 2
"""Colours of the lines of the first run and of the second."""
CHANGES = {"new": "New", "withdrawn": "Withdrawn", "flipped": "Flipped"}


def compare_view(page: Page, tab: gr.Tab, pair: list[gr.Dropdown], known: gr.JSON) -> Callable[..., list[Any]]:
    """Lay out the comparison of a pair of runs, then wire it; return what fills their choice."""
    studio = page.studio
    words = gr.Markdown("Two different runs are needed.")
    with gr.Row():
        plots = {chart: line_plot(chart) for chart in COMPARED}
    with gr.Row():
        precision = gr.Dataframe(label="Average precision by class", interactive=False, max_height=360)
        settings = gr.Dataframe(label="What differs", interactive=False, max_height=360, wrap=True)
    pseudo = gr.Dataframe(label="Pseudo-labels at today's labels", interactive=False, max_height=300)
    examples = custom("differences", {})

    def choices(one: int | None, other: int | None) -> list[Any]:
        infos = studio.jobs.list()
        names = [(f"{info.run} · {info.title}", info.run) for info in infos]
        runs = [info.run for info in infos]
        chosen = [one, other] if one in runs and other in runs else [*runs[-2:], None, None]
        return [gr.update(choices=names, value=value) for value in chosen[:2]]

    def compare(one: int | None, other: int | None) -> dict[Any, Any]:
        if one is None or other is None:
            return {words: gr.skip()}  # the second of the two is on its way
        if one == other:
            hidden = dict.fromkeys(tables, gr.update(visible="hidden"))
            return {words: "Two different runs are needed.", **hidden, examples: {}}
        found = studio.runs.compare(one, other)
        titles = {"first": f"run {one}", "second": f"run {other}"}
        only = {f"only_{name}": f"only {title}" for name, title in titles.items()}
        named = None if found.pseudo_labels is None else found.pseudo_labels.rename(columns=only)
        tones = [(one, EARLIER), (other, LATER)]
        colours = {f"run {run}{line}": tone for run, each in tones for line, tone in zip(LINES, each, strict=True)}
        label = "Average precision by class" + "".join(f", shared {one.place} cells" for one in found.matches[:1])
        shown = {chart: studio.runs.overlay(one, other, chart) for chart in COMPARED}
        return {
            words: found.words,
            **{plots[chart]: drawn(frame, axis, colours) for chart, (frame, axis) in shown.items()},
            precision: gr.update(value=_coloured(found.precision.rename(columns=titles)), visible=True, label=label),
            settings: gr.update(value=found.settings.rename(columns=titles), visible=not found.settings.empty),
            pseudo: gr.update(value=named, visible=named is not None),
            examples: {"cells": [_example(studio, cell) for cell in found.examples]},
        }

    tables = [*plots.values(), precision, settings, pseudo]
    gr.on([known.change, tab.select], choices, pair, pair, **QUICK)
    # In turn: an answer about the pair before must not come after that about the pair that is chosen.
    in_turn = {**QUICK, "queue": True, "concurrency_id": "compare"}
    gr.on([tab.select, *(one.change for one in pair)], compare, pair, [words, *tables, examples], **in_turn)
    return choices


def preview_view(page: Page, tab: gr.Tab) -> None:
    """Lay out what the next run would learn from, then wire it."""
    studio = page.studio
    words = gr.HTML()
    with gr.Row():
        buttons = {name: gr.Button(visible=False, size="sm") for name in CHANGES}
    table = gr.Dataframe(show_label=False, interactive=False, max_height=520)

    def look() -> list[Any]:
        found = studio.runs.preview()
        counts, runs = found.changes or {}, f"run {found.run} against run {found.previous_run}"
        shown = [
            gr.update(value=f"{title}: {counts.get(name, 0):,}, {runs}", visible=name in counts)
            for name, title in CHANGES.items()
        ]
        return [safe(found.words), *shown, found.table]

    tab.select(look, None, [words, *buttons.values(), table], **QUICK)
    for name, button in buttons.items():
        button.click(lambda name=name: page.go("review", scope=name), None, page.way, **QUICK)


def benchmark_view(page: Page, tab: gr.Tab) -> None:
    """Lay out the finished benchmark of the data set, then wire it."""
    studio = page.studio
    words = gr.HTML()
    table = gr.Dataframe(show_label=False, interactive=False, wrap=True, max_height=520, visible=False)

    def look() -> list[Any]:
        found = studio.runs.benchmark()
        if found is None:
            command = studio.workspace.command("benchmark run")
            said = f"No benchmark of this data set is finished. Where all labels are known, this compares methods: {command}"
            return [safe(said), gr.update(visible=False)]
        said = f"Methods trained on the same labels, measured on split test; made {found.made[:10]}, {found.about}."
        return [safe(said), gr.update(value=found.table, visible=True)]

    tab.select(look, None, [words, table], **QUICK)


def _example(studio: Studio, cell: Disagreement) -> dict[str, str]:
    return {
        "tone": "opposite" if cell.is_opposite else "",
        "href": f"/?tab=browse&image={cell.image_id}",
        "path": safe(cell.file),
        "url": thumb_url(studio, cell.image_id, 128),
        "class_name": safe(cell.class_name),
        "scores": f"{cell.scores[0]:.2f} → {cell.scores[1]:.2f}",
    }


def _coloured(table: pd.DataFrame) -> Any:
    """Return average precisions with gains and losses told by sign and colour."""
    style = table.style.map(lambda gap: BETTER if gap > 0 else WORSE if gap < 0 else "", subset=["difference"])
    return style.format({**dict.fromkeys(table.columns[1:3], "{:.3f}"), "difference": "{:+.3f}"}, na_rep="–")
