"""Mixing pixels in one pass, without ever holding a batch's sources side by side.

On a CPU the sum of a row's sources is taken where the row will stand, so that it stays in the processor's
cache until it is normalised. On a GPU, and for images so small that calling costs more than counting, the
sources are added column by column: first all anchors, then all second sources, and so on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from logicmix_studio.mixing.params import MixParams, Normalisation, Output

_MIN_ROW_ELEMENTS: Final = 4_096
"""Below this size of an image, columns were faster than rows on a CPU."""

_WHITE: Final = 255
"""Largest value of a uint8 pixel."""


@dataclass(frozen=True)
class _Finish:
    """The affine map from a sum of pixels to what the model sees."""

    gain: float
    scale: Tensor | None
    bias: Tensor | None
    is_map: bool
    """Whether scale and bias have an image's own shape; else they have one value a channel."""

    def apply(self, row: Tensor, gain: float = 1.0) -> None:
        """Map float32 pixels in place, after multiplying them by `gain`."""
        factor = self.gain * gain
        if self.scale is None or self.bias is None:
            if factor != 1:
                row.mul_(factor)
        elif self.is_map:
            torch.addcmul(self.bias, row, self.scale, value=factor, out=row)
        else:
            row.mul_(self.scale * factor).add_(self.bias)


@torch.no_grad()
def blend(images: Tensor, params: MixParams, output: Output) -> Tensor:
    """Return the weighted means of the sources.

    B batch, U rows to mix from.

    Args:
        images: (U, channels, height, width), uint8 or float in [0, 1].
        params: Sources and weights.
        output: How the images are to come out.

    Returns:
        (B, channels, height, width); channels last in memory where the images are.

    Raises:
        ValueError: The images or the buffer have another shape or type than is needed.
    """
    out = _allocate(images, len(params), output)
    if len(params) == 0:
        return out
    if images.device.type == "cpu" and images[0].numel() >= _MIN_ROW_ELEMENTS:
        _blend_rows(images, params, out, _finish(images, output))
    else:
        _blend_columns(images, params, out, _finish(images, output))
    return out


@torch.no_grad()
def paste(images: Tensor, params: MixParams, output: Output) -> Tensor:
    """Return the anchors with a box of the second source pasted in where a row is mixed.

    Args:
        images: (U, channels, height, width), uint8 or float in [0, 1].
        params: Sources and boxes.
        output: How the images are to come out.

    Returns:
        (B, channels, height, width); channels last in memory where the images are.

    Raises:
        ValueError: There are no boxes, or images or buffer have another shape or type than is needed.
    """
    if params.boxes is None:
        raise ValueError("pasting needs boxes; draw the parameters with the method that pastes")
    out = _allocate(images, len(params), output)
    if len(params) == 0:
        return out
    height, width = images.shape[2:]
    pairs, is_mixed = params.sources.tolist(), params.mixed.tolist()
    edges = (params.boxes * torch.tensor([height, width, height, width])).round().long().tolist()

    def fill(row: Tensor, position: int) -> float:
        anchor, partner = pairs[position]
        row.copy_(images[anchor])
        top, left, bottom, right = edges[position]
        if is_mixed[position]:
            row[:, top:bottom, left:right].copy_(images[partner, :, top:bottom, left:right])
        return 1.0

    _each_row(out, fill, _finish(images, output))
    return out


def _blend_rows(images: Tensor, params: MixParams, out: Tensor, finish: _Finish) -> None:
    sources, weights, counts = params.sources.tolist(), params.weights.tolist(), params.counts.tolist()

    def fill(row: Tensor, position: int) -> float:
        shares = weights[position][: counts[position]]
        gain: float = max(shares)
        lead = shares.index(gain)
        row.copy_(images[sources[position][lead]])
        for j, share in enumerate(shares):
            if j != lead and share:
                row.add_(images[sources[position][j]], alpha=share / gain)
        return gain

    _each_row(out, fill, finish)


