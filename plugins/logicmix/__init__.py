"""FiftyOne operators and panel of LogicMix Studio: forms and forwarding only."""

from __future__ import annotations

import base64
import io
import urllib.parse
from collections.abc import Iterable
from typing import Any, Final

import fiftyone.operators as foo
from fiftyone.operators import types
from PIL import Image

from logicmix_studio.labels import STATE_NAMES
from logicmix_studio.runs import Jobs
from logicmix_studio.store import Decision, server_of
from logicmix_studio.store.fiftyone.documents import KNOWN
from logicmix_studio.store.fiftyone.sync_state import VIEW_PREFIX
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import RECIPES

from .brain import index_run
from .client import connect
from .panel import LogicMixPanel
from .targets import ALL_CLASSES, SIGNS, answers, belongs, classes_of, sentence, settings, workspace_of

MOST_IN_ADDRESS: Final = 400
"""Images that an address can name: a server takes 16 kB of it."""


class _Operator(foo.Operator):
    """What shows its result as a message."""

    title = ("", "", "")
    """Its name, its label and, where it has a button above the grid, that button's icon."""
    is_dynamic = False

    @property
    def config(self) -> foo.OperatorConfig:
        """Return the operator's name and label."""
        name, label, icon = self.title
        return foo.OperatorConfig(name=name, label=f"LogicMix: {label}", dynamic=self.is_dynamic, icon=icon or "rule")

    def resolve_placement(self, ctx: Any) -> types.Placement | None:
        """Put a button above the images of a data set of the studio's."""
        _, label, icon = self.title
        if not icon or not belongs(ctx.dataset):
            return None
        button = types.Button(label=label[0].upper() + label[1:], icon=icon, prompt=True)
        return types.Placement(types.Places.SAMPLES_GRID_SECONDARY_ACTIONS, button)

    def resolve_input(self, ctx: Any) -> types.Property:
        """Return the form."""
        inputs = types.Object()
        if belongs(ctx.dataset):
            self.fill(ctx, inputs)
        else:
            _refuse(inputs, "This data set does not belong to LogicMix Studio")
        return types.Property(inputs, view=types.View(label=self.config.label))

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Put what is asked into the form."""

    def resolve_output(self, ctx: Any) -> types.Property:
        """Return how the result is shown."""
        outputs = types.Object()
        outputs.str("message", label="Result", view=types.MarkdownView())
        return types.Property(outputs)


class _Deciding(_Operator):
    """Writes decisions on what is chosen: all, the view, selected images or selected labels."""

    is_dynamic = True
    verb = ""
    takes_labels = False

    def decisions(self, ctx: Any) -> tuple[list[Decision], int | None]:
        """Return what the form means, and the run that is answered."""
        raise NotImplementedError

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for the target; say what will be written."""
        inputs.view_target(ctx, action_description=self.verb, allow_selected_labels=self.takes_labels)
        self.ask(ctx, inputs)
        decisions = self.decisions(ctx)[0]
        if decisions:
            inputs.view("words", types.Notice(label=sentence(decisions)))
            inputs.int("expected", default=len(decisions), view=types.HiddenView())
        else:
            _refuse(inputs, sentence(decisions))

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """Put what else is asked into the form."""

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward what the form says, unless it is another number of cells by now than the form said."""
        decisions, run = self.decisions(ctx)
        if not decisions:
            return {"message": sentence(decisions), "cells": 0, "skipped": 0}
        with connect(workspace_of(ctx.dataset)) as client:
            cells, skipped = client.decide(decisions, run, ctx.params.get("expected"))
        settled = f" {skipped} had been settled meanwhile." if skipped else ""
        message = f"{sentence(decisions, 'Wrote')}{settled}"
        _show_change(ctx, message)
        return {"message": message, "cells": cells, "skipped": skipped}


class _AnswerPseudoLabels(_Deciding):
    """Accept or reject pseudo-labels, of one class or all."""

    takes_labels = True

    def decisions(self, ctx: Any) -> tuple[list[Decision], int | None]:
        """Return an answer to each pseudo-label that is meant."""
        return answers(ctx, self.verb.lower())

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for sign, class and confidence."""
        signs = types.RadioGroup(orientation="horizontal")
        for name in SIGNS:
            signs.add_choice(name, label=name)
        inputs.enum("sign", signs.values(), default="positive", label="Proposed as", view=signs)
        _choose_class(inputs, (ALL_CLASSES, *classes_of(ctx.dataset)), default=ALL_CLASSES)
        inputs.float("min_confidence", default=0.0, min=0.0, max=1.0, label="From this confidence on")


