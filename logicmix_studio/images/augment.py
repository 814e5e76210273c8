"""Flip and RandAugment on whole batches, with every image drawn for itself.

RandAugment: Practical automated data augmentation with a reduced search space, https://arxiv.org/abs/1909.13719.
torchvision draws once for a whole batch. Here each image has its own draw; images with the same operation and
sign are gathered and sent through torchvision's kernel together, which gives the same bits as one at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as kernels

OPERATIONS: Final = (
    "Identity",
    "ShearX",
    "ShearY",
    "TranslateX",
    "TranslateY",
    "Rotate",
    "Brightness",
    "Color",
    "Contrast",
    "Sharpness",
    "Posterize",
    "Solarize",
    "AutoContrast",
    "Equalize",
)
"""RandAugment's operations, in torchvision's order."""

SIGNED: Final = frozenset(OPERATIONS[1:10])
"""Operations whose strength may also be negative."""

NUM_BINS: Final = 31
"""Levels of strength, from 0 to `NUM_BINS` - 1."""

# Largest strength of each operation that has one; from torchvision's RandAugment.
_LARGEST_SHEAR: Final = 0.3
_LARGEST_SHIFT: Final = 150.0 / 331.0
_LARGEST_ANGLE: Final = 30.0
_LARGEST_FACTOR: Final = 0.9
_POSTERIZE_BITS: Final = 4


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

    Returns:
        Parameters for `augment`.

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
) -> Tensor:
    """Apply what was drawn to a batch.

    Args:
        images: (B, 3, H, W) uint8, any device; left as it is.
        params: From `draw_augmentation`, for the same B.
        interpolation: Of shear, translation and rotation; what comes in from outside is black.

    Returns:
        (B, 3, H, W) uint8 on the same device.

    Raises:
        ValueError: If the parameters are for another number of images.
    """
    if len(images) != len(params.flips):
        raise ValueError(f"parameters for {len(params.flips)} images, but the batch has {len(images)}")
    mirrored = params.flips.view(-1, 1, 1, 1).to(images.device, non_blocking=True)
    result = torch.where(mirrored, images.flip(-1), images)
    for layer in range(params.operations.shape[1]):
        _apply_layer(result, params, layer, interpolation)
    return result


def _apply_layer(images: Tensor, params: AugmentParams, layer: int, interpolation: InterpolationMode) -> None:
    """Apply one operation to each image, in place, one group of equal draws at a time."""
    # One key a draw: sorting brings equal draws together, so the indices travel to the device in one piece.
    keys = params.operations[:, layer] * 2 + (params.signs[:, layer] < 0)
    groups, sizes = torch.unique(keys, return_counts=True)
    order = torch.argsort(keys, stable=True).to(images.device, non_blocking=True)
    for key, rows in zip(groups.tolist(), torch.split(order, sizes.tolist()), strict=True):
        name = OPERATIONS[key // 2]
        if name == "Identity":
            continue
        sign = -1 if key % 2 else 1
        images[rows] = _operate(images[rows], name, sign, params.level, interpolation)


def _operate(images: Tensor, name: str, sign: int, level: int, interpolation: InterpolationMode) -> Tensor:
    """Apply one operation of one strength to all images, (B, 3, H, W) uint8."""
    height, width = images.shape[-2:]
    shear = sign * _strength(_LARGEST_SHEAR, level)
    factor = 1.0 + sign * _strength(_LARGEST_FACTOR, level)

    def warp(shift: tuple[int, int] = (0, 0), shears: tuple[float, float] = (0.0, 0.0)) -> Tensor:
        # Shearing turns about the corner, as in the paper's code; a shift has no centre.
        centre = [0.0, 0.0] if shears != (0.0, 0.0) else None
        moved: Tensor = kernels.affine(
            images,
            angle=0.0,
            translate=list(shift),
            scale=1.0,
            shear=[math.degrees(math.atan(angle)) for angle in shears],
            interpolation=interpolation,
            center=centre,
        )
        return moved

    actions: dict[str, Callable[[], Tensor]] = {
        "ShearX": lambda: warp(shears=(shear, 0.0)),
        "ShearY": lambda: warp(shears=(0.0, shear)),
        "TranslateX": lambda: warp(shift=(int(sign * _strength(_LARGEST_SHIFT * width, level)), 0)),
        "TranslateY": lambda: warp(shift=(0, int(sign * _strength(_LARGEST_SHIFT * height, level)))),
        "Rotate": lambda: kernels.rotate(
            images, angle=sign * _strength(_LARGEST_ANGLE, level), interpolation=interpolation
        ),
        "Brightness": lambda: kernels.adjust_brightness(images, brightness_factor=factor),
        "Color": lambda: kernels.adjust_saturation(images, saturation_factor=factor),
        "Contrast": lambda: kernels.adjust_contrast(images, contrast_factor=factor),
        "Sharpness": lambda: kernels.adjust_sharpness(images, sharpness_factor=factor),
        "Posterize": lambda: kernels.posterize(
            images, bits=8 - round(_strength(float(_POSTERIZE_BITS), level))
        ),
        "Solarize": lambda: kernels.solarize(images, threshold=255.0 * _strength(0.0, level, smallest=1.0)),
        "AutoContrast": lambda: kernels.autocontrast(images),
        "Equalize": lambda: kernels.equalize(images),
    }
    return actions[name]()


def _strength(largest: float, level: int, smallest: float = 0.0) -> float:
    """Return the strength of a level, in float32 steps as torchvision has them."""
    return float(torch.linspace(smallest, largest, NUM_BINS)[level])
