"""FiftyOne operators and panel of LogicMix Studio: forms and forwarding only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import fiftyone.operators as foo
from fiftyone.operators import types

from logicmix_studio.store import Decision
from logicmix_studio.training.config import RECIPES

from .client import connect, workspace_of

ALL_CLASSES = "all classes"


class _Operator(foo.Operator):
    """What shows its result as a message."""

    title = ("", "")
    """Its name and its label."""
    is_dynamic = False

    @property
    def config(self) -> foo.OperatorConfig:
        """Return the operator's name and label."""
        name, label = self.title
        return foo.OperatorConfig(name=name, label=f"LogicMix: {label}", dynamic=self.is_dynamic)

    def resolve_output(self, ctx: Any) -> types.Property:
        """Return how the result is shown."""
        outputs = types.Object()
        outputs.str("message", label="Result")
        return types.Property(outputs)


class _AnswerPseudoLabels(_Operator):
    """Accept or reject the pseudo-labels of the selected images, of one class or all."""

    answer = ""
    verb = ""
    sign = 1
    """What an answer makes of a proposed state: itself, or its opposite."""
    is_dynamic = True

    def resolve_placement(self, ctx: Any) -> types.Placement:
        """Put a button above the grid of images."""
        return types.Placement(
            types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
            types.Button(label=f"{self.verb} pseudo-labels", icon="check" if self.sign > 0 else "close"),
        )

    def resolve_input(self, ctx: Any) -> types.Property:
        """Return the form."""
        inputs = types.Object()
        _choose_class(inputs, (ALL_CLASSES, *ctx.dataset.default_classes), default=ALL_CLASSES)
        inputs.float("min_confidence", default=0.0, min=0.0, max=1.0, label="From this confidence on")
        if ctx.selected:
            count = len(_decisions(ctx, self.answer, self.sign)[0])
            inputs.view("count", types.Notice(label=f"{count} pseudo-labels in {len(ctx.selected)} images"))
        else:
            prompt = inputs.view("count", types.Warning(label="Select some images first"))
            prompt.invalid = True
            prompt.error_message = "Select some images first"
        return types.Property(inputs, view=types.View(label=f"{self.verb} pseudo-labels"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward what the form says."""
        decisions, run = _decisions(ctx, self.answer, self.sign)
        if not decisions:
            return {"message": "There was no such pseudo-label in the selected images.", "cells": 0, "skipped": 0}
        with connect(workspace_of(ctx.dataset.info)) as client:
            cells, skipped = client.decide(decisions, run)
        ctx.ops.reload_dataset()
        settled = f", {skipped} had been settled meanwhile" if skipped else ""
        message = f"{cells} pseudo-labels {self.answer}ed{settled}."
        return {"message": message, "cells": cells, "skipped": skipped}


class AcceptPseudoLabels(_AnswerPseudoLabels):
    """Make pseudo-labels known as they are."""

    answer, verb, sign = "accept", "Accept", 1
    title = ("accept_pseudo_labels", "accept pseudo-labels")


class RejectPseudoLabels(_AnswerPseudoLabels):
    """Make the opposite of pseudo-labels known."""

    answer, verb, sign = "reject", "Reject", -1
    title = ("reject_pseudo_labels", "reject pseudo-labels")


class UnknownOfClass(_Operator):
    """Show the images in which a class is unknown."""

    title = ("unknown_of_class", "unknown of class …")

    def resolve_input(self, ctx: Any) -> types.Property:
        """Return the form."""
        inputs = types.Object()
        _choose_class(inputs, ctx.dataset.default_classes)
        return types.Property(inputs, view=types.View(label="Images in which a class is unknown"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward what the form says."""
        name = ctx.params["class_name"]
        view = ctx.dataset.match({"known.classifications.label": {"$ne": name}})
        ctx.ops.set_view(view=view)
        count = len(view)
        return {"message": f"{name!r} is unknown in {count} images.", "images": count}


class Train(_Operator):
    """Start the trainer on today's labels."""

    title = ("train", "train")

    def resolve_input(self, ctx: Any) -> types.Property:
        """Return the form."""
        inputs = types.Object()
        choices = types.RadioGroup()
        for name, recipe in RECIPES.items():
            choices.add_choice(name, label=recipe.title, description=recipe.words)
        inputs.enum("recipe", choices.values(), default="quick", required=True, label="Recipe", view=choices)
        return types.Property(inputs, view=types.View(label="Train on what is known"))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward what the form says."""
        with connect(workspace_of(ctx.dataset.info)) as client:
            run = client.train(ctx.params.get("recipe", "quick"))
        return {"message": f"Run {run} has started; watch it in the studio's Train tab.", "run": run}


class LogicMixStatus(foo.Panel):
    """How much is known, what waits for review, and the run it comes from."""

    @property
    def config(self) -> foo.PanelConfig:
        """Return the operator's name and label."""
        return foo.PanelConfig(name="logicmix_status", label="LogicMix status", icon="rule", allow_multiple=False)

    def on_load(self, ctx: Any) -> None:
        """Count."""
        ctx.panel.state.status = _status_text(ctx.dataset)

    def refresh(self, ctx: Any) -> None:
        """Count again."""
        self.on_load(ctx)

    def to_review(self, ctx: Any) -> None:
        """Show the saved view of that name."""
        ctx.ops.set_view(name="to review")

    def render(self, ctx: Any) -> types.Property:
        """Return the panel."""
        panel = types.Object()
        panel.md(ctx.panel.get_state("status", "…"), name="status_text")
        panel.btn("refresh", label="Refresh", on_click=self.refresh)
        panel.btn("to_review", label="Show what is to review", on_click=self.to_review)
        return types.Property(panel)


def register(plugin: Any) -> None:
    """Register the operators and the panel."""
    for operator in (AcceptPseudoLabels, RejectPseudoLabels, UnknownOfClass, Train, LogicMixStatus):
        plugin.register(operator)


def _decisions(ctx: Any, answer: str, sign: int) -> tuple[list[Decision], int | None]:
    """Return an answer to each open pseudo-label that the form means, and the run they come from."""
    wanted = ctx.params.get("class_name") or ALL_CLASSES
    least = float(ctx.params.get("min_confidence") or 0.0)
    fields = ("label", "state", "confidence", "run")
    paths = ["id", *(f"pseudo.classifications.{name}" for name in fields)]
    rows = zip(*ctx.dataset.select(ctx.selected).values(paths), strict=True) if ctx.selected else ()
    decisions: list[Decision] = []
    run: int | None = None
    for image_id, *entries in rows:
        for name, state, confidence, of_run in zip(*(column or () for column in entries), strict=True):
            if wanted not in (ALL_CLASSES, name) or confidence < least:
                continue
            proposed = 1 if state == "positive" else -1
            score = confidence if proposed > 0 else 1.0 - confidence
            decisions.append(Decision(image_id, name, sign * proposed, answer, round(score, 4)))
            run = of_run
    return decisions, run


def _status_text(dataset: Any) -> str:
    workspace, images = workspace_of(dataset.info), len(dataset)
    cells = images * len(dataset.default_classes)
    known = cells - int(dataset.sum("num_unknown") or 0)
    runs = dataset._sample_collection.database["logicmix_runs"]
    run = runs.find_one({"workspace": dataset.info["logicmix"]["id"], "status": "complete"})
    origin = f"run {run['run']}" if run else "no run yet"
    lines = (
        f"**{known:,} of {cells:,} cells known** in {images:,} images\n",
        f"- pseudo-labels to review: **{dataset.count('pseudo.classifications'):,}** ({origin})",
        f"- conflicts: **{dataset.count('conflicts.classifications'):,}**",
        f"- complete images: **{len(dataset.match({'num_unknown': 0})):,}**",
        f"- workspace: `{workspace.folder}`",
    )
    return "\n".join(lines)


def _choose_class(inputs: types.Object, names: Iterable[str], **options: Any) -> None:
    choices = types.AutocompleteView()
    for name in names:
        choices.add_choice(name, label=name)
    inputs.enum("class_name", choices.values(), required=True, label="Class", view=choices, **options)
