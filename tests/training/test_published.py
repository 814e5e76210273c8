"""Ten steps of ours against ten steps of the published loop: losses, weights and their moving average.

``tests/data/published_steps.npz`` holds pixels, states, first weights and draws, and what the training loop published with
the paper (github.com/maxium0526/logic_mix: its losses, blends, Adam groups and moving average; OneCycle over the true
number of steps) made of them in float64: the loss of each step, weights and average after the tenth.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.loop import LossMeter
from tests.training.engines import build_engine

REFERENCE = Path(__file__).parent.parent / "data" / "published_steps.npz"
BATCH, ACCUMULATED = 24, 4
GRID = 255 * 6
"""Means of one to three pixels are multiples of 1 / GRID."""


class Net(nn.Module):
    """A network in float64; its input is rounded to the nearest mean of pixels, so that the order of adding plays no part."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.head = nn.Linear(4, 6)
        self.double()

    def forward(self, images):
        return self.head(self.backbone((images.double() * GRID).round() / GRID))


def make_engine(net, pixels):
    settings = RunConfig.create(
        "2wayaug-pl",
        overrides={
            "optimizer.batch_size": BATCH,
            "optimizer.learning_rate": 0.01,  # the released one would move so few steps by little
            "schedule.epochs": 5,
            "schedule.min_steps": 0,
            "augment.flip_probability": 0.0,
            "augment.num_operations": 0,
        },
    ).settings
    engine = build_engine(net, pixels, settings, has_warmup=False, seed=526, micro_batch=BATCH // ACCUMULATED)
    engine.to_training()
    return engine


def sources_of(draw):
    """Return the images of each sample as (B, 3), filled up with -1."""
    per_sample = torch.split(draw.rows, draw.params.counts.tolist())
    return np.array([[*rows.tolist(), *[-1] * (3 - len(rows))] for rows in per_sample])


def test_ten_steps_agree_with_the_published_loop():
    with np.load(REFERENCE) as reference:
        arrays = dict(reference)
    net = Net()
    start = {name: torch.from_numpy(arrays[f"start.{name}"]) for name in net.state_dict()}
    net.load_state_dict(start)
    engine = make_engine(net, torch.from_numpy(arrays["pixels"]))
    states = torch.from_numpy(arrays["states"])
    assert engine.plan.total_steps == len(arrays["losses"]) == 10

    for taken, loss in enumerate(arrays["losses"]):
        epoch, step = divmod(taken, engine.plan.steps_per_epoch)
        draw, _ = engine._draw(epoch, step)
        np.testing.assert_array_equal(
            sources_of(draw), arrays["sources"][taken], err_msg="other draws than the loop had"
        )
        meter = LossMeter(torch.device("cpu"))
        engine.train_step(states, epoch, step, meter)
        assert float(meter.sums.sum()) / ACCUMULATED == pytest.approx(loss, rel=1e-6)
    engine.feed.close()

    assert 0.2 < arrays["mixed"].mean() < 0.8
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(value.numpy(), arrays[f"end.{name}"], rtol=0, atol=1e-12, err_msg=name)
        assert name.endswith("num_batches_tracked") or not np.allclose(value.numpy(), start[name].numpy()), name
    for name, value in engine.average.state.items():
        if name.endswith("num_batches_tracked"):  # a count, which nothing reads; the published average averages it, too
            continue
        np.testing.assert_allclose(value.numpy(), arrays[f"average.{name}"], rtol=0, atol=1e-7, err_msg=name)
