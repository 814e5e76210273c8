"""What other mixing methods make of the sources of a blend, and what a run's model says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, kleene_or
from logicmix_studio.mixing import CutMix, LogicMix, MixingMethod, MixParams, Mixup, MixUpPME, OrMixup, Output
from logicmix_studio.review.calibration import calibrate, read_calibration
from logicmix_studio.training.backbone import MultiLabelNet, create_net, load_into, normalisation_of, prepare_images
from logicmix_studio.training.run_folder import RunFolder

ReadPixels = Callable[[Sequence[int], int, str], Tensor]
"""Takes rows, size and resize rule; returns (K, 3, size, size) uint8."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A method beside LogicMix."""

    words: str
    make: Callable[[], MixingMethod]
    assumes_negative: bool = False
    """Whether unknown is taken as negative before the method sees it."""
    is_pair: bool = True
    """Whether it mixes only the first two sources."""


COMPARISONS: Final = {
    "LogicMix": Comparison("mean of all; OR in three values", lambda: LogicMix(1.0), is_pair=False),
    "Assume negative": Comparison(
        "the same picture; unknown is taken as negative before the OR",
        lambda: LogicMix(1.0),
        assumes_negative=True,
        is_pair=False,
    ),
    "OR Mixup": Comparison(
        "weighted mean of two; OR after taking unknown as negative", lambda: OrMixup(1.0), assumes_negative=True
    ),
    "Mixup": Comparison("weighted mean of two pictures and of their labels, unknown as 0", lambda: Mixup(1.0)),
    "MixUp-PME": Comparison("leans on image 1; unknown wherever image 1 is unknown", lambda: MixUpPME(1.0)),
    "CutMix": Comparison("a box of image 2 in image 1; labels by visible area", lambda: CutMix(1.0)),
}
"""The methods that are shown side by side, in this order."""


@dataclasses.dataclass(frozen=True)
class MethodResult:
    """What one method makes of the sources, for C classes."""

    name: str
    words: str
    picture: npt.NDArray[np.uint8]
    """(H, W, 3)."""
    values: npt.NDArray[np.float32]
    """(C,) in [0, 1]: the label, soft for methods that average; nan where it is unknown."""
    wrong: npt.NDArray[np.bool_] | None
    """(C,), True where the label says no although the class is in a mixed source; None where the truth is not known."""

    @property
    def summary(self) -> str:
        """How many labels are positive, negative and unknown, and how many negatives are wrong where that is known."""
        positive, negative = int((self.values > 0).sum()), int((self.values == 0).sum())
        words = f"● {positive} ○ {negative} · {len(self.values) - positive - negative}"
        if self.wrong is None:
            return words
        count = int(self.wrong.sum())
        return f"{words}\n{'✗' if count else '✓'} {count or 'no'} wrong negative{'' if count < 2 else 's'}"

    def cell(self, column: int) -> str:
        """Return the label of a class as a table shows it."""
        value = float(self.values[column])
        if 0 < value < 1:
            return f"{value:.2f}" if value >= 0.005 else "< 0.01"
        wrong = self.wrong is not None and self.wrong[column]
        return "· unknown" if np.isnan(value) else "● positive" if value else f"○ negative{' ✗' if wrong else ''}"


def compare_methods(
    pixels: Tensor, states: Tensor, complete: npt.NDArray[np.int8] | None, seed: int
) -> list[MethodResult]:
    """Let every method mix the same sources.

    Args:
        pixels: (K, 3, H, W) uint8.
        states: (K, C) int8 that the trainer works with.
        complete: (K, C) the complete labels of a trial; None where they are not known.
        seed: Where a method draws its own share or box.
    """
    results = []
    for name, method in COMPARISONS.items():
        known = torch.where(states == UNKNOWN, NEGATIVE, states) if method.assumes_negative else states
        mixing, params = method.make(), even_blend(len(pixels))
        if method.is_pair and len(pixels) > 1:
            params = mixing.make_params(torch.tensor([0]), 2, torch.Generator().manual_seed(seed))
            params = dataclasses.replace(params, sources=torch.tensor([[0, 1]]))
        elif method.is_pair:
            mixing = LogicMix()
        mixed = mixing.transform(pixels, known, params)
        hard = mixed.states[0].to(torch.float32)
        label = torch.where(hard == UNKNOWN, torch.nan, (hard + 1) / 2) if mixed.targets is None else mixed.targets[0]
        values, wrong = label.numpy(), None
        if complete is not None:
            truth = kleene_or(complete[:2] if method.is_pair else complete)
            wrong = (values == 0) & (truth == POSITIVE)
        results.append(MethodResult(name, method.words, as_picture(mixed.images[0]), values, wrong))
    return results


