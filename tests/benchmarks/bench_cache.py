"""Measure the data path: decoding, the pixel cache, augmentation, and a whole input pipeline against the naive one.

Run: `python tests/benchmarks/bench_cache.py FOLDER [--size 224] [--images 256]`. All figures are for one thread;
compare ratios within one run, as absolute numbers vary with the machine and what else it does.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms

from logicmix_studio.images.augment import augment, draw_augmentation
from logicmix_studio.images.cache import CacheEntry, PixelCache, build_cache
from logicmix_studio.images.decode import scan_images
from logicmix_studio.images.pixels import load_pixels
from logicmix_studio.labels import image_id

BATCH = 64
SOURCES = ((1, 0.5), (2, 0.25), (3, 0.25))
"""How many images a LogicMix sample has, and how often."""


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths = scan_images(options.folder).images[: options.images]
    entries = [CacheEntry(image_id(path.name), path) for path in paths]
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        cache = build_cache(Path(folder), entries, options.size, workers=1)
        print(f"built: {len(paths) / (time.process_time() - start):,.0f} images/s of CPU time")
        candidates = _candidates(paths, cache, options.size)
        best = dict.fromkeys(candidates, 0.0)
        for _ in range(options.rounds):
            for name, run in candidates.items():
                best[name] = max(best[name], _rate(run, len(paths)))
    for name, rate in best.items():
        print(f"{name:55s} {rate:10,.0f} images/s")
    print(f"{'pipeline: ratio':55s} {best['pipeline: cache'] / best['pipeline: decode every source']:10.1f} times")


def _candidates(paths: list[Path], cache: PixelCache, size: int) -> dict[str, Callable[[], object]]:
    """Return what is measured; each goes once over all images."""
    everything = np.arange(len(paths))
    shuffled = np.random.default_rng(0).permutation(len(paths))
    pixels = cache.rows(everything)
    generator = torch.Generator().manual_seed(0)
    to_tensor = transforms.Compose([transforms.Resize((size, size)), transforms.ToTensor()])
    return {
        "decode + resize, Pillow": lambda: [to_tensor(Image.open(path).convert("RGB")) for path in paths],
        "decode + resize, ours": lambda: [load_pixels(path, size) for path in paths],
        "rows of the cache, shuffled": lambda: cache.rows(shuffled),
        "flip + RandAugment on batches": lambda: [
            augment(batch, draw_augmentation(len(batch), generator)) for batch in pixels.split(BATCH)
        ],
        "pipeline: decode every source": lambda: [_naive_sample(i, paths, size) for i in range(len(paths))],
        "pipeline: cache": lambda: _cached_samples(cache, generator),
    }


def _draw_sources(anchor: int, num_images: int, rng: np.random.Generator) -> list[int]:
    """Return the anchor and its partners."""
    count = rng.choice([k for k, _ in SOURCES], p=[p for _, p in SOURCES])
    return [anchor, *rng.integers(0, num_images, count - 1).tolist()]


def _naive_sample(anchor: int, paths: list[Path], size: int) -> Tensor:
    """Decode, flip, RandAugment and resize every source of a sample with Pillow, then stack and average."""
    transform = transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandAugment(interpolation=transforms.InterpolationMode.BILINEAR),
            transforms.Resize((size, size)),
            transforms.ToTensor(),
        ]
    )
    sources = _draw_sources(anchor, len(paths), np.random.default_rng(anchor))
    return torch.stack([transform(Image.open(paths[i]).convert("RGB")) for i in sources]).mean(dim=0)


def _cached_samples(cache: PixelCache, generator: torch.Generator) -> list[Tensor]:
    """Read the sources of each batch, augment them together and average."""
    batches = []
    for start in range(0, len(cache), BATCH):
        anchors = range(start, min(start + BATCH, len(cache)))
        sources = [_draw_sources(i, len(cache), np.random.default_rng(i)) for i in anchors]
        pixels = cache.rows([i for row in sources for i in row])
        pixels = augment(pixels, draw_augmentation(len(pixels), generator))
        parts = pixels.split([len(row) for row in sources])
        batch = torch.empty(len(parts), 3, cache.size, cache.size)
        for position, part in enumerate(parts):
            torch.mean(part, dim=0, dtype=torch.float32, out=batch[position])
        batches.append(batch.div_(255))
    return batches


def _rate(run: Callable[[], object], num_images: int) -> float:
    """Return images a second of CPU time."""
    start = time.process_time()
    run()
    return num_images / (time.process_time() - start)


if __name__ == "__main__":
    main()
