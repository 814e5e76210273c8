"""Flip and RandAugment on whole batches, with every image drawn for itself.

RandAugment: Practical automated data augmentation with a reduced search space, https://arxiv.org/abs/1909.13719.
torchvision draws once for a whole batch. Here each image has its own draw. On a GPU, images with the same
operation and sign go through torchvision's kernel together; on a processor one at a time is faster.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as kernels

OPERATIONS: Final = (
    *("Identity", "ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"),
    *("Brightness", "Color", "Contrast", "Sharpness"),
    *("Posterize", "Solarize", "AutoContrast", "Equalize"),
)
"""RandAugment's operations, in torchvision's order."""

SIGNED: Final = frozenset(OPERATIONS[1:10])
"""Operations whose strength may also be negative."""

_IDENTITY: Final = OPERATIONS.index("Identity")

NUM_BINS: Final = 31
"""Levels of strength, from 0 to `NUM_BINS` - 1."""

# Largest strength of each operation that has one; from torchvision's RandAugment.
_LARGEST_SHEAR: Final = 0.3
_LARGEST_SHIFT: Final = 150.0 / 331.0
_LARGEST_ANGLE: Final = 30.0
_LARGEST_FACTOR: Final = 0.9
_POSTERIZE_BITS: Final = 4.0

_WHITE: Final = 255
_CACHED_GRIDS: Final = 16
"""Sampling grids in memory: a batch of one strength needs six; one of 224 px takes 0.4 MB."""


class _Size(NamedTuple):
    height: int
    width: int
    device: torch.device


@dataclass(frozen=True)
class AugmentParams:
    """What was drawn for a batch of B images and L layers of operations; all on the CPU."""

    flips: Tensor
    """(B,) bool, True where the image is mirrored first."""
    operations: Tensor
    """(B, L) int64, indices into `OPERATIONS`, applied from left to right."""
    signs: Tensor
    """(B, L) int64, +1 or -1; +1 for operations that are not in `SIGNED`."""
    level: int
    """Strength, in [0, `NUM_BINS`)."""


def draw_augmentation(
    num_images: int,
    generator: torch.Generator,
    *,
    flip_probability: float = 0.5,
    num_operations: int = 2,
    level: int = 9,
) -> AugmentParams:
    """Draw flip and RandAugment for each image of a batch.

    Args:
        num_images: B.
        generator: On the CPU; all randomness comes from it.
        flip_probability: In [0, 1].
        num_operations: L, how many operations follow each other; 0 for flip alone.
        level: Strength in [0, 30]; torchvision's default is 9.

    Raises:
        ValueError: If the level is out of range.
    """
    if not 0 <= level < NUM_BINS:
        raise ValueError(f"level must be in [0, {NUM_BINS - 1}], but got {level}")
    shape = (num_images, num_operations)
    flips = torch.rand(num_images, generator=generator) < flip_probability
    operations = torch.randint(len(OPERATIONS), shape, generator=generator)
    is_negative = torch.rand(shape, generator=generator) <= 0.5
    is_signed = torch.tensor([name in SIGNED for name in OPERATIONS])[operations]
    signs = torch.where(is_negative & is_signed, -1, 1)
    return AugmentParams(flips, operations, signs, level)


def augment(
    images: Tensor,
    params: AugmentParams,
    *,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    grouped: bool | None = None,
) -> Tensor:
    """Apply what was drawn to a batch and return a new one.

    Args:
        images: (B, 3, H, W) uint8, any device.
        params: From `draw_augmentation`, for the same B.
        interpolation: Of shear and rotation; what comes in from outside is black.
        grouped: Whether images with equal draws go through a kernel together, with the same result. By default
            everywhere but on a processor, whose cache holds the temporaries of one image, not those of a group.

    Raises:
        ValueError: If the parameters are for another number of images.
    """
    if len(images) != len(params.flips):
        raise ValueError(f"parameters for {len(params.flips)} images, but the batch has {len(images)}")
    result = images.clone(memory_format=torch.contiguous_format)
    if grouped is None:
        grouped = images.device.type != "cpu"
    apply = _apply_grouped if grouped else _apply_singly
    apply(result, params, interpolation)
    return result


def _apply_singly(images: Tensor, params: AugmentParams, interpolation: InterpolationMode) -> None:
    """Apply the draws in place, image by image."""
    operations, signs = params.operations.tolist(), params.signs.tolist()
    for i, is_mirrored in enumerate(params.flips.tolist()):
        before = image = images[i : i + 1]
        if is_mirrored:
            image = image.flip(-1)
        for operation, sign in zip(operations[i], signs[i], strict=True):
            if operation != _IDENTITY:
                image = _operate(image, OPERATIONS[operation], sign, params.level, interpolation)
        if image is not before:
            before.copy_(image)


def _apply_grouped(images: Tensor, params: AugmentParams, interpolation: InterpolationMode) -> None:
    """Apply the draws in place, one group of equal draws at a time."""
    mirrored = params.flips.nonzero().squeeze(1).to(images.device, non_blocking=True)
    images[mirrored] = images[mirrored].flip(-1)
    for operations, signs in zip(params.operations.unbind(1), params.signs.unbind(1), strict=True):
        # One key a draw: sorting brings equal draws together, so the indices travel to the device in one piece.
        keys = operations * 2 + (signs < 0)
        groups, sizes = torch.unique(keys, return_counts=True)
        order = torch.argsort(keys, stable=True).to(images.device, non_blocking=True)
        for key, rows in zip(groups.tolist(), torch.split(order, sizes.tolist()), strict=True):
            if key // 2 != _IDENTITY:
                name, sign = OPERATIONS[key // 2], -1 if key % 2 else 1
                images[rows] = _operate(images[rows], name, sign, params.level, interpolation)


def _operate(images: Tensor, name: str, sign: int, level: int, interpolation: InterpolationMode) -> Tensor:
    """Apply one operation of one strength to all images, (B, 3, H, W) uint8."""
    height, width = images.shape[-2:]
    size, mode = _Size(height, width, images.device), interpolation.value
    factor, shear = 1.0 + sign * _strength(_LARGEST_FACTOR, level), sign * _strength(_LARGEST_SHEAR, level)
    actions: dict[str, Callable[[], Tensor]] = {
        "ShearX": lambda: _warp(images, _shear_grid(shear, 0.0, size), mode),
        "ShearY": lambda: _warp(images, _shear_grid(0.0, shear, size), mode),
        "TranslateX": lambda: _shift(images, int(sign * _strength(_LARGEST_SHIFT * width, level)), -1),
        "TranslateY": lambda: _shift(images, int(sign * _strength(_LARGEST_SHIFT * height, level)), -2),
        "Rotate": lambda: _warp(images, _turn_grid(sign * _strength(_LARGEST_ANGLE, level), size), mode),
        "Brightness": lambda: kernels.adjust_brightness(images, brightness_factor=factor),
        "Color": lambda: kernels.adjust_saturation(images, saturation_factor=factor),
        "Contrast": lambda: kernels.adjust_contrast(images, contrast_factor=factor),
        "Sharpness": lambda: _sharpen(images, factor),
        "Posterize": lambda: kernels.posterize(images, bits=8 - round(_strength(_POSTERIZE_BITS, level))),
        "Solarize": lambda: _solarize(images, _whole_threshold(level)),
        "AutoContrast": lambda: kernels.autocontrast(images),
        "Equalize": lambda: kernels.equalize(images),
    }
    return actions[name]()


@lru_cache(maxsize=_CACHED_GRIDS)
def _shear_grid(along_x: float, along_y: float, size: _Size) -> Tensor:
    """Return where each pixel of a shear about the top left corner comes from, as in the paper's code.

    Both are tangents, and one of them is 0.
    """
    half_width, half_height = 0.5 * size.width, 0.5 * size.height
    matrix = [[1.0, along_x, along_x * half_height], [along_y, 1.0, along_y * half_width]]
    return _sampling_grid(matrix, size)


@lru_cache(maxsize=_CACHED_GRIDS)
def _turn_grid(degrees: float, size: _Size) -> Tensor:
    """Return where each pixel of a turn about the centre comes from, counter-clockwise for positive angles."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return _sampling_grid([[cosine, -sine, 0.0], [sine, cosine, 0.0]], size)


