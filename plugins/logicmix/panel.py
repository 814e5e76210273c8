"""The panel: cells of each class by state, the run in progress, the rounds, and the blend of what is selected."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

import fiftyone.operators as foo
import numpy as np
from fiftyone.operators import types

from logicmix_studio.labels import STATE_NAMES, kleene_or
from logicmix_studio.runs import Jobs, RunInfo
from logicmix_studio.store.fiftyone.documents import CONFLICTS, KNOWN, PSEUDO
from logicmix_studio.store.fiftyone.sync_state import VIEW_PREFIX
from logicmix_studio.studio import Studio
from logicmix_studio.training.run_folder import RunFolder, read_events

from .targets import belongs, classes_of, last_change, stored_of, workspace_of

LOOK_MS: Final = 5000
"""Between two looks, and between two counts."""
FOLLOW_MS: Final = 2000
"""Between two looks while a run is in progress. There is one timer: each answer starts all timers of a panel anew."""
MOST_ROUNDS: Final = 10
LAST_BYTES: Final = 1_000_000
"""Of the events of a run in progress: its last epoch stands there."""
COLUMNS: Final = (*KNOWN.values(), *PSEUDO.values(), CONFLICTS)
FOREIGN: Final = "This data set does not belong to LogicMix Studio."


class LogicMixPanel(foo.Panel):
    """States, the run in progress, rounds and the blend of the selected images; it refreshes by itself."""

    @property
    def config(self) -> foo.PanelConfig:
        """Return the panel's name and label."""
        return foo.PanelConfig(name="logicmix_panel", label="LogicMix", icon="rule", allow_multiple=False)

    def on_load(self, ctx: Any) -> None:
        """Show all."""
        ctx.panel.set_state({"seen": None, "due": 0})
        self.look(ctx)
        self.on_change_selected(ctx)

    def look(self, ctx: Any) -> None:
        """Look at the run in progress; count, and work out the rounds, where something has changed since."""
        stored = stored_of(ctx.dataset)
        if stored is None:
            ctx.panel.set_state({"states": FOREIGN, "rounds": "", "running": "", "training": ""})
            return
        infos = Jobs(workspace_of(ctx.dataset).runs).list()
        active = next((info for info in infos if info.is_active), None)
        ctx.panel.state.running = f"{active.title}: {active.standing}" if active else ""
        ctx.panel.state.training = _training(active) if active else ""
        if active:
            ctx.panel.set_data("progress", active.fraction)
        seen = [stored["applied_seq"], last_change(ctx.dataset), [[info.run, info.status] for info in infos]]
        if seen != ctx.panel.get_state("seen") and time.time() >= ctx.panel.get_state("due", 0):
            due = time.time() + LOOK_MS / 1000
            shown = {"states": _states(ctx.dataset), "rounds": _rounds(ctx.dataset, infos)}
            ctx.panel.set_state({**shown, "seen": seen, "due": due})

    def on_change_selected(self, ctx: Any) -> None:
        """Work out the labels of the blend of the selected images."""
        is_any = len(ctx.selected) > 1 and belongs(ctx.dataset)
        ctx.panel.state.blend = _blend(ctx) if is_any else "Select two images or more to see the labels of their blend."

    on_change_dataset = on_load

    def to_review(self, ctx: Any) -> None:
        """Show the images with open pseudo-labels."""
        ctx.ops.set_view(name=f"{VIEW_PREFIX}to review")

    def render(self, ctx: Any) -> types.Property:
        """Return the panel."""
        panel, running = types.Object(), ctx.panel.get_state("running", "")
        if running:
            panel.float("progress", view=types.ProgressView(label=running))
            panel.md(ctx.panel.get_state("training", ""), name="training_text")
        for name in ("states", "rounds", "blend"):
            panel.md(ctx.panel.get_state(name, "…"), name=f"{name}_text")
        panel.btn("to_review", label="Show what is to review", on_click=self.to_review)
        panel.view("clock", types.TimerView(interval=FOLLOW_MS if running else LOOK_MS, on_interval=self.look))
        return types.Property(panel)


