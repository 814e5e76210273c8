"""Train, on the right: the runs as a table, and the chosen one as it learns."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import gradio as gr
import pandas as pd

from logicmix_studio.app.components import custom, safe
from logicmix_studio.app.page import ACTION, QUICK, TICK, Page, owners_only
from logicmix_studio.app.theme import STATE_COLOURS
from logicmix_studio.runs import RunInfo
from logicmix_studio.runs.curves import CHARTS
from logicmix_studio.runs.info import STATUS_WORDS
from logicmix_studio.studio import Studio

SECONDS = 2.0
"""How often a run at work is looked at."""
ACCENT = "#6b78e0"
LINE_COLOURS = {
    "blends": STATE_COLOURS["pseudo-label"],
    "mAP": STATE_COLOURS["positive"],
    "positive": STATE_COLOURS["positive"],
    "negative": STATE_COLOURS["negative"],
}
"""Of the lines that are not in the accent's colour."""


def run_view(page: Page, chosen: gr.Number, known: gr.JSON) -> None:
    """Lay out the chosen run (0 for the one at work or the latest), then wire it; see :func:`train_tab`."""
    studio = page.studio
    seen, active = gr.State({}), gr.State([])
    head = custom("run_head", {})
    with gr.Row():
        small: dict[str, Any] = {"size": "sm", "visible": False, "scale": 0, "min_width": 130}
        pause, cancel, resume = (gr.Button(name, **small) for name in ("Pause", "Cancel", "Resume"))
        use, delete = gr.Button("Use its scores", **small), gr.Button("Delete …", **small)
    with gr.Column(visible=False) as sure:
        loss = gr.Markdown()
        with gr.Row():
            really, keep = gr.Button("Delete it", size="sm", variant="stop"), gr.Button("Keep it", size="sm")
    with gr.Row(elem_classes="lm-charts"):
        plots = {chart: line_plot(chart) for chart in CHARTS}
    with gr.Row():
        precision = gr.Dataframe(label="Average precision by class", visible=False, interactive=False, max_height=330)
        settings = gr.Dataframe(
            label="Seed, and settings that differ from the recipe", visible=False, interactive=False
        )
    with gr.Accordion("Name and note", open=False, visible=False) as about:
        name, star = gr.Textbox(label="Name", max_length=80), gr.Checkbox(label="★ star")
        note = gr.Textbox(label="Note", lines=3, max_length=2000)
        save = gr.Button("Save", size="sm")
    with gr.Accordion("Log", open=False, visible=False) as log_box:
        fixed = {"lines": 14, "max_lines": 14, "autoscroll": True}
        log = gr.Textbox(show_label=False, interactive=False, elem_classes="lm-log", **fixed)

    def look(run: float | None, before: dict[str, Any]) -> dict[Any, Any]:
        infos = studio.jobs.list()
        shown = next((info for info in infos if info.run == run), None)
        shown = shown or next((info for info in reversed(infos) if info.is_active), infos[-1] if infos else None)
        current, _ = studio.registry.choice()
        every = [[info.run, info.status, info.name, info.star, info.run == current] for info in infos]
        changes: dict[Any, Any] = {} if before.get("every") == every else {known: every}
        if shown is None:
            hidden = dict.fromkeys(rest, gr.update(visible="hidden"))
            return {**changes, head: {}, seen: {"every": every}, **hidden}
        curves = studio.runs.curves(shown.run)
        now = {
            "every": every,
            "run": [shown.run, shown.status, current],
            "words": [shown.run, shown.name, shown.note, shown.star],
            "line": [shown.standing, shown.fraction, len(shown.warnings)],
            "offset": curves.offset,
        }
        is_other = now["run"] != before.get("run")
        if any(now[part] != before.get(part) for part in ("run", "words", "line")):
            changes[head] = head_value(studio, shown)
        if now["words"] != before.get("words"):  # else somebody may just be writing
            changes |= {name: shown.name, note: shown.note, star: shown.star}
        if is_other or now["offset"] != before.get("offset"):
            for chart, plot in plots.items():
                changes[plot] = drawn(curves.frame(chart), curves.axis(chart), LINE_COLOURS)
            changes[log] = studio.runs.log(shown.run)
        if is_other:
            changes |= details(shown, is_current=shown.run == current)
        if shown.run != run:
            changes[chosen] = shown.run
        return {**changes, seen: now}

    def details(info: RunInfo, *, is_current: bool) -> dict[Any, Any]:
        measured, different = studio.runs.precision(info.run), studio.runs.settings(info.run)
        title = "Average precision by class" + (f", {info.figure.place} cells" if info.figure else "")
        can_use = info.status == "finished" and not is_current
        parts = {pause: info.is_active, cancel: info.is_active, resume: info.is_resumable, use: can_use}
        parts |= {delete: not info.is_active, sure: False, about: True, log_box: True}
        return {
            **{part: gr.update(visible=is_visible) for part, is_visible in parts.items()},
            precision: gr.update(value=with_bars(measured), visible=not measured.empty, label=title),
            settings: gr.update(value=different, visible=True),
            log: studio.runs.log(info.run),
        }

    def annotate(run: float, new_name: str, new_note: str, has_star: bool) -> None:
        studio.jobs.annotate(int(run), name=new_name.strip(), note=new_note.strip(), star=has_star)

    @owners_only
    def remove(run: float) -> int:
        freed = studio.runs.delete(int(run))
        gr.Info(f"Run {int(run)} is deleted: {freed / 1e6:,.1f} MB are free again.")
        return 0

    def doing(action: str) -> Callable[[int], None]:
        def act(run: int) -> None:
            operator.attrgetter(action)(studio)(run)

        return owners_only(act)

    def ask(run: float) -> tuple[str, Any]:
        return studio.runs.deletion(int(run)).words, gr.update(visible=True)

    def announce(every: list[tuple[int, str, str, bool, bool]], told: list[int]) -> list[int]:
        ended = [run for run, status, *_ in every if run in told and status not in ("queued", "running")]
        for run in ended:
            gr.Info(end_words(studio, studio.jobs.info(run)))
        return [run for run, status, *_ in every if status in ("queued", "running")]

    rest = [pause, cancel, resume, use, delete, sure, precision, settings, about, log_box, *plots.values()]
    outputs = [seen, known, chosen, head, name, note, star, log, *rest]
    shows = {"fn": look, "inputs": [chosen, seen], "outputs": outputs, **QUICK}
    gr.on([page.shown["train"].select, chosen.change], **shows)
    page.timer("train", SECONDS).tick(**{**shows, **TICK})
    known.change(announce, [known, active], active, **ACTION)
    actions = {pause: "jobs.pause", cancel: "jobs.cancel", resume: "jobs.resume", use: "registry.choose"}
    for button, action in actions.items():
        button.click(doing(action), chosen, None, **ACTION).then(**shows)
    save.click(annotate, [chosen, name, note, star], None, **ACTION).then(**shows)
    delete.click(ask, chosen, [loss, sure], **ACTION)
    keep.click(lambda: gr.update(visible=False), None, sure, **QUICK)
    really.click(remove, chosen, chosen, **ACTION).then(**shows)