def _sampling_grid(matrix: list[list[float]], size: _Size) -> Tensor:
    """Return (1, H, W, 2) sampling positions in [-1, 1] of an affine map about the centre, in pixels.

    It is the same for all images of a size, and building it takes as long as sampling: hence the cache.
    """
    shape = (size.height, size.width)
    x = torch.linspace((1.0 - size.width) * 0.5, (size.width - 1.0) * 0.5, size.width, device=size.device)
    y = torch.linspace((1.0 - size.height) * 0.5, (size.height - 1.0) * 0.5, size.height, device=size.device)
    ones = torch.ones(shape, device=size.device)
    pixels = torch.stack([x.expand(shape), y[:, None].expand(shape), ones], -1).view(1, -1, 3)
    scale = torch.tensor([0.5 * size.width, 0.5 * size.height], device=size.device)
    theta = torch.tensor([matrix], device=size.device).transpose(1, 2) / scale
    return pixels.bmm(theta).view(1, size.height, size.width, 2)


def _warp(images: Tensor, grid: Tensor, mode: str) -> Tensor:
    """Sample (B, 3, H, W) uint8 images at a grid; what comes in from outside is black."""
    places = grid.expand(len(images), -1, -1, -1)
    warped = functional.grid_sample(images.to(grid.dtype), places, mode=mode, align_corners=False)
    return warped.round_().to(images.dtype)


