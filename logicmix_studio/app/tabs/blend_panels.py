"""What else can be seen of a blend (other methods, augmentation, scores, a thousand blends), and all of it by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import gradio as gr
import pandas as pd

from logicmix_studio.app.api import offer
from logicmix_studio.app.page import QUICK, Page
from logicmix_studio.app.theme import STATE_COLOURS
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import DEFAULT_SEED
from logicmix_studio.training.settings import MixingSettings

SHOWN: Final = 100
"""Classes of a table of methods."""
FRAME: Final[dict[str, Any]] = {"interactive": False, "show_label": False}
TILES: Final[dict[str, Any]] = {"height": "auto", "show_label": False, "allow_preview": False, "buttons": []}
KNOWN, AMONG = "known, %", "positive of the known, %"
BARS: Final = ["photographs", "blends drawn", "blends exact", "samples drawn", "samples exact"]
NO_BLEND: Final = "No blend yet: draw one, or choose images."
TRUTH_NOTE: Final = (
    "The complete labels are known here: **✗ marks a wrong negative**, which tells the network that what it sees is "
    "not there. The classes in which the methods differ most come first."
)
NO_TRUTH_NOTE: Final = (
    "Only LogicMix calls a class negative because every source was checked; where the complete labels are known (demo, "
    "trials), wrong negatives are marked. The classes in which the methods differ most come first."
)


def blend_panels(page: Page, inputs: list[Any]) -> Callable[[Any], Any]:
    """Lay out the tabs beside the truth table, then wire them.

    Inputs are states (made outside these tabs, where they would count as tabs) of the panel that is looked at, the blend
    and the seed of its augmentation; seed, fewest and most sources, probability, and whether pseudo-labels are filled in.
    """
    tabs: dict[str, gr.Tab] = {}
    panel, _, augment_seed, _, least, most, probability, _ = inputs
    with gr.Tab("Other methods", id="methods") as tabs["methods"]:
        methods_note = gr.Markdown()
        pictures = gr.Gallery(columns=6, format="jpeg", **TILES)
        methods = gr.Dataframe(max_height=560, **FRAME)
    with gr.Tab("As the network sees it", id="network") as tabs["network"]:
        network_note = gr.Markdown()
        again = gr.Button("Augment anew", size="sm")
        views = gr.Gallery(columns=4, format="jpeg", **TILES)
    with gr.Tab("Model scores", id="scores") as tabs["scores"]:
        scores_note = gr.Markdown()
        scores = gr.Dataframe(max_height=620, **FRAME)
    with gr.Tab("1,000 blends", id="statistics") as tabs["statistics"]:
        balance = gr.BarPlot(x="samples", y="cells, %", color="state", color_map=STATE_COLOURS, height=240, sort=BARS)
        statistics_note = gr.Markdown()
        with gr.Row():
            known = gr.LinePlot(x="sources", y=KNOWN, height=200)
            among = gr.LinePlot(x="sources", y=AMONG, height=200)
        classes = gr.Dataframe(max_height=420, **FRAME)

    def show_methods(made: Any, filled: bool, _: int) -> dict[Any, Any]:
        results, order = page.studio.blends.methods(made, with_pseudo=filled)
        table = {"class": [page.studio.class_names[column] for column in order[:SHOWN]]}
        table |= {one.name: [one.cell(column) for column in order[:SHOWN]] for one in results}
        note = NO_TRUTH_NOTE if results[0].wrong is None else TRUTH_NOTE
        tiles = [(one.picture, f"{one.name}\n{one.words}\n{one.summary}") for one in results]
        return {methods_note: note, pictures: tiles, methods: pd.DataFrame(table).style.map(_wrong)}

    def show_network(made: Any, _: bool, augmented: int) -> dict[Any, Any]:
        service = page.studio.blends
        chosen, side = service.settings.augment, service.settings.backbone.image_size
        note = (
            f"Each source is augmented by itself before mixing: mirrored with probability {chosen.flip_probability:g}, "
            f"then {chosen.num_operations} RandAugment operations of strength {chosen.magnitude}, at {side} × {side} "
            "pixels. Nothing is done after mixing."
        )
        tiles: list[Any] = []
        for place, (before, after, words) in enumerate(service.network_view(made, augmented)):
            name = f"image {place}" if place else "blend"
            tiles += [(before, f"{name}, before"), (after, f"{name}, after: {words}")]
        return {network_note: note, views: tiles}

    def show_scores(made: Any, _: bool, __: int) -> dict[Any, Any]:
        found = page.studio.blends.scores(made.image_ids)
        note = (
            f"Run {found.run}'s model, {'' if found.is_calibrated else 'not '}calibrated. A blend is no photograph: "
            "the network learns from it, but is never asked about one."
        )
        return {scores_note: note, scores: found.table}

    def show_statistics(seed: int, least: int, most: int, probability: float, filled: bool) -> dict[Any, Any]:
        mixing = _mixing(least, most, probability)
        found = page.studio.blends.statistics(int(seed or 0), mixing, with_pseudo=filled)
        curve = found.curve.rename(columns={"known": KNOWN, "positive_of_known": AMONG})
        plots = {balance: found.balance, known: curve, among: curve}
        return {statistics_note: found.words, classes: found.classes, **plots}

    notes = {"methods": methods_note, "network": network_note, "scores": scores_note, "statistics": statistics_note}
    shows = {"methods": show_methods, "network": show_network, "scores": show_scores}
    outputs = [*notes.values(), pictures, methods, views, scores, balance, known, among, classes]

    def fill(name: str, made: Any, augmented: int, *values: Any) -> dict[Any, Any]:
        try:
            if name == "statistics":
                return show_statistics(*values)
            if name == "truth" or made is None:
                return dict.fromkeys(notes.values(), NO_BLEND)
            return shows[name](made, values[-1], augmented)
        except StudioError as error:
            return {notes[name]: f"**{error.what}.** {error.hint}"}

    def opened(name: str) -> Callable[..., dict[Any, Any]]:
        return lambda _, *values: {panel: name, **fill(name, *values)}

    def augmented_anew(name: str, made: Any, augmented: int, *values: Any) -> dict[Any, Any]:
        return {augment_seed: augmented + 1, **fill(name, made, augmented + 1, *values)}

    for name, tab in tabs.items():
        tab.select(opened(name), inputs, [panel, *outputs], **QUICK)
    again.click(augmented_anew, inputs, [augment_seed, *outputs], **QUICK)
    gr.on([least.input, most.input, probability.release], fill, inputs, outputs, **QUICK)
    return lambda event: event.then(fill, inputs, outputs, **QUICK)


def blend_api(studio: Studio) -> None:
    """Offer the tab's functions to programs."""

    def facts(made: Any, with_pseudo_labels: bool) -> dict[str, Any]:
        rows = studio.blends.truth_table(made.image_ids, with_pseudo=with_pseudo_labels)
        labels = [dataclasses.asdict(row) for row in rows]
        return {"seed": made.seed, "sample": made.sample, "image_ids": made.image_ids, "labels": labels}

    def draw_blend(
        seed: int = DEFAULT_SEED,
        sample: int = 1,
        min_sources: int = 2,
        max_sources: int = 3,
        probability: float = 0.5,
        blends_only: bool = True,
        with_pseudo_labels: bool = False,
    ) -> dict[str, Any]:
        """Draw a training sample as a run of this seed would, from this sample on: its label of each class, and why."""
        mixing = _mixing(min_sources, max_sources, probability)
        return facts(studio.blends.draw(seed, sample, mixing, blends_only=blends_only), with_pseudo_labels)

    def make_blend(image_ids: list[str], with_pseudo_labels: bool = False) -> dict[str, Any]:
        """Blend 1 to 16 chosen images: the label of each class, and why."""
        return facts(studio.blends.make(image_ids), with_pseudo_labels)

    def blend_methods(image_ids: list[str], seed: int = DEFAULT_SEED) -> dict[str, dict[str, float | None]]:
        """Tell what LogicMix and other methods make of the labels of some images; null is unknown."""
        results, _ = studio.blends.methods(studio.blends.make(image_ids, seed))
        return {one.name: pd.Series(one.values, studio.class_names, float).round(4).to_dict() for one in results}

    def blend_scores(image_ids: list[str]) -> dict[str, list[Any]]:
        """Score the blend of some images, and each of them, with the current run's model: a list for each column."""
        return dict(studio.blends.scores(image_ids).table.round(4).to_dict("list"))

    def blend_statistics(
        seed: int = DEFAULT_SEED,
        min_sources: int = 2,
        max_sources: int = 3,
        probability: float = 0.5,
        with_pseudo_labels: bool = False,
    ) -> dict[str, dict[str, float]]:
        """Tell what is known in 1,000 training samples, as shares of all cells, drawn and by formula."""
        mixing = _mixing(min_sources, max_sources, probability)
        return dict(studio.blends.statistics(seed, mixing, with_pseudo=with_pseudo_labels).shares.T.to_dict())

    offer(studio, draw_blend, make_blend, blend_methods, blend_scores, blend_statistics, concurrency_limit=None)


def _mixing(least: int, most: int, probability: float) -> MixingSettings:
    return MixingSettings(min_sources=int(least), max_sources=int(most), probability=probability)


def _wrong(text: str) -> str:
    return "background-color: rgb(179 38 30 / 15%)" if "✗" in text else ""
