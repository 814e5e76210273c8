"""How much faster the closed form of the decoupled loss is than the published one, forward and backward.

    python tests/benchmarks/bench_loss.py

The published form computes the loss of an original sample and the loss of a blend for every row, each from
clamped probabilities, and keeps one of the two.
"""

from __future__ import annotations

import torch
from timing import arguments, compare, report
from torch import Tensor

from logicmix_studio.losses import (
    MIXED_SETTINGS,
    ORIGINAL_SETTINGS,
    AsymmetricSettings,
    decoupled_partial_asymmetric_loss,
)

NUM_ROWS, NUM_CLASSES = 1024, 1000
SMALLEST_PROBABILITY = 1e-8


def published_cells(logits: Tensor, targets: Tensor, settings: AsymmetricSettings) -> Tensor:
    """Loss of each cell from probabilities; targets are 1, 0 or nan."""
    is_positive, is_negative = (targets == 1).float(), (targets == 0).float()
    score = torch.sigmoid(logits)
    complement = (1 - score).clamp(min=SMALLEST_PROBABILITY)
    score = score.clamp(min=SMALLEST_PROBABILITY)
    if settings.shift > 0:
        complement = (complement + settings.shift).clamp(max=1)
    cells = is_positive * torch.log(score) + is_negative * torch.log(complement)
    with torch.no_grad():
        right = score * is_positive + complement * is_negative
        power = settings.gamma_positive * is_positive + settings.gamma_negative * is_negative
        weight = torch.pow(1 - right, power)
    return -cells * weight


def published_loss(logits: Tensor, targets: Tensor, mixed: Tensor) -> Tensor:
    """Both losses for all rows, combined by the flag and summed."""
    flag = mixed.float()[:, None]
    original = published_cells(logits, targets, ORIGINAL_SETTINGS)
    blended = published_cells(logits, targets, MIXED_SETTINGS)
    return (original * (1 - flag) + blended * flag).sum()


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "")
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(NUM_ROWS, NUM_CLASSES, generator=generator) * 3
    states = torch.randint(-1, 2, (NUM_ROWS, NUM_CLASSES), generator=generator, dtype=torch.int8)
    mixed = torch.rand(NUM_ROWS, generator=generator) < 0.5
    targets = torch.where(states == 0, torch.nan, (states > 0).float())
    logits, states, targets = (tensor.to(options.device) for tensor in (logits, states, targets))
    mixed_there = mixed.to(options.device)

    def slow() -> Tensor:
        leaf = logits.detach().requires_grad_()
        published_loss(leaf, targets, mixed_there).backward()
        assert leaf.grad is not None
        return leaf.grad

    def step(compiled: bool) -> Tensor:
        leaf = logits.detach().requires_grad_()
        decoupled_partial_asymmetric_loss(leaf, states, mixed, compiled=compiled).backward()
        assert leaf.grad is not None
        return leaf.grad

    figures = []
    for name, aim, compiled in (("eager", 2, False), ("compiled", 5, True)):
        torch.testing.assert_close(step(compiled), slow(), atol=1e-5, rtol=0)
        figures.append(
            compare(
                f"loss and gradient, {NUM_ROWS} x {NUM_CLASSES}, {name}",
                slow,
                lambda chosen=compiled: step(chosen),
                aim=aim,
                options=options,
            )
        )
    report(figures)


if __name__ == "__main__":
    main()