def _shift(images: Tensor, distance: int, axis: int) -> Tensor:
    """Move by whole pixels: a copy, where torchvision's kernel interpolates."""
    length = images.shape[axis] - abs(distance)
    shifted = torch.zeros_like(images)
    source, target = max(0, -distance), max(0, distance)
    shifted.narrow(axis, target, length).copy_(images.narrow(axis, source, length))
    return shifted


def _sharpen(images: Tensor, factor: float) -> Tensor:
    """Blend with the mean of the 3 x 3 neighbourhood, in which the centre counts five times.

    Sums instead of torchvision's convolution: several times as fast on a processor, and exact, as no sum of bytes
    divided by 13 lies near a half.
    """
    if min(images.shape[-2:]) <= 2:
        return images
    result = images.to(torch.float32)
    columns = result[..., :-2] + result[..., 1:-1]
    columns += result[..., 2:]
    blurred = columns[..., :-2, :] + columns[..., 1:-1, :]
    blurred += columns[..., 2:, :]
    inner = result[..., 1:-1, 1:-1]
    blurred.add_(inner, alpha=4).div_(13).round_()
    inner.add_(blurred.sub_(inner), alpha=1.0 - factor)
    return result.clamp_(0, 255).to(torch.uint8)


def _solarize(images: Tensor, threshold: int) -> Tensor:
    """Invert the bytes from a threshold on, without a mask of bools: eight times as fast on a processor."""
    if threshold <= 0:
        return ~images
    # 0 below the threshold, 255 from it on; x ^ 255 is 255 - x.
    flips = images.clamp(min=threshold - 1).sub_(threshold - 1).clamp_(max=1).mul_(_WHITE)
    return flips.bitwise_xor_(images)


def _whole_threshold(level: int) -> int:
    """Return solarize's threshold as a whole number, which keeps the comparison in bytes.

    torchvision compares in float32, in which the threshold is rounded before its ceiling is taken here.
    """
    return math.ceil(torch.tensor(255.0 * _strength(0.0, level, smallest=1.0)).item())


def _strength(largest: float, level: int, smallest: float = 0.0) -> float:
    """Return the strength of a level, in float32 steps as torchvision has them."""
    return float(torch.linspace(smallest, largest, NUM_BINS)[level])
