"""What a mixing method draws, what it returns, and the two methods it has."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class MixParams:
    """Everything random about mixing one batch; on the CPU.

    B batch, K the largest number of sources.
    """

    sources: Tensor
    """(B, K) int64, rows of what `transform` receives: a whole data set, a pool, or the batch. The anchor
    stands first. A row with fewer than K sources repeats its anchor, which leaves an OR as it is."""

    counts: Tensor
    """(B,) int64, number of sources of each row; 1 where it is not mixed."""

    mixed: Tensor
    """(B,) bool, True where the row is a blend. A blend may by chance hold one image twice."""

    weights: Tensor
    """(B, K) float32, share of each source in the image; 0 for the repeated anchor, rows sum to 1."""

    boxes: Tensor | None = None
    """(B, 4) float32, for methods that paste: top, left, bottom, right as shares of height and width."""

    def __len__(self) -> int:
        """Return the number of rows, B."""
        return len(self.counts)

    def pooled(self) -> tuple[Tensor, MixParams]:
        """Return one row for every use of a source, and the parameters that mix such a pool.

        So each use can be read and augmented by itself before it is mixed.

        Returns:
            (U,) int64 with U = counts.sum(): the source of each use, in the order of the batch. And
            parameters whose sources are positions among these uses.

        Example:
            >>> params = MixParams(
            ...     sources=torch.tensor([[7, 7], [3, 9]]), counts=torch.tensor([1, 2]),
            ...     mixed=torch.tensor([False, True]), weights=torch.tensor([[1.0, 0.0], [0.5, 0.5]]))
            >>> rows, pooled = params.pooled()
            >>> rows.tolist(), pooled.sources.tolist()
            ([7, 3, 9], [[0, 0], [1, 2]])
        """
        is_use = use_mask(self.counts, self.sources.shape[1])
        positions = (is_use.flatten().cumsum(0) - 1).view_as(self.sources)
        pool_sources = torch.where(is_use, positions, positions[:, :1])
        return self.sources[is_use], replace(self, sources=pool_sources)


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of each channel, for pixels in [0, 1]."""

    mean: tuple[float, ...]
    """One value a channel."""

    std: tuple[float, ...]
    """One value a channel, more than 0."""

    def __post_init__(self) -> None:
        """Check that the channels fit and can be divided by."""
        if len(self.mean) != len(self.std) or any(value <= 0 for value in self.std):
            raise ValueError(f"one mean and one positive std a channel: got {self.mean} and {self.std}")


@dataclass(frozen=True)
class Output:
    """How mixed images are to come out."""

    dtype: torch.dtype = torch.float32
    """Working type of the model. Sums are taken in float32 in any case."""

    normalisation: Normalisation | None = None
    """Applied after mixing, which is the same as before and costs no pass; none leaves [0, 1]."""

    buffer: Tensor | None = None
    """(at least B, channels, height, width) of that type, to be written over: fresh memory costs more than
    the sum. The images that are returned share it."""


@dataclass(frozen=True)
class MixResult:
    """A mixed batch.

    B batch, C classes.
    """

    images: Tensor
    """(B, channels, height, width), of the asked type, in [0, 1] or normalised."""

    states: Tensor
    """(B, C) int8, values in {-1, 0, 1}. Where there are soft targets: the state on which all sources
    agree, else unknown."""

    targets: Tensor | None = None
    """(B, C) float32 in [0, 1] or nan (unknown), for methods whose labels are no states."""


class MixingMethod(Protocol):
    """A way to mix samples: one method draws everything random, the other applies it."""

    def make_params(self, batch_rows: Tensor, num_images: int, generator: torch.Generator) -> MixParams:
        """Draw partners and weights.

        B batch.

        Args:
            batch_rows: (B,) int64, row of each anchor in the data set.
            num_images: Images in the data set; partners are drawn from all of them.
            generator: Where all randomness comes from, on the CPU.
        """

    def transform(self, images: Tensor, states: Tensor, params: MixParams, output: Output | None = None) -> MixResult:
        """Mix; nothing random happens here.

        B batch, U rows to mix from, C classes.

        Args:
            images: (U, channels, height, width), uint8 or float in [0, 1]; any device.
            states: (U, C) int8, values in {-1, 0, 1}.
            params: What was drawn; its sources are rows of the images.
            output: How the images are to come out; float32 in [0, 1] where it is left out.
        """


def use_mask(counts: Tensor, max_sources: int) -> Tensor:
    """Return (B, K) bool, True where a source is used and no repeated anchor; counts are (B,) int64."""
    return torch.arange(max_sources) < counts[:, None]


def check_probability(probability: float) -> None:
    """Refuse what is no chance.

    Raises:
        ValueError: It lies outside [0, 1].
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"probability must lie in [0, 1], not {probability}")


def draw_partners(batch_rows: Tensor, num_images: int, num_partners: int, generator: torch.Generator) -> Tensor:
    """Draw partners for each of (B,) anchors, uniformly and with replacement; an anchor may meet itself.

    Returns:
        (B, 1 + num_partners) int64, the anchor first.

    Raises:
        ValueError: The anchors are no vector, or one is not in the data set.
    """
    if batch_rows.ndim != 1:
        raise ValueError(f"batch_rows must have one axis, but its shape is {tuple(batch_rows.shape)}")
    if batch_rows.numel() and not 0 <= int(batch_rows.min()) <= int(batch_rows.max()) < num_images:
        raise ValueError(f"batch_rows must lie in 0..{num_images - 1}, but reach {int(batch_rows.max())}")
    anchors = batch_rows.to("cpu", torch.int64)[:, None]
    partners = torch.randint(max(num_images, 1), (len(batch_rows), num_partners), generator=generator)
    return torch.cat([anchors, partners], dim=1)


def draw_pairs(
    batch_rows: Tensor, num_images: int, probability: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw which rows are mixed, with one partner each; errors as in `draw_partners`.

    Returns:
        Sources (B, 2) int64 and (B,) bool, True where the row is mixed.
    """
    mixed = torch.rand(len(batch_rows), generator=generator) < probability
    sources = draw_partners(batch_rows, num_images, 1, generator)
    return torch.where(mixed[:, None], sources, sources[:, :1]), mixed


def pair_params(sources: Tensor, mixed: Tensor, shares: Tensor, boxes: Tensor | None = None) -> MixParams:
    """Return the parameters of a method that mixes two samples.

    Args:
        sources: (B, 2) int64.
        mixed: (B,) bool.
        shares: (B,) float, share of the anchor in the image where the row is mixed, in [0, 1].
        boxes: (B, 4) float, see `MixParams.boxes`.
    """
    anchor = torch.where(mixed, shares.to(torch.float32), 1.0)
    return MixParams(sources, mixed.long() + 1, mixed, torch.stack([anchor, 1 - anchor], dim=1), boxes)
