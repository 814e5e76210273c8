"""One optimiser step, and the epoch made of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from logicmix_studio.errors import StudioError
from logicmix_studio.images.cache import PixelCache
from logicmix_studio.losses import AsymmetricSettings, decoupled_partial_asymmetric_loss
from logicmix_studio.mixing import Normalisation, Output, or_states
from logicmix_studio.training.config import FullSettings
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.draws import (
    Batch,
    StepDraw,
    assemble,
    draw_step,
    make_mixing,
    read_pixels,
    step_seed,
)
from logicmix_studio.training.ema import WeightAverage
from logicmix_studio.training.precision import Precision
from logicmix_studio.training.schedule import Plan, set_rate
from logicmix_studio.training.settings import LossSettings


@dataclass
class LossMeter:
    """Mean losses by kind since the last reading; kept on the device, so that reading is the only wait."""

    device: torch.device
    sums: Tensor = field(init=False)
    counts: list[int] = field(default_factory=lambda: [0, 0])
    wait_s: float = 0.0
    """Seconds that the device waited for pixels."""

    def __post_init__(self) -> None:
        """Start at zero."""
        self.sums = torch.zeros(2, device=self.device)

    def add(self, per_image: Tensor, mixed: Tensor) -> None:
        """Count the losses of a batch.

        Args:
            per_image: (B,) losses.
            mixed: (B,) bool on the CPU.
        """
        # Weighted rather than picked by a mask, for which a GPU would have to be waited for.
        is_mixed = mixed.to(per_image.device, per_image.dtype, non_blocking=True)
        of_mixed = per_image @ is_mixed
        self.sums += torch.stack([per_image.sum() - of_mixed, of_mixed]).detach()
        num_mixed = int(mixed.sum())
        self.counts[0] += len(mixed) - num_mixed
        self.counts[1] += num_mixed

    @property
    def images(self) -> int:
        """Images counted."""
        return sum(self.counts)

    def means(self) -> tuple[float | None, float | None]:
        """Return the mean loss of a photograph and of a blend; nothing where there was none."""
        original, mixed = self.sums.tolist()
        return (
            original / self.counts[0] if self.counts[0] else None,
            mixed / self.counts[1] if self.counts[1] else None,
        )


@dataclass
class Engine:
    """The parts of a full run that a step needs."""

    settings: FullSettings
    plan: Plan
    model: nn.Module
    """What is called; may wrap the network."""
    net: nn.Module
    """The network itself."""
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    scaler: torch.amp.GradScaler
    precision: Precision
    device: torch.device
    processes: ProcessGroup
    cache: PixelCache
    cache_rows: Tensor
    """(T,) where each training image stands in the cache."""
    normalisation: Normalisation | None
    seed: int
    micro_batch: int
    """Images in memory at once."""
    halvings: list[int] = field(default_factory=list)
    """Micro-batches after each time that memory ran out; read and emptied by who tells of it."""

    def train_step(self, anchors: Tensor, states: Tensor, epoch: int, step: int, meter: LossMeter) -> float:
        """Take one optimiser step.

        Args:
            anchors: (A,) training images of the step, of all processes together.
            states: (T, C) int8 that the epoch trains on.
            epoch: From 0.
            step: From 0, within the epoch.
            meter: Counts the losses.

        Returns:
            The learning rate.

        Raises:
            StudioError: If one image alone is too much for the memory.
        """
        draw = draw_step(
            anchors,
            len(self.cache_rows),
            self.settings.mixing,
            self.settings.augment,
            seed=self.seed,
            epoch=epoch,
            step=step,
        )
        divisor = self._divisor(draw, states)
        taken = epoch * self.plan.steps_per_epoch + step
        rate = set_rate(self.optimizer, self.plan, taken)
        mine = draw.select(torch.arange(self.processes.rank, len(draw), self.processes.size))
        while not self._accumulate(mine, len(draw), states, divisor, step_seed(self.seed, epoch, step), meter):
            self._halve()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.net, taken + 1)
        return rate

    def _accumulate(
        self, draw: StepDraw, num_anchors: int, states: Tensor, divisor: float, seed: int, meter: LossMeter
    ) -> bool:
        """Add up the gradients of a step; return False, with none, where memory ran out."""
        torch.manual_seed(seed)
        parts = _num_parts(num_anchors, self.processes.size, self.micro_batch)
        losses: list[tuple[Tensor, Tensor]] = []
        try:
            for number, batch in enumerate(self._batches(draw, parts, states, meter)):
                with self._without_sync() if number < parts - 1 else nullcontext():
                    losses.append((self._backward(batch, divisor), batch.mixed))
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or self.processes.size > 1:
                raise
            self.optimizer.zero_grad(set_to_none=True)
            return False
        for per_image, mixed in losses:
            meter.add(per_image, mixed)
        return True

    def _backward(self, batch: Batch, divisor: float) -> Tensor:
        with self.precision.autocast():
            logits = self.model(batch.images)
        states = batch.states.to(logits.device, non_blocking=True)
        cells = cell_losses(logits, states, batch.mixed, self.settings.loss)
        # The processes' gradients are averaged, so each one counts as many times as there are processes.
        loss = cells.sum() * (self.processes.size / divisor)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return cells.detach().sum(1)

    def _batches(self, draw: StepDraw, parts: int, states: Tensor, meter: LossMeter) -> Iterator[Batch]:
        """Yield the micro-batches of a step; on a GPU the next one is read while this one is computed."""
        draws = [draw.select(anchors) for anchors in torch.tensor_split(torch.arange(len(draw)), parts)]
        method, output = make_mixing(self.settings.mixing), Output(normalisation=self.normalisation)
        with ThreadPoolExecutor(1) as reader:
            ahead: Future[Tensor] = reader.submit(self._read, draws[0])
            for number, part in enumerate(draws):
                began = time.perf_counter()
                pixels = ahead.result()
                meter.wait_s += time.perf_counter() - began
                if number + 1 < len(draws):
                    ahead = reader.submit(self._read, draws[number + 1])
                pixels = pixels.to(self.device, non_blocking=True)
                yield assemble(part, pixels, states[part.rows], method, output)

    def _read(self, draw: StepDraw) -> Tensor:
        pixels = read_pixels(self.cache, draw, self.cache_rows)
        return pixels.pin_memory() if self.device.type == "cuda" else pixels

    def _divisor(self, draw: StepDraw, states: Tensor) -> float:
        """Return what the summed loss of a step is divided by: the same however the step is cut up."""
        optimizer = self.settings.optimizer
        if self.settings.loss.reduction == "sum":
            return optimizer.batch_size / optimizer.micro_batch
        blends = or_states(states[draw.rows], draw.params.sources)
        return float(max(1, int(blends.count_nonzero())))

    def _without_sync(self) -> Any:
        no_sync = getattr(self.model, "no_sync", None)
        return no_sync() if no_sync is not None else nullcontext()

    def _halve(self) -> None:
        if self.micro_batch == 1:
            raise StudioError(
                f"there is not enough memory on {self.device} for a single image",
                "Choose a smaller image size or a smaller backbone.",
            )
        self.micro_batch //= 2
        self.halvings.append(self.micro_batch)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def cell_losses(logits: Tensor, states: Tensor, mixed: Tensor, settings: LossSettings) -> Tensor:
    """Return the decoupled loss of each cell, (B, C) float32.

    Args:
        logits: (B, C).
        states: (B, C) int8.
        mixed: (B,) bool, True for blends.
        settings: Both triples.
    """
    return decoupled_partial_asymmetric_loss(
        logits,
        states,
        mixed,
        AsymmetricSettings(settings.original_gamma_positive, settings.original_gamma_negative, settings.original_shift),
        AsymmetricSettings(settings.mixed_gamma_positive, settings.mixed_gamma_negative, settings.mixed_shift),
        reduction="none",
    )


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def memory_mb(device: torch.device) -> int:
    """Return the memory in use: most so far on a GPU, now on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    return int(psutil.Process().memory_info().rss / 2**20)


def _num_parts(num_anchors: int, num_processes: int, micro_batch: int) -> int:
    """Return into how many micro-batches a step is cut: the same in every process, and none of them empty."""
    largest, smallest = -(-num_anchors // num_processes), num_anchors // num_processes
    return int(np.clip(-(-largest // micro_batch), 1, max(1, smallest)))
