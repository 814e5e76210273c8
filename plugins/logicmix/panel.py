"""The panel: cells of each class by state, the run in progress or the last one, and the blend of what is selected."""

from __future__ import annotations

from typing import Any, Final

import fiftyone.operators as foo
import numpy as np
from fiftyone.operators import types

from logicmix_studio.labels import STATE_NAMES, kleene_or
from logicmix_studio.runs import Jobs
from logicmix_studio.store.fiftyone.documents import CONFLICTS, KNOWN, PSEUDO
from logicmix_studio.store.fiftyone.sync_state import VIEW_PREFIX

from .targets import belongs, classes_of, workspace_of

LOOK_MS: Final = 5000
COLUMNS: Final = (*KNOWN.values(), *PSEUDO.values(), CONFLICTS)
FOREIGN: Final = "This data set does not belong to LogicMix Studio."


class LogicMixPanel(foo.Panel):
    """States, runs and the blend of the selected images; it refreshes by itself."""

    @property
    def config(self) -> foo.PanelConfig:
        """Return the panel's name and label."""
        return foo.PanelConfig(name="logicmix_panel", label="LogicMix", icon="rule", allow_multiple=False)

    def on_load(self, ctx: Any) -> None:
        """Count, and look at the runs."""
        is_ours = belongs(ctx.dataset)
        ctx.panel.state.states = _states(ctx.dataset) if is_ours else FOREIGN
        ctx.panel.state.runs = _runs(ctx.dataset) if is_ours else ""
        self.on_change_selected(ctx)

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
        panel = types.Object()
        for name in ("states", "runs", "blend"):
            panel.md(ctx.panel.get_state(name, "…"), name=f"{name}_text")
        panel.btn("to_review", label="Show what is to review", on_click=self.to_review)
        panel.view("clock", types.TimerView(interval=LOOK_MS, on_interval=self.on_load))
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


def _runs(dataset: Any) -> str:
    infos = Jobs(workspace_of(dataset).runs).list()
    if not infos:
        return "No run yet."
    lines = ["| run | recipe | status | mAP |", "|---|---|---|---|"]
    for info in infos[-10:]:
        status = f"{100 * info.fraction:.0f} %: {info.message}" if info.is_active else info.status
        lines.append(f"| {info.run} | {info.recipe} | {status} | {'' if info.map is None else f'{info.map:.3f}'} |")
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
