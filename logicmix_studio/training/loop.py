"""One optimiser step, and the epoch made of them."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import psutil
import torch
from torch import Tensor, nn

from logicmix_studio.errors import StudioError
from logicmix_studio.losses import AsymmetricSettings, decoupled_partial_asymmetric_loss
from logicmix_studio.mixing import Normalisation, Output, or_states
from logicmix_studio.training.config import FullSettings
from logicmix_studio.training.device import is_out_of_memory
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.draws import Batch, StepDraw, assemble, draw_step, epoch_steps, make_mixing, step_seed
from logicmix_studio.training.ema import WeightAverage
from logicmix_studio.training.feed import DevicePixels, Feed
from logicmix_studio.training.graphs import Graphs, record
from logicmix_studio.training.precision import Precision
from logicmix_studio.training.schedule import Plan, set_rate
from logicmix_studio.training.settings import LossSettings


@dataclass
class LossMeter:
    """Mean losses by kind since the last reading; kept on the device, so that reading is the only wait."""

    device: torch.device
    sums: Tensor = field(init=False)
    counts: list[int] = field(default_factory=lambda: [0, 0])

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
    pixels: DevicePixels
    cache_rows: Tensor
    """(T,) where each training image stands among the pixels."""
    normalisation: Normalisation | None
    seed: int
    micro_batch: int
    """Images in memory at once."""
    keeps_statistics: bool = False
    """Whether batch norm keeps its running statistics."""
    graphs: Graphs = field(default_factory=dict)
    """Recorded networks for whole steps; without one the model is called."""
    halvings: list[int] = field(default_factory=list)
    """Micro-batches after each time that memory ran out; read and emptied by who tells of it."""
    feed: Feed = field(init=False)
    """Prepares the steps."""

    def __post_init__(self) -> None:
        """Begin nothing yet: the first step that is taken is the first that is prepared."""
        plan = self.plan
        self.feed = Feed(self._draw, self.pixels, self.cache_rows, plan.steps_per_epoch, plan.total_steps)
        self._method = make_mixing(self.settings.mixing)
        self._order: tuple[int, list[Tensor]] = (-1, [])

    def to_training(self) -> None:
        """Bring the network into training mode, all but batch norm whose statistics are kept."""
        self.model.train()
        if self.keeps_statistics:
            for module in self.net.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def train_step(self, states: Tensor, epoch: int, step: int, meter: LossMeter) -> float:
        """Take one optimiser step.

        Args:
            states: (T, C) int8 that the epoch trains on.
            epoch: From 0.
            step: From 0, within the epoch.
            meter: Counts the losses.

        Returns:
            The learning rate.

        Raises:
            StudioError: If one image alone is too much for the memory.
        """
        taken = epoch * self.plan.steps_per_epoch + step
        rate = set_rate(self.optimizer, self.plan, taken)
        while not self._accumulate(states, epoch, step, meter):
            self._halve()
        self._apply_gradients()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(taken + 1)
        return rate

    def _draw(self, epoch: int, step: int) -> tuple[StepDraw, StepDraw]:
        """Return the draw of a step, and this process's part of it."""
        if self._order[0] != epoch:
            self._order = (epoch, epoch_steps(self.seed, epoch, len(self.cache_rows), self.plan.steps_per_epoch))
        whole = draw_step(
            self._order[1][step],
            len(self.cache_rows),
            self.settings.mixing,
            self.settings.augment,
            seed=self.seed,
            epoch=epoch,
            step=step,
        )
        if self.processes.size == 1:
            return whole, whole
        return whole, whole.select(torch.arange(self.processes.rank, len(whole), self.processes.size))

    def _accumulate(self, states: Tensor, epoch: int, step: int, meter: LossMeter) -> bool:
        """Add up the gradients of a step; return False, with none, where memory ran out."""
        torch.manual_seed(step_seed(self.seed, epoch, step))
        losses: list[tuple[Tensor, Tensor]] = []
        try:
            prepared = self.feed.take(epoch, step)
            divisor = self._divisor(prepared.whole, states)
            count = _num_parts(len(prepared.whole), self.processes.size, self.micro_batch)
            output = Output(normalisation=self.normalisation)
            for number, (draw, uses) in enumerate(prepared.draw.parts(count)):
                batch = assemble(draw, prepared.pixels[uses], states[draw.rows], self._method, output)
                with self._without_sync() if number < count - 1 else nullcontext():
                    model = self.graphs.get(len(batch.images), self.model) if count == 1 else self.model
                    losses.append((self._backward(model, batch, divisor), batch.mixed))
        except RuntimeError as error:
            if not is_out_of_memory(error) or self.processes.size > 1:
                raise
            self.optimizer.zero_grad(set_to_none=True)
            return False
        for per_image, mixed in losses:
            meter.add(per_image, mixed)
        return True

    def _backward(self, model: nn.Module, batch: Batch, divisor: float) -> Tensor:
        with self.precision.autocast():
            logits = model(batch.images)
        states = batch.states.to(logits.device, non_blocking=True)
        if batch.targets is None:
            cells = cell_losses(logits, states, batch.mixed, self.settings.loss)
        else:
            cells = soft_losses(logits, batch.targets.to(logits.device), batch.mixed, self.settings.loss)
        # The processes' gradients are averaged, so each one counts as many times as there are processes.
        loss = cells.sum() * (self.processes.size / divisor)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return cells.detach().sum(1)

    def _apply_gradients(self) -> None:
        """Let the optimiser step; its first step is the one that takes memory."""
        try:
            self.scaler.step(self.optimizer)
        except RuntimeError as error:
            if not is_out_of_memory(error) or self.device.type != "cuda":
                raise
            torch.cuda.empty_cache()
            self.scaler.step(self.optimizer)
        self.scaler.update()

    def _divisor(self, draw: StepDraw, states: Tensor) -> float:
        """Return what the summed loss of a step is divided by: the same however the step is cut up."""
        if self.settings.loss.reduction == "sum":
            return self.settings.loss.divisor
        blends = or_states(states[draw.rows], draw.params.sources)
        return float(max(1, int(blends.count_nonzero())))

    def _without_sync(self) -> Any:
        no_sync = getattr(self.model, "no_sync", None)
        return no_sync() if no_sync is not None else nullcontext()

    def record(self) -> None:
        """Record the network for the steps of a run, on one GPU; call it before the first step.

        Raises:
            RuntimeError: If it can't be recorded.
        """
        largest = -(-len(self.cache_rows) // self.plan.steps_per_epoch)
        if self.device.type != "cuda" or self.processes.size > 1 or largest > self.micro_batch:
            return
        sizes = {len(self.cache_rows) // self.plan.steps_per_epoch, largest}
        side = self.settings.backbone.image_size
        self.to_training()
        self.graphs = record(self.net, sizes, side, self.precision, self.device)

    def _halve(self) -> None:
        if self.micro_batch == 1:
            raise StudioError(
                f"there is not enough memory on {self.device} for a single image",
                "Choose a smaller image size or a smaller backbone.",
            )
        self.micro_batch //= 2
        self.graphs = {}
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


def soft_losses(logits: Tensor, targets: Tensor, mixed: Tensor, settings: LossSettings) -> Tensor:
    """Return the loss of each cell where labels are averaged, (B, C): those of both signs, weighed by the label.

    Args:
        logits: (B, C).
        targets: (B, C) in [0, 1]; nan where nothing is known.
        mixed: (B,) bool, True for blends.
        settings: Both triples.
    """
    known, share = (~targets.isnan()).to(torch.int8), targets.nan_to_num()
    positive, negative = (cell_losses(logits, states, mixed, settings) for states in (known, -known))
    return share * positive + (1 - share) * negative


def memory_mb(device: torch.device) -> int:
    """Return the memory in use: most so far on a GPU, now on a CPU."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    return int(psutil.Process().memory_info().rss / 2**20)


def _num_parts(num_anchors: int, num_processes: int, micro_batch: int) -> int:
    """Return into how many micro-batches a step is cut: the same in every process, and none of them empty."""
    largest, smallest = -(-num_anchors // num_processes), num_anchors // num_processes
    return int(np.clip(-(-largest // micro_batch), 1, max(1, smallest)))
