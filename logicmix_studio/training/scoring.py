"""Logits and features of plain images, in one pass."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from logicmix_studio.images.cache import PixelCache
from logicmix_studio.mixing import Normalisation
from logicmix_studio.training.backbone import MultiLabelNet, prepare_images
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
    cache: PixelCache,
    rows: NDArray[np.int64],
    *,
    device: torch.device,
    precision: Precision,
    normalisation: Normalisation | None,
    batch_size: int,
    has_features: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Scored:
    """Score images without augmentation and without mixing.

    Args:
        net: In evaluation mode, on its device.
        cache: Pixels of all images.
        rows: (n,) which images.
        device: Where to compute.
        precision: Working type.
        normalisation: The backbone's.
        batch_size: Images at once.
        has_features: Whether pooled features are wanted too.
        progress: Called with (done, total); may raise to stop.
    """
    logits: list[Tensor] = []
    features: list[Tensor] = []
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(cache.rows, batches[0]) if batches else None
        for number in range(len(batches)):
            assert ahead is not None
            pixels = ahead.result()
            if number + 1 < len(batches):
                ahead = reader.submit(cache.rows, batches[number + 1])
            with precision.autocast():
                pooled = net.features(prepare_images(pixels.to(device), normalisation))
                logits.append(net.head(pooled).float())
            if has_features:
                features.append(pooled.half())
            if progress is not None:
                progress(min((number + 1) * batch_size, len(rows)), len(rows))
    features_or_none = torch.cat(features) if features else torch.zeros(len(rows), 0, dtype=torch.float16)
    joined = torch.cat(logits) if logits else torch.zeros(0, net.head.out_features)
    return Scored(joined.cpu().numpy(), features_or_none.cpu().numpy())
