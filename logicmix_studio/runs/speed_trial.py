"""Measures how fast this machine scores and trains: ``python -m logicmix_studio.runs.speed_trial BACKBONE SIZE``.

A process of its own, as it imports torch; prints one JSON object: ``{"score": images/s, "train": images/s}``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Final

import torch

from logicmix_studio.training.backbone import create_net
from logicmix_studio.training.device import choose_device
from logicmix_studio.training.settings import BackboneSettings

BATCH: Final = 8
LEAST_S: Final = 1.5
"""Each of the two is repeated for about this long."""


def measure(backbone: str, image_size: int, least_s: float = LEAST_S) -> dict[str, float]:
    """Return images a second when scoring and when training the whole network; refuses one that timm does not have.

    Its weights are random, which costs the same. Images have ``image_size`` pixels a side; each is measured for
    ``least_s`` seconds.
    """
    device = choose_device("auto")
    net = create_net(BackboneSettings(name=backbone, image_size=image_size, weights="random"), 20, 0)
    net = net.to(device).to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, 3, image_size, image_size, device=device)
    images = images.contiguous(memory_format=torch.channels_last)

    def score() -> None:
        with torch.inference_mode():
            net(images)

    def train() -> None:
        net.zero_grad()
        net(images).square().sum().backward()

    speeds = {}
    for name, action, is_training in (("score", score, False), ("train", train, True)):
        net.train(is_training)
        speeds[name] = round(_images_per_s(action, device, least_s), 3)
    return speeds


def _images_per_s(action: Callable[[], None], device: torch.device, least_s: float) -> float:
    action()  # the first call allocates
    began, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - began < least_s:
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        rounds += 1
    return rounds * BATCH / (time.perf_counter() - began)


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))  # its output is its answer
