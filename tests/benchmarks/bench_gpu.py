"""Where a GPU's time goes in a full run, and whether what only a GPU does is right.

    python tests/benchmarks/bench_gpu.py [--backbone tf_efficientnet_lite0] [--size 224] [--batch 128]
    python tests/benchmarks/bench_gpu.py --check

Without --check: images/s of the bare network (forward, backward and optimiser on a batch that already lies on the
device, same precision and layout), of the feed alone (draw, read, augment), of the trainer's whole step with and
without blends, and of scoring. Weights and pixels are random; times do not depend on them. With --check: bfloat16
and float16 train to finite losses, memory that runs out halves the micro-batch, the feed's stream gives what a CPU
gives, a run that is interrupted goes on with the same weights, and both precisions score alike.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from bench_training import NUM_CLASSES
from bench_training import make_engine as engine_of
from per_sample import random_states
from torch import Tensor

from logicmix_studio.images.augment import augment
from logicmix_studio.training.checkpoint import Position, restore_checkpoint, take_checkpoint
from logicmix_studio.training.config import FullSettings, RunConfig
from logicmix_studio.training.device import allow_tf32
from logicmix_studio.training.loop import Engine, LossMeter
from logicmix_studio.training.precision import Precision
from logicmix_studio.training.scoring import score_images

WARM_STEPS, STEPS = 12, 60


class MemoryPixels:
    """Random pixels in memory, where the pixel cache stands in a run."""

    num_uncached = 0

    def __init__(self, count: int, size: int) -> None:
        self.size = size
        generator = torch.Generator().manual_seed(1)
        coarse = torch.rand(count, 3, 8, 8, generator=generator)
        smooth = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
        self.values = (smooth * 255).to(torch.uint8)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.values)

    def rows(self, indices: Any, out: Tensor | None = None) -> Tensor:
        """Return the pixels of some images."""
        found = self.values[torch.as_tensor(indices)]
        return found if out is None else out.copy_(found)


def make_engine(options: argparse.Namespace, device: str, precision: str = "bfloat16", **overrides: object) -> Engine:
    """Return all that trains a fresh network on random pixels."""
    settings = RunConfig.create(
        "2wayaug-pl",
        overrides={
            "backbone.name": options.backbone,
            "backbone.weights": "random",
            "backbone.image_size": options.size,
            "optimizer.batch_size": options.batch,
            **overrides,
        },
    ).settings
    assert isinstance(settings, FullSettings)
    chosen = argparse.Namespace(**{**vars(options), "device": device, "precision": precision})
    return engine_of(settings, np.zeros((options.images, NUM_CLASSES), np.int8), options.pixels, chosen)


def timed(step: Callable[[int], object], batch: int, steps: int = STEPS) -> float:
    """Return images/s of a step, after some that are not counted."""
    for number in range(WARM_STEPS):
        step(number)
    torch.cuda.synchronize()
    began = time.perf_counter()
    for number in range(WARM_STEPS, WARM_STEPS + steps):
        step(number)
    torch.cuda.synchronize()
    return batch * steps / (time.perf_counter() - began)


def take(engine: Engine, number: int, states: Tensor, meter: LossMeter) -> None:
    """Take the n-th step of a run."""
    engine.train_step(states, *divmod(number, engine.plan.steps_per_epoch), meter)


def speeds(options: argparse.Namespace) -> dict[str, float]:
    """Return images/s by what was measured."""
    states = torch.from_numpy(random_states(options.images, NUM_CLASSES))
    engine = make_engine(options, "cuda")
    shape = (options.batch, 3, options.size, options.size)
    images = torch.randn(shape, device="cuda").to(memory_format=torch.channels_last)

    def bare(_: int) -> None:
        with engine.precision.autocast():
            loss = engine.net(images).float().square().mean()
        loss.backward()
        engine.optimizer.step()
        engine.optimizer.zero_grad(set_to_none=True)

    found = {"bare network": timed(bare, options.batch)}
    kinds: dict[str, dict[str, object]] = {
        "whole step, not recorded": {},
        "whole step": {},
        "whole step without blends": {"mixing.method": "none"},
    }
    for name, overrides in kinds.items():
        engine = make_engine(options, "cuda", **overrides)
        if "not recorded" not in name:
            engine.record()
        meter = LossMeter(engine.device)
        found[name] = timed(lambda n, engine=engine, meter=meter: take(engine, n, states, meter), options.batch)
        found[f"{name}: waited for the feed"] = engine.feed.take_wait()
        engine.feed.close()
    engine = make_engine(options, "cuda")
    found["feed alone"] = timed(
        lambda n: engine.feed.take(*divmod(n, engine.plan.steps_per_epoch)), options.batch, STEPS
    )
    engine.feed.close()

    def score(_: int) -> None:
        score_images(
            engine.net.eval(),  # type: ignore[arg-type]  # it is one
            engine.pixels,
            np.arange(options.images),
            precision=engine.precision,
            normalisation=engine.normalisation,
            batch_size=512,
        )

    found["scoring"] = timed(score, options.images, 5)
    return found


def largest_gap(one: Engine, other: Engine) -> float:
    """Return the largest difference between the weights of two networks."""
    pairs = zip(one.net.parameters(), other.net.parameters(), strict=True)
    return max(float((mine - theirs).abs().max()) for mine, theirs in pairs)


def check(options: argparse.Namespace) -> None:
    """Fail loudly where a GPU does something wrong."""
    options = argparse.Namespace(**{**vars(options), "backbone": "resnet18", "size": 64, "batch": 32, "images": 256})
    options.pixels = MemoryPixels(options.images, options.size)
    states = torch.from_numpy(random_states(options.images, NUM_CLASSES))
    for precision in ("float32", "bfloat16", "float16"):
        engine, meter = make_engine(options, "cuda", precision), LossMeter(torch.device("cuda"))
        for number in range(20):
            take(engine, number, states, meter)
        engine.feed.close()
        means = meter.means()
        assert all(mean is not None and np.isfinite(mean) for mean in means), (precision, means)
        print(f"ok  20 steps in {precision}: losses {means}")

    whole, recorded, meter = make_engine(options, "cuda"), make_engine(options, "cuda"), LossMeter(torch.device("cuda"))
    before = {name: tensor.clone() for name, tensor in recorded.net.state_dict().items()}
    recorded.record()
    assert all(torch.equal(before[name], tensor) for name, tensor in recorded.net.state_dict().items())
    for number in range(10):
        take(whole, number, states, meter)
        take(recorded, number, states, meter)
    gap = largest_gap(whole, recorded)
    assert recorded.graphs, "nothing was recorded"
    assert gap < 1e-2, gap
    print(f"ok  recorded passes: weights differ by {gap:.1e} at the most after 10 steps")
    whole.feed.close()
    recorded.feed.close()

    engine = make_engine(options, "cuda")
    prepared, draw = engine.feed.take(0, 1), engine.feed.take(0, 1).draw
    torch.cuda.synchronize()
    expected = augment(options.pixels.rows(engine.cache_rows[draw.rows]), draw.augmentation)
    off = (prepared.pixels.cpu().int() - expected.int()).abs()
    assert (off > 1).float().mean() < 1e-3, f"augmentation differs from the CPU's: {off.float().mean()}"
    print(f"ok  augmented on a stream of its own as on a CPU: {(off > 0).float().mean():.2e} of the bytes differ")

    engine = make_engine(options, "cuda")
    free = torch.cuda.mem_get_info()[0]
    greedy = torch.empty(max(0, free - (3 << 30)), dtype=torch.uint8, device="cuda")
    large = argparse.Namespace(**{**vars(options), "size": 256, "batch": 256})
    large.pixels = MemoryPixels(large.images, large.size)
    hungry, meter = make_engine(large, "cuda", "float32"), LossMeter(torch.device("cuda"))
    take(hungry, 0, states, meter)
    assert hungry.halvings, "memory did not run out"
    print(f"ok  memory ran out: micro-batches {hungry.halvings}, losses {meter.means()}")
    hungry.feed.close()
    del greedy, hungry
    torch.cuda.empty_cache()

    whole, broken, meter = make_engine(options, "cuda"), make_engine(options, "cuda"), LossMeter(torch.device("cuda"))
    for number in range(8):
        take(whole, number, states, meter)
    for number in range(4):
        take(broken, number, states, meter)
    kept = take_checkpoint(broken, np.zeros((1, 1), np.int8), {}, Position())
    kept = dataclasses.replace(
        kept, groups={group: {n: t.clone() for n, t in some.items()} for group, some in kept.groups.items()}
    )
    resumed = make_engine(options, "cuda")
    restore_checkpoint(kept, resumed)
    for number in range(4, 8):
        take(resumed, number, states, meter)
    gap = largest_gap(whole, resumed)
    assert gap < 1e-2, gap
    print(f"ok  resumed after 4 of 8 steps: weights differ by {gap:.1e} at the most")
    for engine in (whole, broken, resumed):
        engine.feed.close()

    rows = np.arange(options.images)
    scored = {
        name: score_images(
            whole.net.eval(),  # type: ignore[arg-type]  # it is one
            whole.pixels,
            rows,
            precision=Precision(name, "cuda"),  # type: ignore[arg-type]  # one of the three names
            normalisation=whole.normalisation,
            batch_size=100,
        ).logits
        for name in ("float32", "bfloat16", "float16")
    }
    for name in ("bfloat16", "float16"):
        gap = float(np.abs(scored[name] - scored["float32"]).mean() / scored["float32"].std())
        assert gap < 0.05, (name, gap)
        print(f"ok  scored in {name}: {gap:.1e} deviations from float32")


def main() -> None:
    """Measure, or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--benchmark", action="store_true", help="let cuDNN try its algorithms")
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    allow_tf32(True)
    torch.backends.cudnn.benchmark = options.benchmark
    if options.check:
        return check(options)
    options.pixels = MemoryPixels(options.images, options.size)
    found = speeds(options)
    print(torch.cuda.get_device_name(), torch.__version__)
    for name, value in found.items():
        share = f"{value / found['bare network']:7.1%} of the bare network" if "waited" not in name else "s"
        print(f"{name:40} {value:10.1f} {share}")
    print(json.dumps(found))
    return None


if __name__ == "__main__":
    main()
