"""What a run's model says of a blend and of its sources."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.blend_methods import even_blend
from logicmix_studio.files import read_json
from logicmix_studio.mixing import LogicMix, Output
from logicmix_studio.training.backbone import MultiLabelNet, create_net, load_into, normalisation_of, prepare_images
from logicmix_studio.training.calibrate import apply_calibration
from logicmix_studio.training.run_folder import RunFolder

ReadPixels = Callable[[Sequence[int], int, str], Tensor]
"""Takes rows, size and resize rule; returns (K, 3, size, size) uint8."""


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
    """Score a blend and each of its sources with the model of a run.

    Args:
        run: The run's number.
        folder: The run's folder.
        labels: ``class`` and ``label`` of the blend, today's classes in their order.
        rows: Rows of the sources.
        read: Reads their pixels.

    Raises:
        StudioError: If the run left no model, or an image or the run's files can't be read.
    """
    if not folder.model_file.is_file():
        raise StudioError(f"run {run} left no model", "its scores are here, but not its weights: train again")
    net, class_names = _model(folder.path)
    backbone, calibration = folder.config().settings.backbone, read_json(folder.calibration_file)
    pixels, normalisation = read(rows, backbone.image_size, backbone.resize), normalisation_of(backbone)
    nothing, output = torch.zeros(len(rows), 1, dtype=torch.int8), Output(normalisation=normalisation)
    blend = LogicMix().transform(pixels, nothing, even_blend(len(rows)), output).images
    with torch.inference_mode():
        raw = torch.sigmoid(net(torch.cat([blend, prepare_images(pixels, normalisation)]))).numpy()
    names = ["blend", *(f"image {place}" for place in range(1, len(rows) + 1))]
    scores = pd.DataFrame(apply_calibration(raw, calibration).T, class_names, names).astype(float).round(4)
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
