"""How much faster a training batch is ready: pixel cache and batch mixing against decoding every source in a data set.

    python tests/benchmarks/bench_pipeline.py [--folder PHOTOGRAPHS] [--size 224] [--images 512]

Both draw flip, RandAugment and partners from the whole data set for each use of an image. One thread unless told
otherwise; the cache is built beforehand, as it is once for all epochs, and that time is printed too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import count
from pathlib import Path

import torch
from per_sample import PerSampleBlends, photographs, random_states
from timing import compare, report

from logicmix_studio.images.augment import augment
from logicmix_studio.images.cache import CacheEntry, build_cache
from logicmix_studio.labels import image_id
from logicmix_studio.mixing import Normalisation, Output
from logicmix_studio.training.draws import assemble, draw_step, make_mixing
from logicmix_studio.training.memory import keep_memory
from logicmix_studio.training.settings import AugmentSettings, MixingSettings

NUM_CLASSES = 80
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def main() -> None:
    """Print one ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_memory()  # as the trainer does; here for both ways
    with tempfile.TemporaryDirectory() as made:
        paths = photographs(options.folder, options.images, Path(made))
        states = random_states(len(paths), NUM_CLASSES)
        entries = [CacheEntry(image_id(str(number)), path) for number, path in enumerate(paths)]
        began = time.perf_counter()
        cache = build_cache(Path(made) / "cache", entries, options.size, workers=options.threads)
        print(f"cache of {len(paths)} images built once in {time.perf_counter() - began:.1f} s")

        loader = torch.utils.data.DataLoader(
            PerSampleBlends(paths, states, options.size),
            batch_size=options.batch,
            shuffle=True,
            drop_last=True,
        )
        batches = iter(loader)
        anchors, known, steps = torch.arange(len(paths)), torch.from_numpy(states), count()
        mixing, rows = MixingSettings(), torch.arange(len(paths))

        def slow() -> object:
            nonlocal batches
            try:
                return next(batches)
            except StopIteration:
                batches = iter(loader)
                return next(batches)

        def fast() -> object:
            step = next(steps)
            chosen = anchors[torch.randperm(len(anchors))[: options.batch]]
            draw = draw_step(chosen, len(anchors), mixing, AugmentSettings(), seed=0, epoch=0, step=step)
            pixels = augment(cache.rows(rows[draw.rows]).to(options.device), draw.augmentation)
            return assemble(draw, pixels, known[draw.rows], make_mixing(mixing), Output(normalisation=IMAGENET))

        report([compare(f"input pipeline, {options.size} px", slow, fast, aim=4.0, options=options)])


if __name__ == "__main__":
    main()