def line_plot(chart: str) -> gr.LinePlot:
    """Return a chart without a line yet, titled ``chart``."""
    titles = dict.fromkeys(("x_title", "y_title", "color_title"), " ")
    size = {"height": 230, "min_width": 300}
    return gr.LinePlot(x="x", y="y", color="line", title=chart, show_label=False, visible="hidden", **titles, **size)


def drawn(frame: pd.DataFrame, axis: str, colours: dict[str, str]) -> Any:
    """Return a chart's update to the lines of a table ``x, y, line``; without a point it is hidden.

    Colours are those of lines by name; the others have the accent's.
    """
    colour_map = {line: colours.get(line, ACCENT) for line in frame["line"].unique()}
    return gr.update(value=frame, x_title=axis, color_map=colour_map, visible="hidden" if frame.empty else True)


def with_bars(table: pd.DataFrame) -> Any:
    """Return average precisions as bars."""
    bars = table.style.bar(subset=["average precision"], vmin=0, vmax=1, color="#5c6ada66", height=70)
    return bars.format({"average precision": "{:.3f}"}, na_rep="too few known cells")


def end_words(studio: Studio, info: RunInfo) -> str:
    """Return what is said when a run has ended: what it changed, how good it is, and which run's scores are shown now."""
    words = [f"Run {info.run}: {STATUS_WORDS[info.status]}", studio.runs.change_line(info), info.measured]
    if info.status == "finished":
        current, why = studio.registry.choice()
        words.append(f"The pseudo-labels come from run {current}: {why}")
    return ". ".join(filter(None, words))


def head_value(studio: Studio, info: RunInfo) -> dict[str, Any]:
    """Return what stands above the curves of a run."""
    change = studio.runs.change_line(info)
    start = f"from run {int(info.init_from)}" if info.init_from and info.init_from.isdigit() else "fresh start"
    tags = [f"run {info.run}", STATUS_WORDS[info.status], info.recipe_title, start]
    return {
        "title": safe(("★ " if info.star else "") + info.title),
        "tags": tags[not info.name :],
        "line": safe(change or info.standing),
        "tone": "bad" if info.status in ("failed", "died", "broken") else "",
        "running": info.status == "running",
        "percent": round(100 * info.fraction),
        "note": safe(info.note),
        "warnings": [safe(text) for text in info.warnings],
        "facts": [{"number": number, "words": words} for number, words in studio.runs.facts(info.run)],
    }