class AcceptPseudoLabels(_AnswerPseudoLabels):
    """Make pseudo-labels known as they are."""

    title, verb = ("accept_pseudo_labels", "accept pseudo-labels", "check"), "Accept"


class RejectPseudoLabels(_AnswerPseudoLabels):
    """Make the opposite of pseudo-labels known."""

    title, verb = ("reject_pseudo_labels", "reject pseudo-labels", "close"), "Reject"


class SetState(_Deciding):
    """Set what is known of a class in the chosen images."""

    title, verb = ("set_state", "set state", "edit"), "Set"

    def decisions(self, ctx: Any) -> tuple[list[Decision], int | None]:
        """Return a decision for each chosen image."""
        return settings(ctx), None

    def ask(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for class and state."""
        _choose_class(inputs, classes_of(ctx.dataset))
        states = types.RadioGroup(orientation="horizontal")
        for name in STATE_NAMES.values():
            states.add_choice(name, label=name)
        inputs.enum("state", states.values(), required=True, label="State", view=states)


class Undo(_Operator):
    """Undo this person's last action."""

    title = ("undo", "undo my last decision", "")

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward."""
        with connect(workspace_of(ctx.dataset)) as client:
            cells = client.undo()
        message = f"Undone: {cells} cells are as they were."
        _show_change(ctx, message)
        return {"message": message, "cells": cells}


class UnknownOfClass(_Operator):
    """Show the images in which a class is unknown."""

    title = ("unknown_of_class", "unknown of class …", "")

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for the class."""
        _choose_class(inputs, classes_of(ctx.dataset))

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward what the form says."""
        name = ctx.params["class_name"]
        view = ctx.dataset.match({f"{field}.classifications.label": {"$ne": name} for field in KNOWN.values()})
        ctx.ops.set_view(view=view)
        return {"message": f"{name!r} is unknown in {len(view)} images.", "images": len(view)}


class ShowConflicts(_Operator):
    """Show the images in which the run contradicts a known label."""

    title = ("show_conflicts", "conflicts", "")

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward."""
        name = f"{VIEW_PREFIX}conflicts"
        ctx.ops.set_view(name=name)
        count = len(ctx.dataset.load_saved_view(name))
        return {"message": f"The run contradicts known labels in {count} images.", "images": count}


class OpenInStudio(_Operator):
    """Open the studio at the selected images, or at the questions about a class."""

    title = ("open_in_studio", "review in the studio", "open_in_new")
    is_dynamic = True

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for the class unless images are selected."""
        if len(ctx.selected) > MOST_IN_ADDRESS:
            _refuse(inputs, f"Select at most {MOST_IN_ADDRESS} images, or none to choose a class")
        if not ctx.selected:
            _choose_class(inputs, (ALL_CLASSES, *classes_of(ctx.dataset)), default=ALL_CLASSES)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Return the address; one image opens with all its cells, several in a grid of their own."""
        workspace, name = workspace_of(ctx.dataset), ctx.params.get("class_name") or ALL_CLASSES
        server = server_of(workspace)
        if server is None or not server.url:
            return {"message": f"No studio is open. Start it: `{workspace.command('launch')}`", "url": ""}
        chosen = ",".join(ctx.selected)
        if chosen:
            place = f"tab=browse&image{'s' if len(ctx.selected) > 1 else ''}={chosen}"
        else:
            place = f"tab=review&class_name={urllib.parse.quote(name)}" if name != ALL_CLASSES else "tab=review"
        url = f"{server.url}?{place}"
        return {"message": f"[Open the studio]({url})", "url": url}


class DrawBlend(_Operator):
    """Blend the selected images as the trainer does."""

    title = ("draw_blend", "blend the selected", "layers")

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Refuse a form without images."""
        if len(ctx.selected) < 2:
            _refuse(inputs, "Select two to sixteen images first")

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Return picture and labels."""
        with Studio(workspace_of(ctx.dataset), read_only=True) as studio:
            picture = studio.blends.picture(studio.blends.make(ctx.selected))
            rows = studio.blends.truth_table(ctx.selected)
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG")
        labels = {row.class_name: STATE_NAMES[row.state] for row in rows}
        lines = [f"| {row.class_name} | {STATE_NAMES[row.state]} | {row.reason} |" for row in rows]
        return {
            "message": "\n".join(["| class | label of the blend | why |", "|---|---|---|", *lines]),
            "picture": f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}",
            "labels": labels,
        }

    def resolve_output(self, ctx: Any) -> types.Property:
        """Return how the result is shown."""
        outputs = types.Object()
        outputs.str("picture", label="The blend", view=types.ImageView(alt="the blend of the selected images"))
        outputs.str("message", label="Its labels", view=types.MarkdownView())
        return types.Property(outputs)


