"""Train: start a run, watch it learn, compare it with others, and see what the next one would learn from."""

from __future__ import annotations

from typing import Any

import gradio as gr

from logicmix_studio.app.api import offer
from logicmix_studio.app.guarded import number_of
from logicmix_studio.app.page import ACTION, QUICK, Page, owners_only
from logicmix_studio.app.tabs.train_compare import benchmark_view, compare_view, preview_view
from logicmix_studio.app.tabs.train_run import run_view
from logicmix_studio.errors import StudioError
from logicmix_studio.training.config import DEFAULT_SEED, RECIPES, describe
from logicmix_studio.training.fields import Field
from logicmix_studio.training.settings import GROUP_TITLES

FIRST, WIDEST = "quick", "2wayaug-pl"
"""The recipe that is offered first, and one that has every setting."""
FRESH_START = 0
"""In the place of a run to start from."""
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
    "benchmark": "runs.benchmark",
}
"""What a program can do here: name of the endpoint → the studio's service and its method."""
ADDRESS = """(run, ...pair) => {
  const view = document.querySelector(".lm-runs [role=tab][aria-selected=true]")?.dataset.tabId;
  lm.address("train", { run: run || null, view, compare: view === "compare" && pair.every(Boolean) ? pair.join() : null });
}"""
"""Writes the chosen run and the view into the address."""
OF_OWNERS = ("train", "pause", "cancel", "resume", "choose_run", "delete_run")


def train_tab(page: Page) -> None:
    """Lay out the tab, then wire it."""
    studio = page.studio
    chosen = gr.Number(0, precision=0, visible="hidden", label="run")
    known = gr.JSON([], visible="hidden")  # changes with every run that comes, ends or is renamed
    with gr.Row():
        with gr.Column(scale=2, min_width=330):
            start_panel(page, chosen, known)
        with gr.Column(scale=5, min_width=560):
            with gr.Row():
                why = gr.Markdown()
                free = gr.Button("Let the studio choose", size="sm", visible=False, scale=0, min_width=190)
            widths = [f"{width}px" for width in (44, 88, 80, 84, 66, 172, 62, 94, 136)]
            table = gr.Dataframe(label="Runs", interactive=False, max_height=240, wrap=True, column_widths=widths)
            with gr.Tabs(selected="run", elem_classes="lm-runs") as views:
                with gr.Tab("This run", id="run") as alone:
                    run_view(page, chosen, known)
                with gr.Tab("Two runs", id="compare") as comparing:
                    with gr.Row():
                        pair = [gr.Dropdown(label=name) for name in ("First run", "Second run")]
                    choices = compare_view(page, comparing, pair, known)
                with gr.Tab("What the next run would learn from", id="preview") as ahead:
                    preview_view(page, ahead)
                with gr.Tab("Benchmark", id="benchmark") as measured:
                    benchmark_view(page, measured)
    offer(studio, methods=METHODS, of_owners=OF_OWNERS, concurrency_limit=None)

    def look() -> list[Any]:
        current, reason = studio.registry.choice()
        words = "" if current is None else f"◐ The pseudo-labels come from run {current}: {reason}."
        rows = studio.runs.table()
        is_chosen = studio.settings.get("chosen_run") == current is not None
        return [words, gr.update(visible=is_chosen), gr.update(value=rows, visible=not rows.empty)]

    def arrive(target: dict[str, Any]) -> list[Any]:
        asked = [int(run) for run in str(target.get("compare", "")).split(",") if run.isdigit()]
        both = choices(*asked) if len(asked) == 2 else [gr.skip(), gr.skip()]
        run = str(target.get("run", ""))
        view = target.get("view", "compare" if len(asked) == 2 else "run" if run else "")
        return [gr.Tabs(selected=view) if view else gr.skip(), int(run) if run.isdigit() else gr.skip(), *both]

    def pick(picked: gr.SelectData) -> tuple[Any, int]:
        return gr.Tabs(selected="run"), number_of(picked)

    looks = {"fn": look, "inputs": None, "outputs": [why, free, table], **QUICK}
    gr.on([known.change, page.shown["train"].select], **looks)
    table.select(pick, None, [views, chosen], **QUICK)
    free.click(owners_only(lambda: studio.registry.choose(None)), None, None, **ACTION).then(**looks)
    page.targets["train"].change(arrive, page.targets["train"], [views, chosen, *pair], **QUICK)
    shown = [chosen.change, *(tab.select for tab in (alone, comparing, ahead, measured)), *(one.change for one in pair)]
    gr.on(shown, None, [chosen, *pair], None, js=ADDRESS, **QUICK)


