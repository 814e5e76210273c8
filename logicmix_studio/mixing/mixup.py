"""Three methods that lay one image over another: Mixup, MixUp-PME, and Mixup with OR labels."""

from __future__ import annotations

import torch
from torch import Tensor

from logicmix_studio.mixing.logicmix import or_states
from logicmix_studio.mixing.params import (
    MixParams,
    MixResult,
    Output,
    check_probability,
    draw_pairs,
    pair_params,
)
from logicmix_studio.mixing.pixels import blend


class Mixup:
    """Weighted mean of two images and of their labels.

    "mixup: Beyond Empirical Risk Minimization", Zhang et al., 2018, https://arxiv.org/abs/1710.09412.

    Unknown labels cannot be averaged: in a mixed row each is replaced by a constant, which then counts as if
    somebody had known it. Rows that are not mixed keep nan for unknown.

    Args:
        probability: Chance in [0, 1] that a row is mixed.
        alpha: The anchor's share is drawn from Beta(alpha, alpha); more than 0.
        unknown_as: The constant in [0, 1]: 0 assumes negative, 0.5 says "either".

    Raises:
        ValueError: A setting lies outside its range.
    """

    def __init__(self, probability: float = 0.5, alpha: float = 0.2, unknown_as: float = 0.0) -> None:
        check_probability(probability)
        if alpha <= 0 or not 0 <= unknown_as <= 1:
            raise ValueError(f"alpha must be more than 0 and unknown_as in [0, 1], not {alpha} and {unknown_as}")
        self.probability, self.alpha, self.unknown_as = probability, alpha, unknown_as

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and shares; see `MixingMethod.make_params`."""
        sources, mixed = draw_pairs(batch_rows, num_images, self.probability, generator)
        return pair_params(sources, mixed, draw_beta(len(mixed), self.alpha, generator))

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; the labels are soft targets. See `MixingMethod.transform`."""
        is_unknown = _anchors(states, params) == 0
        is_plain = ~params.mixed.to(states.device)[:, None]
        return _softly(images, states, params, output, self.unknown_as, is_unknown & is_plain)


class MixUpPME:
    """Mixup that leans on the anchor and learns nothing where the anchor is unknown.

    "Revisiting Vicinal Risk Minimization for Partially Supervised Multi-Label Classification Under Data
    Scarcity", Dong et al., 2022, https://arxiv.org/abs/2204.08954, as later reimplemented for comparison
    with LogicMix.

    Unknown labels of the partner count as 0.5 in the mean; a class that is unknown in the anchor stays
    unknown (nan), whatever the partner says.

    Args:
        probability: Chance in [0, 1] that a row is mixed.
        share_range: The anchor's share is drawn uniformly from this range in [0, 1].

    Raises:
        ValueError: A setting lies outside its range.
    """

    unknown_as = 0.5

    def __init__(self, probability: float = 0.5, share_range: tuple[float, float] = (0.75, 1.0)) -> None:
        check_probability(probability)
        self.probability, self.share_range = probability, _checked_range(share_range)

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and shares; see `MixingMethod.make_params`."""
        sources, mixed = draw_pairs(batch_rows, num_images, self.probability, generator)
        return pair_params(sources, mixed, draw_uniform(len(mixed), self.share_range, generator))

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; the labels are soft targets. See `MixingMethod.transform`."""
        return _softly(images, states, params, output, self.unknown_as, _anchors(states, params) == 0)


class OrMixup:
    """Weighted mean of two images, labelled by the OR of their labels.

    The two-sample multi-label Mixup with which the LogicMix papers compare (preprint
    https://arxiv.org/abs/2405.15860): any share of an image, however small, hands on its positives.

    Unknown labels take part in Kleene's OR, as in `LogicMix`. (The published comparison assumed them
    negative before the OR; to repeat that, pass states without unknowns.)

    Args:
        probability: Chance in [0, 1] that a row is mixed.
        share_range: The anchor's share is drawn uniformly from this range in [0, 1].

    Raises:
        ValueError: A setting lies outside its range.
    """

    def __init__(self, probability: float = 0.5, share_range: tuple[float, float] = (0.0, 1.0)) -> None:
        check_probability(probability)
        self.probability, self.share_range = probability, _checked_range(share_range)

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and shares; see `MixingMethod.make_params`."""
        sources, mixed = draw_pairs(batch_rows, num_images, self.probability, generator)
        return pair_params(sources, mixed, draw_uniform(len(mixed), self.share_range, generator))

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; see `MixingMethod.transform`."""
        return MixResult(blend(images, params, output or Output()), or_states(states, params.sources))


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
    images: Tensor,
    states: Tensor,
    params: MixParams,
    output: Output | None,
    unknown_as: float,
    stays_unknown: Tensor,
) -> MixResult:
    """Average images and labels, unknown taken as a constant; (B, C) bool says which labels stay unknown."""
    labels = torch.tensor([0.0, unknown_as, 1.0], device=states.device)
    sources = states[params.sources.to(states.device)]
    weights = params.weights.to(states.device)[:, :, None]
    targets = (labels[sources.long() + 1] * weights).sum(dim=1).clamp_(0, 1)
    least, most = sources.aminmax(dim=1)
    return MixResult(
        images=blend(images, params, output or Output()),
        states=torch.where(least == most, least, torch.zeros_like(least)),
        targets=targets.masked_fill_(stays_unknown, torch.nan),
    )


def _anchors(states: Tensor, params: MixParams) -> Tensor:
    return states[params.sources[:, 0].to(states.device)]


def _checked_range(share_range: tuple[float, float]) -> tuple[float, float]:
    least, most = share_range
    if not 0 <= least <= most <= 1:
        raise ValueError(f"share_range must lie in [0, 1], the smaller first, not {share_range}")
    return share_range
