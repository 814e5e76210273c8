from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.transforms import InterpolationMode, v2

from logicmix_studio.images.augment import (
    NUM_BINS,
    OPERATIONS,
    SIGNED,
    AugmentParams,
    augment,
    draw_augmentation,
)

SPACE = v2.RandAugment._AUGMENTATION_SPACE


def one_by_one(images: Tensor, params: AugmentParams, interpolation: InterpolationMode) -> Tensor:
    """What torchvision's RandAugment makes of each image, given the same draws."""
    transform = v2.RandAugment(interpolation=interpolation)
    results = []
    for image, flip, operations, signs in zip(images, params.flips, params.operations, params.signs, strict=True):
        result = v2.functional.horizontal_flip(image) if flip else image
        for operation, sign in zip(operations.tolist(), signs.tolist(), strict=True):
            name = OPERATIONS[operation]
            magnitudes = SPACE[name][0](NUM_BINS, *image.shape[-2:])
            magnitude = 0.0 if magnitudes is None else float(magnitudes[params.level])
            result = transform._apply_image_or_video_transform(
                result, name, magnitude * sign, interpolation, transform._fill
            )
        results.append(result)
    return torch.stack(results)


def some_images(count: int, height: int = 24, width: int = 32, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 6, 8, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")
    noise = torch.rand(count, 3, height, width, generator=generator)
    return ((0.8 * fine + 0.2 * noise) * 255).to(torch.uint8)


def test_operations__are_torchvisions() -> None:
    assert tuple(SPACE) == OPERATIONS
    assert frozenset(name for name in OPERATIONS if SPACE[name][1]) == SIGNED


@pytest.mark.parametrize("level", range(NUM_BINS))
def test_augment__every_operation_equals_torchvision(level: int) -> None:
    draws = [(op, sign) for op, name in enumerate(OPERATIONS) for sign in ((1, -1) if name in SIGNED else (1,))]
    params = AugmentParams(
        flips=torch.zeros(len(draws), dtype=torch.bool),
        operations=torch.tensor([[op] for op, _ in draws]),
        signs=torch.tensor([[sign] for _, sign in draws]),
        level=level,
    )
    images = some_images(len(draws))
    for interpolation in (InterpolationMode.BILINEAR, InterpolationMode.NEAREST):
        expected = one_by_one(images, params, interpolation)
        for grouped in (False, True):
            assert torch.equal(augment(images, params, interpolation=interpolation, grouped=grouped), expected)


@pytest.mark.parametrize("grouped", [None, False, True])
@pytest.mark.parametrize("seed", range(3))
def test_augment__batch_equals_one_by_one(seed: int, grouped: bool | None) -> None:
    images = some_images(48, seed=seed)
    kept = images.clone()
    params = draw_augmentation(48, torch.Generator().manual_seed(seed))
    result = augment(images, params, grouped=grouped)
    assert torch.equal(result, one_by_one(images, params, InterpolationMode.BILINEAR))
    assert torch.equal(images, kept)
    assert not torch.equal(result, images)


def test_augment__flip_alone() -> None:
    images = some_images(2)
    params = draw_augmentation(2, torch.Generator().manual_seed(0), flip_probability=1.0, num_operations=0)
    assert torch.equal(augment(images, params), images.flip(-1))


def test_augment__no_images_and_one_pixel() -> None:
    generator = torch.Generator().manual_seed(0)
    assert augment(some_images(0), draw_augmentation(0, generator)).shape == (0, 3, 24, 32)
    pixels = torch.full((30, 3, 1, 1), 9, dtype=torch.uint8)
    assert augment(pixels, draw_augmentation(30, generator)).shape == pixels.shape


def test_augment__other_number_of_images() -> None:
    with pytest.raises(ValueError, match="parameters for 3 images, but the batch has 2"):
        augment(some_images(2), draw_augmentation(3, torch.Generator()))


def test_draw__same_seed_same_draw() -> None:
    first, second = (draw_augmentation(64, torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(first.flips, second.flips)
    assert torch.equal(first.operations, second.operations)
    assert torch.equal(first.signs, second.signs)


def test_draw__is_uniform() -> None:
    params = draw_augmentation(20_000, torch.Generator().manual_seed(0))
    shares = torch.bincount(params.operations.flatten(), minlength=len(OPERATIONS)) / params.operations.numel()
    assert shares.sub(1 / len(OPERATIONS)).abs().max() < 0.006
    assert abs(params.flips.float().mean().item() - 0.5) < 0.02
    signed = torch.tensor([name in SIGNED for name in OPERATIONS])[params.operations]
    assert abs((params.signs[signed] < 0).float().mean().item() - 0.5) < 0.02
    assert (params.signs[~signed] == 1).all()


def test_draw__level_out_of_range() -> None:
    with pytest.raises(ValueError, match=r"level must be in \[0, 30\], but got 31"):
        draw_augmentation(1, torch.Generator(), level=31)
