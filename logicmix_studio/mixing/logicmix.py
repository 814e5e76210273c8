"""LogicMix: the mean of several images, labelled by the OR of their labels."""

from __future__ import annotations

import torch
from torch import Tensor

from logicmix_studio.mixing.params import MixParams, MixResult, Output, check_probability, draw_partners, use_mask
from logicmix_studio.mixing.pixels import blend


class OrLabels:
    """How images are mixed whose labels are ORed."""

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; see `MixingMethod.transform`."""
        return MixResult(blend(images, params, output or Output()), or_states(states, params.sources))


class LogicMix(OrLabels):
    """Mean of k images; a class is positive in any, negative in all, or else unknown.

    "LogicMix: Sample mixing data augmentation for multi-label image classification with partial labels",
    Chong et al., Pattern Recognition 171 (2026); preprint https://arxiv.org/abs/2405.15860.

    Unknown labels take part in the OR of Kleene's three-valued logic: beside a positive they do not matter,
    otherwise they leave the class unknown. No known label of a blend is ever false if its sources' are true.

    Each row is mixed by a coin of its own, with k drawn uniformly and k - 1 partners drawn uniformly with
    replacement over the whole data set, so that an image may meet itself. All images weigh 1/k.

    Args:
        probability: Chance in [0, 1] that a row is mixed.
        num_sources: Smallest and largest k, both included, 2 or more; one number for a fixed k. The
            published code writes the same choice as (2, 4), with the end left out.

    Raises:
        ValueError: A setting lies outside its range.
    """

    def __init__(self, probability: float = 0.5, num_sources: int | tuple[int, int] = (2, 3)) -> None:
        check_probability(probability)
        least, most = (num_sources, num_sources) if isinstance(num_sources, int) else num_sources
        if not 2 <= least <= most:
            raise ValueError(f"num_sources must be 2 or more, the smaller first, not {num_sources}")
        self.probability, self.num_sources = probability, (int(least), int(most))

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw which rows are mixed, and with whom; see `MixingMethod.make_params`."""
        least, most = self.num_sources
        batch_size = len(batch_rows)
        mixed = torch.rand(batch_size, generator=generator) < self.probability
        drawn = torch.randint(least, most + 1, (batch_size,), generator=generator)
        sources = draw_partners(batch_rows, num_images, most - 1, generator)
        counts = torch.where(mixed, drawn, 1)
        is_use = use_mask(counts, most)
        return MixParams(
            sources=torch.where(is_use, sources, sources[:, :1]),
            counts=counts,
            mixed=mixed,
            weights=is_use / counts[:, None],
        )


class NoMixing(OrLabels):
    """Every sample as it is, for comparison; unknown labels stay unknown."""

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Return the batch itself; nothing is drawn. See `MixingMethod.make_params`."""
        batch_size = len(batch_rows)
        return MixParams(
            sources=draw_partners(batch_rows, num_images, 0, generator),
            counts=torch.ones(batch_size, dtype=torch.int64),
            mixed=torch.zeros(batch_size, dtype=torch.bool),
            weights=torch.ones(batch_size, 1),
        )


def or_states(states: Tensor, sources: Tensor) -> Tensor:
    """Return the OR of each row's sources, the maximum of their states, as (B, C) int8.

    Args:
        states: (U, C) int8, values in {-1, 0, 1}.
        sources: (B, K) int64, rows of the states; repeating a source changes nothing.
    """
    # Sources outermost: the maximum of a few long rows is three times faster than of many short columns.
    rows = sources.T.flatten().to(states.device)
    return states.index_select(0, rows).view(*sources.T.shape, states.shape[1]).amax(dim=0)
