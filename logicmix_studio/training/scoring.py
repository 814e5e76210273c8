"""Logits and features of plain images, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from logicmix_studio.mixing import Normalisation
from logicmix_studio.training.backbone import MultiLabelNet, prepare_images
from logicmix_studio.training.device import in_parts
from logicmix_studio.training.feed import DevicePixels
from logicmix_studio.training.precision import Precision


@dataclass(frozen=True)
class Scored:
    """What one pass over some images gives."""

    logits: NDArray[np.float32]
    """(n, C)."""
    features: NDArray[np.float16]
    """(n, D), or (n, 0) where they were not asked for."""


@torch.inference_mode()
def score_images(
    net: MultiLabelNet,
    pixels: DevicePixels,
    rows: NDArray[np.int64],
    *,
    precision: Precision,
    normalisation: Normalisation | None,
    batch_size: int,
    has_features: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Scored:
    """Score images without augmentation and without mixing. The head computes in float32.

    Args:
        net: In evaluation mode, on the pixels' device.
        pixels: Of all images.
        rows: (n,) which images.
        precision: Working type of the backbone.
        normalisation: The backbone's.
        batch_size: Images at once; fewer where memory runs out.
        has_features: Whether pooled features are wanted too.
        progress: Called with (done, total); may raise to stop.
    """
    logits: list[Tensor] = []
    features: list[Tensor] = []

    def score(some: Tensor) -> None:
        with precision.autocast():
            pooled = net.features(prepare_images(some, normalisation))
        logits.append(net.head(pooled.float()))
        if has_features:
            features.append(pooled.half())

    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(pixels.rows, batches[0]) if batches else None
        for number in range(len(batches)):
            assert ahead is not None
            read = ahead.result()
            if number + 1 < len(batches):
                ahead = reader.submit(pixels.rows, batches[number + 1])
            in_parts(score, read)
            if progress is not None:
                progress(min((number + 1) * batch_size, len(rows)), len(rows))
    features_or_none = torch.cat(features) if features else torch.zeros(len(rows), 0, dtype=torch.float16)
    joined = torch.cat(logits) if logits else torch.zeros(0, net.head.out_features)
    return Scored(joined.cpu().numpy(), features_or_none.cpu().numpy())
