"""How long a full run is, when pseudo-labels begin, and the learning rate of every step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch.optim import Optimizer

from logicmix_studio.training.config import FullSettings

_START_DIVISOR = 25.0
_END_DIVISOR = 1e4
_HIGH_BETA, _LOW_BETA = 0.95, 0.85


@dataclass(frozen=True)
class Plan:
    """The length of a run, in optimiser steps."""

    epochs: int
    """Passes over the training images."""
    steps_per_epoch: int
    """Optimiser steps in a pass."""
    first_pseudo_epoch: int
    """After this epoch, counted from 1, pseudo-labels are made for the first time; 0 for never."""
    schedule_steps: int
    """Steps over which the learning rate is planned."""
    warmup_share: float
    """Share of them in which it rises."""
    peak: float
    """Highest learning rate."""

    @property
    def settled_epoch(self) -> int:
        """After this epoch the learning rate falls and pseudo-labels, if any, are in use."""
        peak = math.ceil(self.warmup_share * self.schedule_steps / self.steps_per_epoch)
        return max(self.first_pseudo_epoch, min(peak, self.epochs))

    @property
    def total_steps(self) -> int:
        """Optimiser steps in the run."""
        return self.epochs * self.steps_per_epoch


def make_plan(settings: FullSettings, num_images: int) -> Plan:
    """Plan a run over some training images.

    A small set gets more epochs, until ``schedule.min_steps`` is reached. The released slip plans the
    learning rate over micro-batches although it is stepped once per optimiser step.

    Args:
        settings: Of the run.
        num_images: Training images, at least 1.
    """
    optimizer, schedule = settings.optimizer, settings.schedule
    steps = math.ceil(num_images / optimizer.batch_size)
    epochs = max(schedule.epochs, math.ceil(schedule.min_steps / steps))
    micro_batches = math.ceil(num_images * settings.loss.divisor / optimizer.batch_size)
    first = max(1, min(epochs, round(epochs * settings.pseudo.start_share)))
    return Plan(
        epochs=epochs,
        steps_per_epoch=steps,
        first_pseudo_epoch=first if settings.pseudo.is_enabled else 0,
        schedule_steps=epochs * (micro_batches if schedule.should_repeat_slip else steps),
        warmup_share=schedule.warmup_share,
        peak=optimizer.learning_rate,
    )


def one_cycle(step: int, total_steps: int, warmup_share: float, peak: float) -> tuple[float, float]:
    """Return learning rate and Adam's first beta of one step of the OneCycle policy.

    "Super-convergence: very fast training of neural networks using large learning rates",
    https://arxiv.org/abs/1708.07120. The values are those of ``torch.optim.lr_scheduler.OneCycleLR``; a
    pure function of the step needs no state to resume, and a rise of a single step divides nothing by zero, as it does there.

    Args:
        step: From 0.
        total_steps: Steps in the cycle.
        warmup_share: Share of them in which the rate rises.
        peak: Highest learning rate.
    """
    start, end = peak / _START_DIVISOR, peak / _START_DIVISOR / _END_DIVISOR
    top, last = warmup_share * total_steps - 1, total_steps - 1
    if step <= top:
        share = step / top if top > 0 else 1.0
        return _between(start, peak, share), _between(_HIGH_BETA, _LOW_BETA, share)
    share = min(1.0, (step - top) / max(last - top, 1e-9))
    return _between(peak, end, share), _between(_LOW_BETA, _HIGH_BETA, share)


def set_rate(optimizer: Optimizer, plan: Plan, step: int) -> float:
    """Set each group to its share of the learning rate of a step, and to its beta; return the rate."""
    rate, beta = one_cycle(step, plan.schedule_steps, plan.warmup_share, plan.peak)
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)
        group["betas"] = (beta, group["betas"][1])
    return rate


def _between(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2.0 * (math.cos(math.pi * share) + 1.0)
