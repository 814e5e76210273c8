"""The blend tab for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr
import numpy as np

from logicmix_studio.app.page import Page
from logicmix_studio.app.session import event
from logicmix_studio.training.config import DEFAULT_SEED
from logicmix_studio.training.settings import MixingSettings


def add_blend_api(page: Page) -> None:
    """Offer the functions of the tab by name.

    Args:
        page: What the tabs share.
    """

    def facts(made: Any, with_pseudo_labels: bool) -> dict[str, Any]:
        rows = page.studio.blends.truth_table(made.image_ids, with_pseudo=with_pseudo_labels)
        labels = [dataclasses.asdict(row) for row in rows]
        return {"seed": made.seed, "sample": made.sample, "image_ids": list(made.image_ids), "labels": labels}

    def draw_blend(
        seed: int = DEFAULT_SEED,
        sample: int = 1,
        min_sources: int = 2,
        max_sources: int = 3,
        probability: float = 0.5,
        blends_only: bool = True,
        with_pseudo_labels: bool = False,
    ) -> dict[str, Any]:
        """Draw a training sample as a run of this seed would, from this sample on; its label of each class, and why."""
        mixing = MixingSettings(probability=probability, min_sources=min_sources, max_sources=max_sources)
        made = page.studio.blends.draw(seed, sample, mixing, blends_only=blends_only)
        return facts(made, with_pseudo_labels)

    def make_blend(image_ids: list[str], with_pseudo_labels: bool = False) -> dict[str, Any]:
        """Blend 1 to 16 chosen images; the label of each class, and why."""
        return facts(page.studio.blends.make(image_ids), with_pseudo_labels)

    def blend_methods(image_ids: list[str], seed: int = DEFAULT_SEED) -> list[dict[str, Any]]:
        """Tell what LogicMix and other methods make of the labels of some images; null is unknown."""
        results, _ = page.studio.blends.methods(page.studio.blends.make(image_ids, seed))
        return [
            {"method": one.name, **dict(zip(page.studio.class_names, map(_label, one.values), strict=True))}
            for one in results
        ]

    def blend_scores(image_ids: list[str]) -> list[dict[str, Any]]:
        """Score the blend of some images, and each of them, with the model of the current run; one entry a class."""
        table = page.studio.blends.scores(image_ids).table
        return list(table.astype(object).where(table.notna(), None).to_dict("records"))

    def blend_statistics(
        seed: int = DEFAULT_SEED,
        min_sources: int = 2,
        max_sources: int = 3,
        probability: float = 0.5,
        with_pseudo_labels: bool = False,
    ) -> dict[str, Any]:
        """Tell what is known in 1,000 training samples, as shares of all cells, drawn and by formula."""
        mixing = MixingSettings(probability=probability, min_sources=min_sources, max_sources=max_sources)
        return page.studio.blends.statistics(seed, mixing, with_pseudo=with_pseudo_labels).shares.to_dict(
            "index"
        )

    for function in (draw_blend, make_blend, blend_methods, blend_scores, blend_statistics):
        gr.api(event(function), api_name=function.__name__, concurrency_limit=None)


def _label(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
