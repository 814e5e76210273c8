"""How fast a training step is, what LogicMix costs an epoch, and what a scoring pass costs.

    python tests/benchmarks/bench_training.py [--folder PHOTOGRAPHS] [--backbone resnet18] [--size 160]

Whole step: decoding, augmentation, mixing, network, loss, optimiser and average of the weights, against the
same done per sample in float32, as it was published. Epoch: the trainer's own epoch with LogicMix against one
without. Scoring: all images for pseudo-labels against one epoch. Weights are random; times do not depend on them.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from per_sample import PerSampleBlends, PerSampleTrainer, photographs, random_states
from timing import Figure, compare, report

from logicmix_studio.images.cache import CacheEntry, PixelCache, build_cache
from logicmix_studio.labels import image_id
from logicmix_studio.training.backbone import create_net, normalisation_of
from logicmix_studio.training.config import FullSettings, RunConfig
from logicmix_studio.training.device import allow_tf32
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.ema import WeightAverage
from logicmix_studio.training.feed import DevicePixels
from logicmix_studio.training.loop import Engine, LossMeter
from logicmix_studio.training.memory import keep_memory
from logicmix_studio.training.optimizer import make_optimizer
from logicmix_studio.training.precision import choose_precision
from logicmix_studio.training.schedule import make_plan
from logicmix_studio.training.scoring import score_images

NUM_CLASSES = 80


def main() -> None:
    """Print three ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="bfloat16", choices=("float32", "bfloat16", "float16"))
    options = parser.parse_args()
    keep_memory()  # for both sides, as the trainer's process does
    torch.set_num_threads(options.threads)
    allow_tf32(True)
    with tempfile.TemporaryDirectory() as made:
        paths = photographs(options.folder, options.images, Path(made))
        states = random_states(len(paths), NUM_CLASSES)
        entries = [CacheEntry(image_id(str(number)), path) for number, path in enumerate(paths)]
        cache = build_cache(Path(made) / "cache", entries, options.size)
        report([step_figure(paths, states, cache, options), *epoch_figures(states, cache, options)])


def step_figure(paths: list[Path], states: NDArray[np.int8], cache: PixelCache, options: argparse.Namespace) -> Figure:
    """Compare one whole training step."""
    settings = make_settings(options, "logicmix")
    trainer = PerSampleTrainer(create_net(settings.backbone, NUM_CLASSES, seed=0).to(options.device))
    items = PerSampleBlends(paths, states, options.size)
    loader = torch.utils.data.DataLoader(items, batch_size=options.batch, shuffle=True, drop_last=True)
    engine, known = make_engine(settings, states, cache, options), torch.from_numpy(states)
    steps, meter = count(), LossMeter(torch.device(options.device))
    batches = iter(loader)

    def slow() -> object:
        nonlocal batches
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        return trainer.step(*(part.to(options.device) for part in batch))

    def fast() -> object:
        place = divmod(next(steps) % engine.plan.total_steps, engine.plan.steps_per_epoch)
        engine.train_step(known, *place, meter)
        return meter.means()

    name = f"whole step, {options.backbone} at {options.size} px, {engine.precision.name}"
    return compare(name, slow, fast, aim=3.3, options=options)


def epoch_figures(states: NDArray[np.int8], cache: PixelCache, options: argparse.Namespace) -> list[Figure]:
    """Compare an epoch with LogicMix to one without, and a scoring pass to an epoch."""
    blended = make_epoch(make_settings(options, "logicmix"), states, cache, options)
    plain = make_epoch(make_settings(options, "none"), states, cache, options)
    engine = make_engine(make_settings(options, "logicmix"), states, cache, options)
    rows = np.arange(len(states))

    def score() -> object:
        with engine.average.applied(engine.net):
            return score_images(
                engine.net,
                engine.pixels,
                rows,
                precision=engine.precision,
                normalisation=engine.normalisation,
                batch_size=64,
            )

    return [
        # 1 / 1.05: with LogicMix an epoch may take 5 % longer than without.
        compare("epoch without against with LogicMix", plain, blended, aim=1 / 1.05, options=options),
        compare("epoch against scoring all images", blended, score, aim=5.0, options=options),
    ]


def make_epoch(
    settings: FullSettings, states: NDArray[np.int8], cache: PixelCache, options: argparse.Namespace
) -> Callable[[], object]:
    """Return a call that trains one epoch."""
    engine, known, epochs = make_engine(settings, states, cache, options), torch.from_numpy(states), count()

    def run() -> object:
        epoch = next(epochs) % engine.plan.epochs
        meter = LossMeter(engine.device)
        for step in range(engine.plan.steps_per_epoch):
            engine.train_step(known, epoch, step, meter)
        return meter.means()

    return run


def make_settings(options: argparse.Namespace, method: str) -> FullSettings:
    """Return the settings of the method, for one micro-batch a step."""
    settings = RunConfig.create(
        "2wayaug-pl",
        overrides={
            "backbone.name": options.backbone,
            "backbone.weights": "random",
            "backbone.pooling": "mean",
            "backbone.image_size": options.size,
            "mixing.method": method,
            "optimizer.batch_size": options.batch,
            "optimizer.micro_batch": options.batch,
        },
    ).settings
    assert isinstance(settings, FullSettings)
    return settings


def make_engine(
    settings: FullSettings, states: NDArray[np.int8], cache: PixelCache, options: argparse.Namespace
) -> Engine:
    """Return all that trains a fresh network, in the precision that the trial chooses."""
    device = torch.device(options.device)
    net = create_net(settings.backbone, NUM_CLASSES, seed=0).to(device).to(memory_format=torch.channels_last)
    normalisation = normalisation_of(settings.backbone)

    # Named, not tried: whether bfloat16 agrees with float32 cannot be seen on random weights.
    precision = choose_precision(options.precision, net, device, lambda: torch.empty(0))
    net.train()
    return Engine(
        settings=settings,
        plan=make_plan(settings, len(states)),
        model=net,
        net=net,
        optimizer=make_optimizer(net, 1e-4, 1e-4),
        average=WeightAverage(net, 0.999, has_warmup=True),
        scaler=torch.amp.GradScaler(device.type, enabled=precision.needs_scaler),
        precision=precision,
        device=device,
        processes=ProcessGroup(),
        pixels=DevicePixels(cache, device),
        cache_rows=torch.arange(len(states)),
        normalisation=normalisation,
        seed=0,
        micro_batch=options.batch,
    )


if __name__ == "__main__":
    main()
