"""Which epoch is kept, and when a run has gone on long enough."""

from __future__ import annotations

import dataclasses
import math

from logicmix_studio.training.checkpoint import Position
from logicmix_studio.training.metrics import Metrics
from logicmix_studio.training.settings import SelectionSettings


def judge_epoch(
    position: Position, epoch: int, metrics: Metrics, settings: SelectionSettings, counts_after: int
) -> tuple[Position, bool]:
    """Compare an epoch with the best so far on the held-out cells.

    The mAP decides; where it cannot be measured the log loss does; where nothing is held out the latest
    epoch is kept. Epochs without gain are counted only once the learning rate falls and pseudo-labels are in use: before,
    results fall and rise again.

    Args:
        position: Where the run stands.
        epoch: The epoch, from 1.
        metrics: Its metrics.
        settings: Of the selection.
        counts_after: Epoch after which epochs without gain are counted.

    Returns:
        The position with best and count renewed, and whether this epoch is the best.
    """
    value = -metrics.loss if math.isnan(metrics.map) else metrics.map
    best = position.best_value
    if best is None or math.isnan(value) or value >= best:
        kept = None if math.isnan(value) else value
        return dataclasses.replace(position, best_value=kept, best_epoch=epoch, epochs_without_gain=0), True
    counts = settings.can_stop_before_pseudo or epoch > counts_after
    without_gain = position.epochs_without_gain + int(counts)
    return dataclasses.replace(position, epochs_without_gain=without_gain), False


def is_over(position: Position, settings: SelectionSettings) -> bool:
    """Return whether a run has gone on long enough without getting better."""
    return settings.has_early_stop and position.epochs_without_gain >= settings.patience
