"""The methods that are shown beside LogicMix. Imports torch: ask for it late."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from logicmix_studio.explore.blend_labels import SourceLabels
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, kleene_or
from logicmix_studio.mixing import (
    CutMix,
    LogicMix,
    MixingMethod,
    MixParams,
    MixResult,
    Mixup,
    MixUpPME,
    OrMixup,
)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A method beside LogicMix, with its name and words for the screen."""

    title: str
    words: str
    make: Callable[[], MixingMethod]
    assumes_negative: bool = False
    """Whether unknown is taken as negative before the method sees it."""
    is_pair: bool = True
    """Whether it mixes only the first two sources."""


COMPARISONS: Final = {
    "logicmix": Comparison(
        "LogicMix", "Mean of all; OR in three values.", lambda: LogicMix(1.0), is_pair=False
    ),
    "assume-negative": Comparison(
        "Assume negative",
        "The same picture; unknown is taken as negative before the OR.",
        lambda: LogicMix(1.0),
        assumes_negative=True,
        is_pair=False,
    ),
    "or-mixup": Comparison(
        "OR Mixup",
        "Weighted mean of two; OR after taking unknown as negative.",
        lambda: OrMixup(1.0),
        assumes_negative=True,
    ),
    "mixup": Comparison(
        "Mixup", "Weighted mean of two pictures and of their labels, unknown as 0.", lambda: Mixup(1.0)
    ),
    "mixup-pme": Comparison(
        "MixUp-PME", "Leans on image 1; unknown wherever image 1 is unknown.", lambda: MixUpPME(1.0)
    ),
    "cutmix": Comparison(
        "CutMix", "A box of image 2 in image 1; labels by visible area.", lambda: CutMix(1.0)
    ),
}
"""The methods that are shown side by side, in this order."""


def compare_labels(class_names: Sequence[str], labels: SourceLabels, seed: int) -> list[dict[str, Any]]:
    """Return what every method makes of the labels of the same sources.

    A negative is wrong where the complete labels say that the class is in one of the mixed sources.

    Args:
        class_names: C names, in column order.
        labels: What is known about the K sources.
        seed: Where a method draws its own share or box.
    """
    blank = torch.zeros(len(labels.states), 3, 1, 1, dtype=torch.uint8)
    states = torch.from_numpy(labels.states)
    described = []
    for name, method in COMPARISONS.items():
        mixed = mix(method, blank, states, seed)
        truth = None
        if labels.complete is not None:
            truth = kleene_or(labels.complete[:2] if method.is_pair else labels.complete)
        classes = [
            _method_row(class_names[column], mixed, column, truth) for column in range(states.shape[1])
        ]
        about = {"name": name, "title": method.title, "words": method.words}
        described.append({**about, "rows": classes, "counts": _counts(classes)})
    return described


def mix(method: Comparison, pixels: Tensor, states: Tensor, seed: int) -> MixResult:
    """Mix given sources: all of them, or the first two with a share or box that the method draws.

    Args:
        method: How.
        pixels: (K, 3, H, W) uint8.
        states: (K, C) int8 in {-1, 0, 1}.
        seed: Where a share or box is drawn.
    """
    if method.assumes_negative:
        states = torch.where(states == UNKNOWN, NEGATIVE, states)
    mixing, count = method.make(), len(pixels)
    if not method.is_pair or count == 1:
        weights = torch.full((1, count), 1.0 / count)
        params = MixParams(
            torch.arange(count)[None], torch.tensor([count]), torch.tensor([count > 1]), weights
        )
        return LogicMix(1.0).transform(pixels, states, params)
    params = mixing.make_params(torch.tensor([0]), 2, torch.Generator().manual_seed(seed))
    return mixing.transform(pixels, states, dataclasses.replace(params, sources=torch.tensor([[0, 1]])))


def _method_row(name: str, mixed: MixResult, column: int, truth: Any) -> dict[str, Any]:
    state = int(mixed.states[0, column])
    value: float | None = None if state == UNKNOWN else float(state == POSITIVE)
    if mixed.targets is not None:
        soft = float(mixed.targets[0, column])
        value = None if np.isnan(soft) else round(soft, 4)
        state = UNKNOWN if value is None else POSITIVE if value > 0 else NEGATIVE
    is_wrong = truth is not None and state == NEGATIVE and int(truth[column]) == POSITIVE
    return {"class": name, "value": value, "state": state, "wrong": is_wrong}


def _counts(classes: list[dict[str, Any]]) -> dict[str, int]:
    states = [row["state"] for row in classes]
    return {
        "positive": states.count(POSITIVE),
        "negative": states.count(NEGATIVE),
        "unknown": states.count(UNKNOWN),
        "wrong": sum(row["wrong"] for row in classes),
    }
