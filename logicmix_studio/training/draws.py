"""What is drawn for one optimiser step, and how its parts become batches.

Everything random of a step follows from seed, epoch and step alone: a resumed run, a smaller micro-batch
and several processes all see the same blends.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from logicmix_studio.images.augment import AugmentParams, draw_augmentation
from logicmix_studio.mixing import CutMix, LogicMix, MixingMethod, MixParams, Mixup, MixUpPME, NoMixing, OrMixup, Output
from logicmix_studio.training.settings import AugmentSettings, MixingSettings

_ORDER_STREAM, _STEP_STREAM = 0, 1
_PAIRS: dict[str, Callable[[float], MixingMethod]] = {
    "or-mixup": OrMixup,
    "mixup": Mixup,
    "mixup-pme": MixUpPME,
    "cutmix": CutMix,
}
"""Methods that blend two images, by their probability."""


@dataclass(frozen=True)
class StepDraw:
    """One optimiser step before any pixel is read. T training images, A anchors, U uses of images."""

    rows: Tensor
    """(U,) int64 in [0, T): which image each use reads."""
    params: MixParams
    """Of the A anchors; sources are positions among the uses."""
    augmentation: AugmentParams
    """Of the U uses."""

    def __len__(self) -> int:
        """Return the number of anchors, A."""
        return len(self.params)

    def parts(self, count: int) -> list[tuple[StepDraw, slice]]:
        """Cut into parts of nearly as many anchors each; with each part comes which of the uses it has."""
        if count == 1:
            return [(self, slice(0, len(self.rows)))]
        ends = [0, *self.params.counts.cumsum(0).tolist()]
        split = torch.tensor_split(torch.arange(len(self)), count)
        return [(self.select(some), slice(ends[some[0]], ends[some[-1] + 1])) for some in split]

    def select(self, anchors: Tensor) -> StepDraw:
        """Return the draw of some anchors alone.

        Args:
            anchors: (n,) int64 positions among the anchors.
        """
        counts = self.params.counts[anchors]
        first = (self.params.counts.cumsum(0) - self.params.counts)[anchors]
        uses = torch.cat([torch.arange(int(f), int(f + c)) for f, c in zip(first, counts, strict=True)])
        # A use's position moves to where its anchor now begins.
        moved = (counts.cumsum(0) - counts) - first
        boxes = self.params.boxes
        params = MixParams(
            sources=self.params.sources[anchors] + moved[:, None],
            counts=counts,
            mixed=self.params.mixed[anchors],
            weights=self.params.weights[anchors],
            boxes=None if boxes is None else boxes[anchors],
        )
        drawn = self.augmentation
        augmentation = dataclasses.replace(
            drawn, flips=drawn.flips[uses], operations=drawn.operations[uses], signs=drawn.signs[uses]
        )
        return StepDraw(self.rows[uses], params, augmentation)


@dataclass(frozen=True)
class Batch:
    """What the network and the loss receive."""

    images: Tensor
    """(B, 3, H, W) float32, normalised, channels last."""
    states: Tensor
    """(B, C) int8."""
    mixed: Tensor
    """(B,) bool on the CPU."""
    targets: Tensor | None = None
    """(B, C) float32 in [0, 1], nan for unknown, where labels are averaged; they count instead of the states."""


def make_mixing(settings: MixingSettings) -> MixingMethod:
    """Return the mixing method that the settings name."""
    if settings.method == "logicmix":
        return LogicMix(settings.probability, (settings.min_sources, settings.max_sources))
    return NoMixing() if settings.method == "none" else _PAIRS[settings.method](settings.probability)


def epoch_steps(seed: int, epoch: int, num_images: int, num_steps: int) -> list[Tensor]:
    """Return the anchors of each step of an epoch: every image once, in steps of nearly equal size.

    Args:
        seed: Of the run.
        epoch: From 0.
        num_images: T.
        num_steps: Optimiser steps in the epoch.
    """
    order = torch.randperm(num_images, generator=_generator(seed, _ORDER_STREAM, epoch, 0))
    return list(torch.tensor_split(order, num_steps))


def draw_step(
    anchors: Tensor,
    num_images: int,
    mixing: MixingSettings,
    augmentation: AugmentSettings,
    *,
    seed: int,
    epoch: int,
    step: int,
) -> StepDraw:
    """Draw partners and augmentation for one optimiser step.

    Args:
        anchors: (A,) int64, images in [0, T).
        num_images: T.
        mixing: How images are blended.
        augmentation: How each use of an image is augmented.
        seed: Of the run.
        epoch: From 0.
        step: From 0, within the epoch.
    """
    generator = _generator(seed, _STEP_STREAM, epoch, step)
    method = make_mixing(mixing)
    if mixing.partners == "batch":
        drawn = method.make_params(torch.arange(len(anchors)), len(anchors), generator)
        drawn = dataclasses.replace(drawn, sources=anchors[drawn.sources])
    else:
        drawn = method.make_params(anchors, num_images, generator)
    rows, params = drawn.pooled()
    return StepDraw(rows, params, draw_uses(len(rows), augmentation, generator))


def draw_uses(num_uses: int, settings: AugmentSettings, generator: torch.Generator) -> AugmentParams:
    """Draw the augmentation of each use of an image."""
    return draw_augmentation(
        num_uses,
        generator,
        flip_probability=settings.flip_probability,
        num_operations=settings.num_operations,
        level=settings.magnitude,
    )


def step_seed(seed: int, epoch: int, step: int) -> int:
    """Return the seed of what a network draws by itself in a step, such as dropout."""
    return int(np.random.SeedSequence([seed, 2, epoch, step]).generate_state(1, np.uint64)[0] >> 1)


def assemble(draw: StepDraw, pixels: Tensor, states: Tensor, method: MixingMethod, output: Output) -> Batch:
    """Mix what was read and augmented.

    Args:
        draw: Of these anchors.
        pixels: (U, 3, H, W) uint8 of its uses, augmented, on any device.
        states: (U, C) int8 of its uses.
        method: The mixing method.
        output: Working type and normalisation.
    """
    result = method.transform(pixels, states, draw.params, output)
    images = result.images.contiguous(memory_format=torch.channels_last)
    return Batch(images, result.states, draw.params.mixed, result.targets)


def _generator(seed: int, stream: int, epoch: int, step: int) -> torch.Generator:
    drawn = np.random.SeedSequence([seed, stream, epoch, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(drawn >> 1))
