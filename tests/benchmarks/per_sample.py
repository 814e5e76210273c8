"""Training as a data set wrapper does it, one sample at a time: what the trainer is measured against.

Each item decodes and augments every one of its sources with Pillow, mixes them, and mixes float labels in which nan is
unknown; the loss evaluates both of its branches for all rows; the average of the weights is updated tensor by tensor.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torchvision import transforms

PHOTO_SIZE = (500, 375)


class PerSampleBlends(torch.utils.data.Dataset[tuple[Tensor, Tensor, bool]]):
    """Blends made item by item.

    Args:
        paths: N image files.
        states: (N, C) in {-1, 0, 1}.
        size: Width and height of a training image.
        seed: Of all draws.
    """

    def __init__(self, paths: Sequence[Path], states: NDArray[np.int8], size: int, seed: int = 0) -> None:
        self.paths = list(paths)
        self.targets = np.where(states == 0, np.nan, (states > 0)).astype(np.float32)
        self.generator = np.random.default_rng(seed)
        self.transform = transforms.Compose(
            [
                transforms.RandomHorizontalFlip(),
                transforms.RandAugment(interpolation=transforms.InterpolationMode.BILINEAR),
                transforms.Resize((size, size)),
                transforms.ToTensor(),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, bool]:
        if self.generator.random() > 0.5:
            return self.read(index), torch.from_numpy(self.targets[index]), False
        rows = self.generator.integers(0, len(self), self.generator.integers(2, 4))
        rows[0] = index
        image = torch.stack([self.read(row) for row in rows]).mean(0)
        return image, mix_targets(torch.from_numpy(self.targets[rows])), True

    def read(self, index: int) -> Tensor:
        """Decode and augment one source."""
        with Image.open(self.paths[index]) as image:
            tensor: Tensor = self.transform(image.convert("RGB"))
        return tensor


def mix_targets(targets: Tensor) -> Tensor:
    """Return 1 where any source is 1, 0 where all are 0, else nan; (K, C) to (C,)."""
    has_positive = (targets == 1).any(0)
    all_negative = (targets == 0).all(0)
    return torch.where(has_positive, 1.0, torch.where(all_negative, 0.0, float("nan")))


def both_branches(logits: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
    """Return the decoupled loss as a sum, with both settings evaluated for every row."""
    losses = [_branch(logits, targets, *setting) for setting in ((0, 4, 0.05), (4, 0, 0.0))]
    return (losses[0] * ~mixed[:, None] + losses[1] * mixed[:, None]).sum()


def _branch(logits: Tensor, targets: Tensor, gamma_positive: int, gamma_negative: int, shift: float) -> Tensor:
    labels = torch.where(torch.isnan(targets), -1.0, targets)
    p = torch.sigmoid(logits)
    q = 1 - p
    if shift:
        q = (q + shift).clamp(max=1)
    loss = (labels == 1) * torch.log(p.clamp(min=1e-8)) + (labels == 0) * torch.log(q.clamp(min=1e-8))
    with torch.no_grad():
        chance = p * (labels == 1) + q * (labels == 0)
        gamma = gamma_positive * (labels == 1) + gamma_negative * (labels == 0)
        weight = torch.pow(1 - chance, gamma)
    return -loss * weight


class PerSampleTrainer:
    """A training step in float32 with a weight average held in a second network.

    Args:
        net: Trained in place.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net.train()
        self.average = copy.deepcopy(net)
        self.optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, weight_decay=1e-4)

    def step(self, images: Tensor, targets: Tensor, mixed: Tensor) -> float:
        """Train on one batch and return the loss."""
        loss = both_branches(self.net(images), targets, mixed)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            for mine, theirs in zip(self.average.state_dict().values(), self.net.state_dict().values(), strict=True):
                mine.copy_(0.999 * mine + (1 - 0.999) * theirs)
        return float(loss.detach().cpu())


def photographs(folder: Path | None, count: int, made_in: Path) -> list[Path]:
    """Return image files: those of a folder, or JPEGs of smooth noise of a photograph's size."""
    if folder is not None:
        found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
        return [found[number % len(found)] for number in range(count)]
    generator = np.random.default_rng(0)
    paths = []
    for number in range(count):
        coarse = Image.fromarray(generator.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(PHOTO_SIZE, Image.Resampling.BICUBIC), dtype=np.int16)
        grain = generator.integers(-12, 13, smooth.shape)
        paths.append(made_in / f"{number}.jpg")
        Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(paths[-1], quality=88)
    return paths


def random_states(num_images: int, num_classes: int, seed: int = 0) -> NDArray[np.int8]:
    """Return states of which a tenth is known."""
    generator = np.random.default_rng(seed)
    truth = np.where(generator.random((num_images, num_classes)) < 0.07, 1, -1)
    return np.where(generator.random(truth.shape) < 0.1, truth, 0).astype(np.int8)
