"""A linear head on fixed features, with heads for cross-fitting trained beside it in the same steps.

The first head learns from every training cell. Where held-out cells are few, further heads each leave out
one part of the training cells; together they give a score to every known cell from a head that never saw
it. The cells of the first part choose the number of epochs, the others calibrate the scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor

from logicmix_studio.losses import partial_asymmetric_loss
from logicmix_studio.training.metrics import Metrics, measure
from logicmix_studio.training.settings import HeadSettings

MAX_STEPS = 2000
"""Optimiser steps at most: a large set gets fewer epochs."""

MIN_STEPS = 300
"""Optimiser steps at least: a small set gets more epochs."""

NUM_CHECKS = 12
"""How often the heads are measured along the way."""

OnCheck = Callable[[int, int, float, Metrics], None]
"""Called with epoch, epochs, mean loss and the first head's metrics on held-out cells; may raise to stop."""


@dataclass(frozen=True)
class HeadData:
    """What a head learns from. N images, D features, C classes, F folds."""

    features: NDArray[np.float16]
    """(N, D)."""
    states: NDArray[np.int8]
    """(N, C) cells to learn from; 0 elsewhere."""
    heldout: NDArray[np.int8]
    """(N, C) cells that no head learns from."""
    choosing: NDArray[np.int8]
    """(N, C) cells to choose the epoch by: some held-out ones or, with folds, some training cells."""
    folds: NDArray[np.int64]
    """(N, C) which fold leaves a training cell out, in [0, F)."""
    num_folds: int
    """F; 0 for none."""


@dataclass(frozen=True)
class HeadFit:
    """A trained head, for the features as they are."""

    weight: Tensor
    """(C, D) float32."""
    bias: Tensor
    """(C,) float32."""
    fair_logits: NDArray[np.float32]
    """(N, C) from heads that did not learn from the cell."""
    best_epoch: int
    """Epoch of the chosen head, from 1."""
    epochs: int
    """Epochs that were run."""


def fit_head(data: HeadData, settings: HeadSettings, seed: int, on_check: OnCheck | None = None) -> HeadFit:
    """Train the heads and choose the best of their checks."""
    features, mean, deviation = _standardize(data.features)
    rows = np.flatnonzero((data.states != 0).any(axis=1))
    groups = _group_states(data)
    epochs, steps = _length(len(rows), settings)
    # Drawn on the CPU and moved, so that a seed gives the same head on every device.
    shape = (groups.shape[1] * groups.shape[2], features.shape[1])
    weight = torch.zeros(shape, requires_grad=True)
    bias = torch.zeros(shape[0], requires_grad=True)
    optimizer = torch.optim.AdamW(
        [{"params": [weight], "weight_decay": settings.weight_decay}, {"params": [bias], "weight_decay": 0.0}],
        lr=settings.learning_rate,
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=max(1, epochs * steps))
    generator = torch.Generator().manual_seed(seed)
    best: tuple[float, int, Tensor, Tensor] | None = None
    for epoch in range(1, epochs + 1):
        losses = []
        order = torch.from_numpy(rows)[torch.randperm(len(rows), generator=generator)]
        for batch in torch.split(order, settings.batch_size):
            logits = torch.nn.functional.linear(features[batch], weight, bias)
            loss = partial_asymmetric_loss(
                logits,
                groups[batch].flatten(1),
                gamma_positive=settings.gamma_positive,
                gamma_negative=settings.gamma_negative,
                shift=settings.shift,
                reduction="mean",
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        if epoch % max(1, epochs // NUM_CHECKS) and epoch != epochs:
            continue
        fair = _fair_logits(features, weight, bias, data)
        metrics = measure(expit(fair), data.choosing)
        value = -metrics.loss if np.isnan(metrics.map) else metrics.map
        if best is None or not value < best[0]:
            best = (value, epoch, weight.detach().clone(), bias.detach().clone())
        if on_check is not None:
            loss_now = float(torch.stack(losses).mean()) if losses else float("nan")
            on_check(epoch, epochs, loss_now, measure(expit(fair), data.heldout))
    assert best is not None
    _, best_epoch, weight, bias = best
    fair = _fair_logits(features, weight, bias, data)
    num_classes = data.states.shape[1]
    folded = weight[:num_classes] / deviation
    return HeadFit(folded, bias[:num_classes] - folded @ mean, fair, best_epoch, epochs)


def _standardize(values: NDArray[np.float16]) -> tuple[Tensor, Tensor, Tensor]:
    """Return features of mean 0 and deviation 1, with the mean and deviation they had."""
    features = torch.from_numpy(np.asarray(values)).float()
    mean = features.mean(0)
    spread = features.std(0, correction=0)
    deviation = spread.clamp_min(1e-3 * float(spread.mean()) + 1e-6)
    return (features - mean) / deviation, mean, deviation


def _group_states(data: HeadData) -> Tensor:
    """Return what each head learns from, (N, 1 + F, C) int8: the first all, the others all but their fold."""
    states = torch.from_numpy(data.states)
    folds = torch.from_numpy(data.folds)
    others = [torch.where(folds == fold, 0, states) for fold in range(data.num_folds)]
    return torch.stack([states, *[group.to(torch.int8) for group in others]], dim=1)


def _length(num_rows: int, settings: HeadSettings) -> tuple[int, int]:
    steps = max(1, -(-num_rows // settings.batch_size))
    wanted = max(settings.epochs, -(-MIN_STEPS // steps))
    return max(1, min(wanted, MAX_STEPS // steps)), steps


@torch.no_grad()
def _fair_logits(features: Tensor, weight: Tensor, bias: Tensor, data: HeadData) -> NDArray[np.float32]:
    num_classes = data.states.shape[1]
    logits = torch.nn.functional.linear(features, weight, bias)
    group = np.where(data.states != 0, data.folds + 1, 0) if data.num_folds else np.zeros_like(data.folds)
    chosen = logits.view(-1, 1 + data.num_folds, num_classes).gather(1, torch.from_numpy(group)[:, None, :])[:, 0]
    return np.asarray(chosen.numpy(), dtype=np.float32)
