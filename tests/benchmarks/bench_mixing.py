"""How much faster a batch is mixed than sample by sample.

    python tests/benchmarks/bench_mixing.py

The slow way is what a data set wrapper does: each item turns its sources into float images, stacks them and
takes their mean, mixes its labels with nan for unknown, and the loader stacks the items.
"""

from __future__ import annotations

import torch
from timing import arguments, compare, report
from torch import Tensor

from logicmix_studio.mixing import LogicMix, MixParams, Normalisation, Output, or_states

BATCH, POOL, NUM_CLASSES, PIXELS = 64, 112, 80, 224
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def mix_labels_slowly(targets: Tensor, sources: list[list[int]]) -> Tensor:
    """Mix float labels (1, 0, nan) one sample after the other, and collate."""
    mixed = []
    for rows in sources:
        stacked = torch.stack([targets[row] for row in rows])
        has_positive = torch.nansum(stacked, dim=0) > 0
        # A sum that holds one nan is nan: unknown wherever no positive decides.
        mixed.append(torch.where(has_positive, torch.ones_like(stacked[0]), stacked.sum(dim=0)))
    return torch.stack(mixed)


def mix_images_slowly(images: Tensor, sources: list[list[int]], normalisation: Normalisation | None) -> Tensor:
    """Mix uint8 images one sample after the other, and collate."""
    mixed = []
    for rows in sources:
        floats = [images[row].to(torch.float32).div(255) for row in rows]
        image = torch.stack(floats).mean(dim=0) if len(floats) > 1 else floats[0]
        if normalisation is not None:
            mean, std = (
                torch.tensor(values, device=images.device)[:, None, None]
                for values in (normalisation.mean, normalisation.std)
            )
            image = (image - mean) / std
        mixed.append(image)
    return torch.stack(mixed)


def draw(probability: float) -> tuple[MixParams, list[list[int]]]:
    """Draw a batch, and the same sources as lists for the slow way."""
    generator = torch.Generator().manual_seed(526)
    anchors = torch.randperm(POOL, generator=generator)[:BATCH]
    params = LogicMix(probability).make_params(anchors, POOL, generator)
    lists = [row[:count] for row, count in zip(params.sources.tolist(), params.counts.tolist(), strict=True)]
    return params, lists


def main() -> None:
    """Measure and print."""
    options = arguments(__doc__ or "")
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (POOL, 3, PIXELS, PIXELS), generator=generator, dtype=torch.uint8)
    states = torch.randint(-1, 2, (POOL, NUM_CLASSES), generator=generator, dtype=torch.int8)
    targets = torch.where(states == 0, torch.nan, (states > 0).float())
    images, states, targets = (tensor.to(options.device) for tensor in (images, states, targets))
    buffer = torch.empty(BATCH, 3, PIXELS, PIXELS, device=options.device)
    method, (all_mixed, all_lists), (params, lists) = LogicMix(), draw(1.0), draw(0.5)

    slow_states = mix_labels_slowly(targets, all_lists)
    assert or_states(states, all_mixed.sources).eq(1).equal(slow_states.ge(1))
    assert or_states(states, all_mixed.sources).eq(0).equal(slow_states.isnan())
    figures = [
        compare(
            f"labels, {BATCH} x {NUM_CLASSES}, k in 2..3",
            lambda: mix_labels_slowly(targets, all_lists),
            lambda: or_states(states, all_mixed.sources),
            aim=50,
            options=options,
            calls=20,
        )
    ]
    for name, normalisation in (("", None), (", normalised", IMAGENET)):
        output = Output(normalisation=normalisation, buffer=buffer)
        slow_images = mix_images_slowly(images, lists, normalisation)
        fast_images = method.transform(images, states, params, output).images
        torch.testing.assert_close(fast_images, slow_images, atol=2e-6, rtol=0)
        figures.append(
            compare(
                f"images and labels, {BATCH} at {PIXELS} px, uint8 in{name}",
                lambda n=normalisation: mix_images_slowly(images, lists, n),
                lambda o=output: method.transform(images, states, params, o),
                aim=6,
                options=options,
            )
        )
    report(figures)


if __name__ == "__main__":
    main()