def start_panel(page: Page, chosen: gr.Number, known: gr.JSON) -> None:
    """Lay the panel out, then wire it; the run that was started becomes the chosen one."""
    studio = page.studio
    readiness = gr.Markdown()
    recipe = gr.Radio([(RECIPES[FIRST].title, FIRST)], value=FIRST, label="Recipe", elem_classes="lm-cards")
    init_from = gr.Dropdown([("fresh start", FRESH_START)], value=FRESH_START, label="Start from")
    forecast = gr.Markdown()
    measure = gr.Button("Measure the time", visible=False, size="sm")
    start = gr.Button("Start training", variant="primary")
    groups: dict[str, gr.Accordion] = {}
    controls: dict[str, Any] = {}
    given = gr.JSON({}, visible="hidden")  # what all controls say: collecting it takes the browser long
    with gr.Accordion("Settings", open=False):
        find = gr.Textbox(label="Find a setting", max_lines=1)
        words = "Everything random follows from it; another one shows how much is chance."
        seed = gr.Number(DEFAULT_SEED, label="seed", precision=0, info=words)
        offered = {field.group for field in describe(FIRST)}
        for group, title in GROUP_TITLES.items():
            with gr.Accordion(title, open=False, visible=group in offered) as groups[group]:
                for field in describe(WIDEST):
                    if field.group == group:
                        controls[field.name] = _control(field)
        defaults = gr.Button("All defaults", size="sm")

    def overrides(recipe: str, values: tuple[Any, ...]) -> dict[str, Any]:
        said = dict(zip(controls, values, strict=True))
        names = [field.name for field in describe(recipe)]
        return {name: said[name] for name in names if said.get(name) is not None}

    def look(name: str, init: int, settings: dict[str, Any]) -> list[Any]:
        ready, runs = studio.runs.readiness(), studio.jobs.list()
        active = [info.run for info in runs if info.is_active]
        starts = [
            (info.title, info.run) for info in reversed(runs) if info.status == "finished" and not info.is_imported
        ]
        is_gone = init not in [FRESH_START, *(run for _, run in starts)]
        fresh = {"value": FRESH_START} if is_gone else {}  # only then: somebody may just have chosen another
        times = {one: studio.runs.forecast(one).line for one in RECIPES}
        cards = [(f"{one.title} · {times[key]}\n{one.words}", key) for key, one in RECIPES.items()]
        waiting = f" Run {active[0]} is on its way: one run at a time." if active else ""
        return [
            ready.words + waiting,
            gr.update(choices=cards),
            gr.update(choices=[("fresh start", FRESH_START), *starts], **fresh),
            gr.update(interactive=ready.is_ready and not active),
            *expect(name, FRESH_START if is_gone else init, settings),
        ]

    def ask(name: str, init: int, *values: Any) -> tuple[Any, ...]:
        settings = overrides(name, values)
        return settings, *expect(name, init, settings)

    def expect(name: str, init: int, settings: dict[str, Any], *, measured: bool = False) -> tuple[str, Any]:
        try:
            found = studio.runs.forecast(name, settings, init or None, measure=measured)
        except StudioError as error:
            return f"⚠ {error.what}", gr.update(visible=False)
        line = f"**Takes {found.line}.** {found.words}" if found.time else found.words
        return line, gr.update(visible=found.time is None)

    def measured(name: str, init: int, settings: dict[str, Any]) -> tuple[str, Any]:
        return expect(name, init, settings, measured=True)

    @owners_only
    def begin(name: str, init: int, number: int, *values: Any) -> int:
        run = studio.runs.start(name, overrides(name, values), init or None, seed=number)
        gr.Info(f"Run {run} has started.")
        return run

    def reset(name: str) -> list[Any]:
        fields = {field.name: field for field in describe(name)}
        values = dict.fromkeys(controls, gr.update(visible=False))
        for one, field in fields.items():
            values[one] = gr.update(value=field.default, info=_info(field), visible=True)
        return [DEFAULT_SEED, "", *matching(name, "")[: len(groups)], *values.values()]

    def matching(name: str, query: str) -> list[Any]:
        wanted = query.strip().lower()
        fits = {one.name for one in describe(name) if wanted in f"{one.name} {one.label} {one.help}".lower()}
        found = {one.partition(".")[0] for one in fits}
        shown = [gr.update(visible=group in found, open=bool(wanted) and group in found) for group in groups]
        return [*shown, *(gr.update(visible=one in fits) for one in controls)]

    asked, told = [recipe, init_from, *controls.values()], [given, forecast, measure]
    every = [*groups.values(), *controls.values()]
    looks = {
        "fn": look,
        "inputs": [recipe, init_from, given],
        "outputs": [readiness, recipe, init_from, start, forecast, measure],
        **QUICK,
    }
    gr.on([known.change, page.shown["train"].select], **looks)
    for trigger in (recipe.input, defaults.click):
        trigger(reset, recipe, [seed, find, *every], **QUICK).then(ask, asked, told, **QUICK)
    gr.on([init_from.input, *(one.input for one in controls.values())], ask, asked, told, **QUICK)
    find.change(matching, [recipe, find], every, **QUICK)
    shown = {"show_progress_on": measure, "api_visibility": "private"}
    measure.click(measured, [recipe, init_from, given], [forecast, measure], **shown).then(**looks)
    start.click(begin, [recipe, init_from, seed, *controls.values()], chosen, **ACTION)


def _control(field: Field) -> Any:
    shared: dict[str, Any] = {"label": field.label, "info": _info(field)}
    if field.type == "bool":
        return gr.Checkbox(bool(field.default), **shared)
    if field.choices:
        return gr.Dropdown([str(choice) for choice in field.choices], value=str(field.default), **shared)
    if field.type == "str":
        return gr.Textbox(str(field.default), max_lines=1, **shared)
    return gr.Number(float(field.default), precision=0 if field.type == "int" else None, **shared)


def _info(field: Field) -> str:
    return f"{field.help} ({field.facts})"
