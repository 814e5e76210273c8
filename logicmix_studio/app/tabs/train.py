"""Train: start a run, watch it learn, compare it with others, and see what the next one would learn from."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.api import offer
from logicmix_studio.app.page import EACH, QUICK, Page, event
from logicmix_studio.app.tabs.train_compare import compare_view, preview_view
from logicmix_studio.app.tabs.train_run import run_view
from logicmix_studio.app.tabs.train_start import ACTION, start_panel

METHODS = {
    "recipes": "runs.recipes",
    "expected_time": "runs.forecast",
    "train": "runs.start",
    "runs": "jobs.list",
    "run": "runs.report",
    "pause": "jobs.pause",
    "cancel": "jobs.cancel",
    "resume": "jobs.resume",
    "choose_run": "registry.choose",
    "rename_run": "jobs.annotate",
    "what_delete_takes": "runs.deletion",
    "delete_run": "runs.delete",
    "compare_runs": "runs.compare",
    "readiness": "runs.readiness",
    "training_preview": "runs.preview",
}
"""What a program can do here: name of the endpoint → the studio's service and its method."""


def train_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    studio = page.studio
    chosen = gr.Number(0, precision=0, visible="hidden", label="run")
    known = gr.JSON([], visible="hidden")  # changes with every run that comes, ends or is renamed
    with gr.Row():
        with gr.Column(scale=2, min_width=330):
            start_panel(page, chosen, known)
        with gr.Column(scale=5, min_width=560):
            why = gr.Markdown()
            free = gr.Button("Let the studio choose", size="sm", visible=False)
            widths = [f"{width}px" for width in (60, 130, 110, 100, 75, 80, 120, 280)]
            table = gr.Dataframe(label="Runs", interactive=False, max_height=240, wrap=True, column_widths=widths)
            with gr.Tabs(selected="run") as views:
                with gr.Tab("This run", id="run"):
                    run_view(page, chosen, known)
                with gr.Tab("Two runs", id="compare") as comparing:
                    with gr.Row():
                        pair = [gr.Dropdown(label=name) for name in ("First run", "Second run")]
                    choices = compare_view(page, comparing, pair, known)
                with gr.Tab("What the next run would learn from", id="preview") as ahead:
                    preview_view(page, ahead)
    offer(studio, methods=METHODS, concurrency_limit=None)

    def look() -> list[Any]:
        current, reason = studio.registry.choice()
        words = "" if current is None else f"◐ The pseudo-labels come from run {current}: {reason}."
        rows = studio.runs.table()
        is_chosen = studio.settings.get("chosen_run") == current is not None
        return [words, gr.update(visible=is_chosen), gr.update(value=rows, visible=not rows.empty)]

    def arrive(target: dict[str, Any]) -> list[Any]:
        if target.get("tab") != "train":
            return [gr.skip()] * 4
        asked = [int(run) for run in str(target.get("compare", "")).split(",") if run.isdigit()]
        both = choices(*asked) if len(asked) == 2 else [gr.skip(), gr.skip()]
        view = target.get("view", "compare" if len(asked) == 2 else "run")
        run = str(target.get("run", ""))
        return [gr.Tabs(selected=view), int(run) if run.isdigit() else gr.skip(), *both]

    def pick(picked: gr.SelectData) -> tuple[Any, int]:
        return gr.Tabs(selected="run"), int(picked.row_value[0])

    looks = {"fn": event(look), "inputs": None, "outputs": [why, free, table], **QUICK}
    gr.on([known.change, page.shown["train"].select], **looks)
    table.select(pick, None, [views, chosen], **EACH)
    free.click(event(lambda: studio.registry.choose(None)), None, None, **ACTION).then(**looks)
    page.target.change(event(arrive), page.target, [views, chosen, *pair], **QUICK)
    chosen.change(None, chosen, None, js="(run) => lm.address('train', {run})", api_visibility="private")
