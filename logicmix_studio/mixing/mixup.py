"""Methods that mix two images: Mixup, MixUp-PME, Mixup with OR labels, and CutMix.

A setting outside its range is a ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from logicmix_studio.mixing.logicmix import OrLabels
from logicmix_studio.mixing.params import MixParams, MixResult, Output, check_probability, draw_pairs, pair_params
from logicmix_studio.mixing.pixels import blend, paste


@dataclass(frozen=True)
class Mixup:
    """Weighted mean of two images and of their labels.

    "mixup: Beyond Empirical Risk Minimization", Zhang et al., 2018, https://arxiv.org/abs/1710.09412.

    Unknown labels cannot be averaged: in a mixed row each is replaced by a constant, which then counts as if
    somebody had known it. Rows that are not mixed keep nan for unknown.
    """

    probability: float = 0.5
    """Chance in [0, 1] that a row is mixed."""
    alpha: float = 0.2
    """The anchor's share is drawn from Beta(alpha, alpha); more than 0."""
    unknown_as: float = 0.0
    """The constant in [0, 1]: 0 assumes negative, 0.5 says "either"."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_probability(self.probability)
        if self.alpha <= 0 or not 0 <= self.unknown_as <= 1:
            told = f"not {self.alpha} and {self.unknown_as}"
            raise ValueError(f"alpha must be more than 0 and unknown_as in [0, 1], {told}")

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and shares; see `MixingMethod.make_params`."""
        sources, mixed = draw_pairs(batch_rows, num_images, self.probability, generator)
        return pair_params(sources, mixed, draw_beta(len(mixed), self.alpha, generator))

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; the labels are soft targets. See `MixingMethod.transform`."""
        is_plain = ~params.mixed.to(states.device)[:, None]
        return _softly(images, states, params, output, self.unknown_as, keeps=is_plain)


@dataclass(frozen=True)
class _UniformShares:
    """What the two methods have in common that draw the anchor's share uniformly."""

    probability: float = 0.5
    """Chance in [0, 1] that a row is mixed."""
    share_range: tuple[float, float] = (0.0, 1.0)
    """The anchor's share is drawn uniformly from this range in [0, 1]."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_probability(self.probability)
        least, most = self.share_range
        if not 0 <= least <= most <= 1:
            raise ValueError(f"share_range must lie in [0, 1], the smaller first, not {self.share_range}")

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and shares; see `MixingMethod.make_params`."""
        sources, mixed = draw_pairs(batch_rows, num_images, self.probability, generator)
        return pair_params(sources, mixed, draw_uniform(len(mixed), self.share_range, generator))


@dataclass(frozen=True)
class MixUpPME(_UniformShares):
    """Mixup that leans on the anchor and learns nothing where the anchor is unknown.

    "Revisiting Vicinal Risk Minimization for Partially Supervised Multi-Label Classification Under Data
    Scarcity", Dong et al., 2022, https://arxiv.org/abs/2204.08954, as later reimplemented for comparison
    with LogicMix.

    Unknown labels of the partner count as 0.5 in the mean; a class that is unknown in the anchor stays
    unknown (nan), whatever the partner says.
    """

    share_range: tuple[float, float] = (0.75, 1.0)

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; the labels are soft targets. See `MixingMethod.transform`."""
        return _softly(images, states, params, output, unknown_as=0.5, keeps=True)


@dataclass(frozen=True)
class OrMixup(_UniformShares, OrLabels):
    """Weighted mean of two images, labelled by the OR of their labels.

    The two-sample multi-label Mixup with which the LogicMix papers compare (preprint
    https://arxiv.org/abs/2405.15860): any share of an image, however small, hands on its positives.

    Unknown labels take part in Kleene's OR, as in `LogicMix`. (The published comparison assumed them
    negative before the OR; to repeat that, pass states without unknowns.)
    """


@dataclass(frozen=True)
class CutMix:
    """A box of the partner in the anchor, with the OR of what each visible area says.

    "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features", Yun et al.,
    2019, https://arxiv.org/abs/1905.04899. It weighs labels by area; for several labels an image we OR them
    area by area instead (our own rule, no published one).

    A negative is negative in each part of its image. A positive may have been cut away: it counts as
    positive where at least `min_area` of its image is seen, and as unknown where less is. Nothing is in what
    is not seen at all. Unknown labels take part in Kleene's OR, as in `LogicMix`. Unlike there, a positive
    may be false: its object may lie in the part that is covered.
    """

    probability: float = 0.5
    """Chance in [0, 1] that a row is mixed."""
    alpha: float = 1.0
    """The anchor's area is drawn from Beta(alpha, alpha); more than 0; 1 is uniform."""
    min_area: float = 0.25
    """Share in [0, 1] of an image that must be seen for its positives to count."""

    def __post_init__(self) -> None:
        """Check the settings."""
        check_probability(self.probability)
        if self.alpha <= 0 or not 0 <= self.min_area <= 1:
            told = f"not {self.alpha} and {self.min_area}"
            raise ValueError(f"alpha must be more than 0 and min_area in [0, 1], {told}")

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


def draw_uniform(count: int, limits: tuple[float, float], generator: torch.Generator) -> Tensor:
    """Draw (count,) float32 uniformly between two limits."""
    least, most = limits
    return torch.rand(count, generator=generator) * (most - least) + least


def draw_beta(count: int, alpha: float, generator: torch.Generator) -> Tensor:
    """Draw (count,) float32 in [0, 1] from Beta(alpha, alpha); below 1 the values crowd at 0 and 1.

    In float64, because for a small alpha one of the two gamma variables is often below float32's range.
    """
    shape = torch.full((2, count), alpha, dtype=torch.float64)
    gammas: Tensor = torch._standard_gamma(shape, generator=generator)
    return (gammas[0] / gammas.sum(dim=0)).to(torch.float32)


def _softly(
    images: Tensor, states: Tensor, params: MixParams, output: Output | None, unknown_as: float, keeps: Tensor | bool
) -> MixResult:
    """Average images and labels, unknown taken as a constant; where `keeps`, (B, 1), the anchor's unknown stays."""
    labels = torch.tensor([0.0, unknown_as, 1.0], device=states.device)
    sources = states[params.sources.to(states.device)]
    weights = params.weights.to(states.device)[:, :, None]
    targets = (labels[sources.long() + 1] * weights).sum(dim=1).clamp_(0, 1)
    least, most = sources.aminmax(dim=1)
    return MixResult(
        images=blend(images, params, output or Output()),
        states=torch.where(least == most, least, torch.zeros_like(least)),
        targets=targets.masked_fill_((sources[:, 0] == 0) & keeps, torch.nan),
    )
