"""What a run's model says of a blend and of its sources. Imports torch: ask for it late."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from logicmix_studio.explore.blends import BlendRoom
from logicmix_studio.mixing import LogicMix, MixParams, Normalisation, Output
from logicmix_studio.studio import Studio
from logicmix_studio.training import apply_calibration, read_calibration
from logicmix_studio.training.backbone import MultiLabelNet, create_net, load_into, normalisation_of
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import RunFolder


@dataclasses.dataclass(frozen=True)
class _Model:
    config: RunConfig
    net: MultiLabelNet
    normalisation: Normalisation | None
    calibration: dict[str, Any] | None


class BlendScores:
    """Scores blends with the model of a run; one model stays in memory.

    Args:
        studio: The opened data set.
        room: Reads the pixels.
    """

    def __init__(self, studio: Studio, room: BlendRoom) -> None:
        self._studio = studio
        self._room = room
        self._guard = threading.Lock()
        self._model: tuple[int, _Model] | None = None

    def scores(self, run: int, rows: Sequence[int]) -> dict[str, Any]:
        """Return the scores of a blend and of its sources.

        Args:
            run: A run that left a model; see `missing_model`.
            rows: Rows of the sources.

        Raises:
            StudioError: If an image or the run's files can't be read.
        """
        folder = RunFolder(self._studio.jobs.folder(run))
        with self._guard:
            model = self._load(run, folder)
            values = self._score(model, rows)
        aligned = _by_class(values, model.config.class_names, self._studio.class_names)
        return {
            "available": True,
            "run": run,
            "is_calibrated": bool(model.calibration),
            "blend": aligned[0],
            "sources": aligned[1:],
        }

    def _load(self, run: int, folder: RunFolder) -> _Model:
        if self._model is not None and self._model[0] == run:
            return self._model[1]
        config = folder.config()
        # Random weights cost nothing; every one of them is replaced by the run's own.
        settings = dataclasses.replace(config.settings.backbone, weights="random")
        net = create_net(settings, len(config.class_names), config.seed)
        load_into(net, folder.model_file, settings, config.class_names)
        net.eval()
        model = _Model(config, net, normalisation_of(settings), read_calibration(folder.calibration_file))
        self._model = (run, model)
        return model

    def _score(self, model: _Model, rows: Sequence[int]) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return (1 + K, C) calibrated scores: the blend first, then its sources."""
        backbone = model.config.settings.backbone
        pixels = self._room.pixels(rows, backbone.image_size, backbone.resize)
        nothing = torch.zeros(len(rows), 1, dtype=torch.int8)
        output = Output(normalisation=model.normalisation)
        images = LogicMix().transform(pixels, nothing, _blend_and_sources(len(rows)), output).images
        with torch.inference_mode():
            raw = torch.sigmoid(model.net(images)).numpy()
        return np.asarray(apply_calibration(raw, model.calibration), dtype=np.float32)


def _blend_and_sources(count: int) -> MixParams:
    """Return parameters for 1 + K rows: the blend of all K sources, then each source by itself."""
    alone = torch.arange(count)[:, None].expand(count, count)
    first = torch.zeros(count, count)
    first[:, 0] = 1.0
    return MixParams(
        sources=torch.cat([torch.arange(count)[None], alone]),
        counts=torch.tensor([count] + [1] * count),
        mixed=torch.tensor([count > 1] + [False] * count),
        weights=torch.cat([torch.full((1, count), 1.0 / count), first]),
    )


def _by_class(values: Any, theirs: Sequence[str], ours: Sequence[str]) -> list[list[float | None]]:
    """Return scores in the order of today's classes; None for a class that the run did not know."""
    place = {name: column for column, name in enumerate(theirs)}
    columns = [place.get(name) for name in ours]
    return [
        [None if column is None else round(float(row[column]), 4) for column in columns] for row in values
    ]