def _each_row(out: Tensor, fill: Callable[[Tensor, int], float], finish: _Finish) -> None:
    """Let `fill` write each row's sum in float32 and return its gain; finish it while it is in the cache."""
    scratch = None if out.dtype == torch.float32 else torch.empty_like(out[0], dtype=torch.float32)
    for position in range(len(out)):
        row = out[position] if scratch is None else scratch
        finish.apply(row, fill(row, position))
        if scratch is not None:
            out[position].copy_(scratch)


def _blend_columns(images: Tensor, params: MixParams, out: Tensor, finish: _Finish) -> None:
    device = images.device
    sources = params.sources.to(device, non_blocking=True)
    weights = params.weights.to(device, non_blocking=True)[:, :, None, None, None]
    total = out if out.dtype == torch.float32 else torch.empty_like(out, dtype=torch.float32)
    total.copy_(images[sources[:, 0]]).mul_(weights[:, 0])
    for j in range(1, params.sources.shape[1]):
        if device.type != "cpu":
            # Which rows have this source is known only on the CPU; a repeated anchor of weight 0 costs a GPU less.
            total.addcmul_(images[sources[:, j]].to(torch.float32), weights[:, j])
            continue
        rows = (params.counts > j).nonzero().flatten()
        if rows.numel() == 0:
            break
        column = images[sources[rows, j]].to(torch.float32)
        total.index_add_(0, rows, column.mul_(weights[rows, j]))
    finish.apply(total)
    if total is not out:
        out.copy_(total)


def _allocate(images: Tensor, batch_size: int, output: Output) -> Tensor:
    if images.ndim != 4 or not (images.dtype == torch.uint8 or images.is_floating_point()):
        raise ValueError(
            f"images must be (rows, channels, height, width) of uint8 or float, "
            f"not {tuple(images.shape)} of {images.dtype}"
        )
    shape = (batch_size, *images.shape[1:])
    if output.buffer is None:
        memory_format = torch.channels_last if _is_channels_last(images) else torch.contiguous_format
        return torch.empty(shape, dtype=output.dtype, device=images.device, memory_format=memory_format)
    buffer = output.buffer
    fits = buffer.shape[1:] == images.shape[1:] and len(buffer) >= batch_size
    if not fits or buffer.dtype != output.dtype or buffer.device != images.device:
        raise ValueError(
            f"the buffer must hold {shape} of {output.dtype} on {images.device}, "
            f"not {tuple(buffer.shape)} of {buffer.dtype} on {buffer.device}"
        )
    return buffer[:batch_size]


def _finish(images: Tensor, output: Output) -> _Finish:
    gain = 1 / _WHITE if images.dtype == torch.uint8 else 1.0
    normalisation = output.normalisation
    if normalisation is None:
        return _Finish(gain, None, None, is_map=False)
    if len(normalisation.mean) != images.shape[1]:
        raise ValueError(f"{len(normalisation.mean)} means for {images.shape[1]} channels")
    mean, scale = constants(normalisation, images.device)
    bias = -mean * scale
    # With channels last, a value a channel would be broadcast three pixels at a time, which is slow.
    is_map = _is_channels_last(images) and len(images) > 0
    if is_map:
        scale = torch.empty_like(images[0], dtype=torch.float32).copy_(scale)
        bias = torch.empty_like(scale).copy_(bias)
    return _Finish(gain, scale, bias, is_map=is_map)


@lru_cache(maxsize=16)
def constants(normalisation: Normalisation, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return mean and 1 / deviation of each channel, (3, 1, 1) float32; copied to a device once, as that waits for it."""
    mean, std = (
        torch.tensor(values, device=device)[:, None, None] for values in (normalisation.mean, normalisation.std)
    )
    return mean, 1 / std


def _is_channels_last(images: Tensor) -> bool:
    return images.is_contiguous(memory_format=torch.channels_last) and not images.is_contiguous()