def _states(dataset: Any) -> str:
    images, names = len(dataset), classes_of(dataset)
    counts = [dataset.count_values(f"{field}.classifications.label") for field in COLUMNS]
    rows = [[count.get(name, 0) for count in counts] for name in names]
    known = sum(row[0] + row[1] for row in rows)
    lines = [
        f"**{known:,} of {images * len(names):,} cells known** in {images:,} images",
        "",
        "| class | unknown | " + " | ".join(field.replace("_", " ") for field in COLUMNS) + " |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for name, row in zip(names, rows, strict=True):
        lines.append(f"| {name} | {images - row[0] - row[1]:,} | " + " | ".join(f"{n:,}" for n in row) + " |")
    return "\n".join(lines)


def _training(info: RunInfo) -> str:
    """Return what a run in progress has measured of each class, as of the end of its last epoch."""
    events = RunFolder(info.folder).events_file
    begin = max(0, events.stat().st_size - LAST_BYTES) if events.exists() else 0
    last = {str(event.get("event")): event for event in read_events(events, begin)[0]}
    epoch, claimed = last.get("epoch"), last.get("pseudo", {}).get("per_class", {})
    if epoch is None:
        return "Figures of each class follow with the first epoch."
    lines = [
        f"**{info.title} after epoch {epoch['epoch']} of {epoch['epochs']}**",
        "",
        "| class | average precision on held-out cells | pseudo-labels in training: present | absent |",
        "|---|---|---|---|",
    ]
    for name, value in epoch.get("ap", {}).items():
        figure = "–" if value is None else f"{value:.3f}"
        present, absent = (f"{count:,}" for count in claimed.get(name, (0, 0)))
        lines.append(f"| {name} | {figure} | {present} | {absent} |")
    return "\n".join(lines)


def _rounds(dataset: Any, infos: Sequence[RunInfo]) -> str:
    if not infos:
        return "**Rounds.** No run yet."
    with Studio(workspace_of(dataset), read_only=True) as studio:
        rounds = studio.overview.rounds()
    recipes = {info.run: info.recipe_title for info in infos}
    lines = [
        "**Rounds**",
        "",
        "| run | recipe | status | known then | mAP | labelled since |",
        "|---|---|---|---|---|---|",
    ]
    for one in rounds[-MOST_ROUNDS:].itertuples(index=False):
        figure = f"{one.map:.3f}, {one.measured}" if one.map == one.map else one.measured  # nan where it is not known
        begun = f"| {one.run}{' ◐' * one.is_current} | {recipes[one.run]} | {one.status} | {one.known:.1%}"
        lines.append(f"{begun} | {figure} | {one.answers:,} |")
    last = next((info for info in reversed(infos) if info.result.get("ap")), None)
    if last is not None:
        figures = {name: value for name, value in last.result["ap"].items() if value is not None}
        said = [f"{name} {value:.2f}" for name, value in sorted(figures.items(), key=lambda one: one[1])]
        lines += ["", f"Average precision of run {last.run}, the lowest first: {', '.join(said)}"]
    return "\n".join(lines)


def _blend(ctx: Any) -> str:
    names = classes_of(ctx.dataset)
    columns = ctx.dataset.select(ctx.selected, ordered=True).values(
        [f"{field}.classifications.label" for field in KNOWN.values()]
    )
    states = np.zeros((len(ctx.selected), len(names)), dtype=np.int8)
    for state, labels in zip(KNOWN, columns, strict=True):
        for row, found in enumerate(labels):
            states[row] += state * np.isin(names, found or [""]).astype(np.int8)
    head = " | ".join(f"image {place}" for place in range(1, len(states) + 1))
    lines = [
        f"**The blend of {len(states)} images**",
        "",
        f"| class | {head} | blend |",
        "|---" * (len(states) + 2) + "|",
    ]
    for name, sources, result in zip(names, states.T.tolist(), kleene_or(states).tolist(), strict=True):
        said = " | ".join(STATE_NAMES[state] for state in (*sources, result))
        lines.append(f"| {name} | {said} |")
    return "\n".join(lines)
