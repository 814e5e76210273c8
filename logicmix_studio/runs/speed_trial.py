"""Measures how fast this machine scores and trains: ``python -m logicmix_studio.runs.speed_trial BACKBONE SIZE``.

Runs in a process of its own and imports torch late; prints one JSON object: ``{"score": images/s, "train": images/s}``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

BATCH: Final = 8
LEAST_S: Final = 1.5
"""Each of the two is repeated for about this long."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: Name of the backbone in timm and side of the images; the process's own unless given.

    Returns:
        The exit code.
    """
    backbone, size = list(sys.argv[1:] if arguments is None else arguments)
    print(json.dumps(measure(backbone, int(size))))
    return 0


def measure(backbone: str, image_size: int, least_s: float = LEAST_S) -> dict[str, float]:
    """Return images a second when scoring and when training the whole network.

    Args:
        backbone: Name of the network in timm; its weights are random, which costs the same.
        image_size: Side of the images in pixels.
        least_s: How long to measure each.

    Raises:
        StudioError: If timm has no such network.
    """
    torch = import_module("torch")
    networks = import_module("logicmix_studio.training.backbone")
    settings = import_module("logicmix_studio.training.settings")
    device = import_module("logicmix_studio.training.device").choose_device("auto")
    chosen = settings.BackboneSettings(name=backbone, image_size=image_size, weights="random")
    net = networks.create_net(chosen, 20, 0).to(device).to(memory_format=torch.channels_last)
    images = torch.rand(BATCH, 3, image_size, image_size, device=device).contiguous(
        memory_format=torch.channels_last
    )

    def score() -> None:
        with torch.inference_mode():
            _finish(torch, net(images))

    def train() -> None:
        net.zero_grad()
        logits = net(images)
        logits.square().sum().backward()
        _finish(torch, logits)

    speeds = {}
    for name, action, is_training in (("score", score, False), ("train", train, True)):
        net.train(is_training)
        speeds[name] = round(_images_per_s(action, least_s), 3)
    return speeds


def _finish(torch: Any, logits: Any) -> None:
    if logits.device.type == "cuda":
        torch.cuda.synchronize()


def _images_per_s(action: Callable[[], None], least_s: float) -> float:
    action()  # the first call allocates
    began, rounds = time.perf_counter(), 0
    while rounds == 0 or time.perf_counter() - began < least_s:
        action()
        rounds += 1
    return rounds * BATCH / (time.perf_counter() - began)


if __name__ == "__main__":
    sys.exit(main())