class Train(_Operator):
    """Start the trainer on today's labels; the panel follows it."""

    title = ("train", "train", "")

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for the recipe."""
        choices = types.RadioGroup()
        for name, recipe in RECIPES.items():
            choices.add_choice(name, label=recipe.title, description=recipe.words)
        inputs.enum("recipe", choices.values(), default="quick", required=True, label="Recipe", view=choices)

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Forward what the form says."""
        with connect(workspace_of(ctx.dataset)) as client:
            run = client.train(ctx.params.get("recipe", "quick"))
        ctx.ops.open_panel("logicmix_panel")
        return {"message": f"Run {run} has started; the LogicMix panel follows it.", "run": run}


class CompareRuns(_Operator):
    """Show how two runs differ."""

    title = ("compare_runs", "compare two runs", "")

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for the runs."""
        runs = [str(info.run) for info in Jobs(workspace_of(ctx.dataset).runs).list()]
        if len(runs) < 2:
            _refuse(inputs, "There are not two runs yet")
        for name, default in zip(("first", "second"), runs[-2:], strict=False):
            inputs.enum(name, runs, default=default, required=True, label=f"{name} run".capitalize())

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Compare."""
        with Studio(workspace_of(ctx.dataset), read_only=True) as studio:
            found = studio.runs.compare(int(ctx.params["first"]), int(ctx.params["second"]))
        columns = found.precision.columns
        rows = [" | ".join(_cell(value) for value in row) for row in found.precision.itertuples(index=False)]
        table = [" | ".join(map(str, columns)), " | ".join("---" for _ in columns), *rows]
        return {"message": "\n".join([found.words, "", *(f"| {line} |" for line in table)])}


class IndexRun(_Operator):
    """Make similarity and visualisation of a run's features."""

    title = ("index_run", "similarity and map of a run", "")

    def fill(self, ctx: Any, inputs: types.Object) -> None:
        """Ask for the run."""
        runs = [str(info.run) for info in Jobs(workspace_of(ctx.dataset).runs).list() if info.status == "finished"]
        if not runs:
            _refuse(inputs, "No run has finished yet")
        inputs.enum("run", runs, default=runs[-1] if runs else None, required=True, label="Run")

    def execute(self, ctx: Any) -> dict[str, Any]:
        """Index."""
        with Studio(workspace_of(ctx.dataset), read_only=True) as studio:
            keys = index_run(ctx.dataset, studio, int(ctx.params["run"]))
        ctx.ops.reload_dataset()  # the App reads the list of brain runs only then
        return {"message": f"Sort by similarity and the Embeddings panel know `{'` and `'.join(keys)}`.", "keys": keys}


def register(plugin: Any) -> None:
    """Register the operators and the panel."""
    deciding = (AcceptPseudoLabels, RejectPseudoLabels, SetState, Undo)
    showing = (UnknownOfClass, ShowConflicts, OpenInStudio, DrawBlend)
    for operator in (*deciding, *showing, Train, CompareRuns, IndexRun, LogicMixPanel):
        plugin.register(operator)


def _show_change(ctx: Any, message: str) -> None:
    """Let the App show what changed; it reads labels again with the data set only, and would drop the filters then."""
    ctx.ops.notify(message, variant="success")  # the form is gone once the App has read them
    if ctx.request_params.get("filters"):
        ctx.ops.set_view(view=ctx.view)  # the filters become stages of the view
    else:
        ctx.ops.reload_dataset()


def _refuse(inputs: types.Object, why: str) -> None:
    prompt = inputs.view("refusal", types.Warning(label=why))
    prompt.invalid = True
    prompt.error_message = why


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _choose_class(inputs: types.Object, names: Iterable[str], **options: Any) -> None:
    choices = types.AutocompleteView()
    for name in names:
        choices.add_choice(name, label=name)
    required = "default" not in options
    inputs.enum("class_name", choices.values(), required=required, label="Class", view=choices, **options)
