"""CutMix: a box of one image pasted into another, labelled by what is left to see of both."""

from __future__ import annotations

import torch
from torch import Tensor

from logicmix_studio.mixing.mixup import draw_beta
from logicmix_studio.mixing.params import (
    MixParams,
    MixResult,
    Output,
    check_probability,
    draw_pairs,
    pair_params,
)
from logicmix_studio.mixing.pixels import paste


class CutMix:
    """A box of the partner in the anchor, with the OR of what each visible area says.

    "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", Yun et al.,
    2019, https://arxiv.org/abs/1905.04899. It weighs labels by area; for several labels an image we OR them
    area by area instead (our own rule, no published one).

    A negative is negative in each part of its image. A positive may have been cut away: it counts as
    positive where at least `min_area` of its image is seen, and as unknown where less is. Nothing is in what
    is not seen at all. Unknown labels take part in Kleene's OR, as in `LogicMix`. Unlike there, a positive
    may be false: its object may lie in the part that is covered.

    Args:
        probability: Chance in [0, 1] that a row is mixed.
        alpha: The anchor's area is drawn from Beta(alpha, alpha); more than 0; 1 is uniform.
        min_area: Share in [0, 1] of an image that must be seen for its positives to count.

    Raises:
        ValueError: A setting lies outside its range.
    """

    def __init__(self, probability: float = 0.5, alpha: float = 1.0, min_area: float = 0.25) -> None:
        check_probability(probability)
        if alpha <= 0 or not 0 <= min_area <= 1:
            raise ValueError(f"alpha must be more than 0 and min_area in [0, 1], not {alpha} and {min_area}")
        self.probability, self.alpha, self.min_area = probability, alpha, min_area

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and boxes; see `MixingMethod.make_params`."""
        sources, mixed = draw_pairs(batch_rows, num_images, self.probability, generator)
        side = (1 - draw_beta(len(mixed), self.alpha, generator)).sqrt()[:, None]
        centre = torch.rand(len(mixed), 2, generator=generator)
        corners = [(centre - side / 2).clamp(min=0), (centre + side / 2).clamp(max=1)]
        boxes = torch.cat(corners, dim=1) * mixed[:, None]
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
        return pair_params(sources, mixed, 1 - area, boxes)

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; see `MixingMethod.transform`."""
        seen = states[params.sources.to(states.device)]
        area = params.weights.to(states.device)[:, :, None]
        seen = torch.where(area < self.min_area, seen.clamp(max=0), seen)
        seen = seen.masked_fill_(area == 0, -1)
        mixed = params.mixed.to(states.device)[:, None]
        label = torch.where(mixed, seen.amax(dim=1), seen[:, 0])
        return MixResult(paste(images, params, output or Output()), label)