def most_telling(results: Sequence[MethodResult]) -> list[int]:
    """Return the columns of the classes, first those in which the methods differ most."""
    values = np.stack([np.nan_to_num(result.values, nan=-1.0) for result in results])
    wrong = np.sum([result.wrong for result in results if result.wrong is not None], axis=0)
    weight = 100 * wrong + 10 * np.ptp(values, axis=0) + (values > 0).sum(axis=0)
    return [int(column) for column in np.argsort(-weight, kind="stable")]


def as_picture(image: Tensor) -> npt.NDArray[np.uint8]:
    """Return an image, (3, H, W) in [0, 1] or uint8, as (H, W, 3) uint8."""
    pixels = image.mul(255).round().clamp(0, 255).to(torch.uint8) if image.is_floating_point() else image
    return np.asarray(pixels.permute(1, 2, 0).contiguous().numpy())


def even_blend(count: int) -> MixParams:
    """Return the parameters of one blend of all of a pool's images, each of the same weight."""
    mixed, weights = torch.tensor([count > 1]), torch.full((1, count), 1.0 / count)
    return MixParams(torch.arange(count)[None], torch.tensor([count]), mixed, weights)


@dataclasses.dataclass(frozen=True)
class BlendScores:
    """What a model says of a blend and of its sources."""

    run: int
    is_calibrated: bool
    table: pd.DataFrame
    """One row a class, the blend's highest score first: ``class``, ``label`` (the state of the blend), and the
    probabilities in [0, 1] of ``blend``, ``image 1``, ...; nan for a class that the run did not know."""


def score_blend(
    run: int, folder: RunFolder, labels: pd.DataFrame, rows: Sequence[int], read: ReadPixels
) -> BlendScores:
    """Score a blend and each of its sources with the model of a run; refuses a run that left none.

    ``labels`` are ``class`` and ``label`` of the blend, today's classes in their order; ``rows`` are its sources.
    """
    if not folder.model_file.is_file():
        raise StudioError(f"run {run} left no model", "its scores are here, but no weights: train a run")
    net, class_names = _model(folder.path)
    backbone, calibration = folder.config().settings.backbone, read_json(folder.calibration_file)
    pixels, normalisation = read(rows, backbone.image_size, backbone.resize), normalisation_of(backbone)
    nothing, output = torch.zeros(len(rows), 1, dtype=torch.int8), Output(normalisation=normalisation)
    blend = LogicMix().transform(pixels, nothing, even_blend(len(rows)), output).images
    with torch.inference_mode():
        logits = net(torch.cat([blend, prepare_images(pixels, normalisation)])).numpy()
    names = ["blend", *(f"image {place}" for place in range(1, len(rows) + 1))]
    scores = pd.DataFrame(calibrate(logits, read_calibration(calibration)).T, class_names, names).astype(float).round(4)
    table = labels.merge(scores, "left", left_on="class", right_index=True)
    return BlendScores(run, bool(calibration), table.sort_values("blend", ascending=False, kind="stable"))


@lru_cache(maxsize=1)
def _model(path: Path) -> tuple[MultiLabelNet, tuple[str, ...]]:
    folder = RunFolder(path)
    config = folder.config()
    # Random weights cost nothing; every one of them is replaced by the run's own.
    settings = dataclasses.replace(config.settings.backbone, weights="random")
    net = create_net(settings, len(config.class_names), config.seed)
    load_into(net, folder.model_file, settings, config.class_names)
    return net.eval(), config.class_names
