"""A network's passes recorded as CUDA graphs, so that a GPU gets them as one command instead of some hundreds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from logicmix_studio.training.precision import Precision

Graphs = Mapping[int, nn.Module]
"""Recorded networks by the number of images that each takes."""


class _Recorded(nn.Module):
    """Shares the network's weights; recording replaces a module's ``forward``, which the network itself keeps."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        return logits


def record(net: nn.Module, sizes: Iterable[int], side: int, precision: Precision, device: torch.device) -> Graphs:
    """Record the forward and the backward pass of a network in training mode.

    A small network is limited by the launching of its kernels, not by their work: EfficientNet-Lite0 at 224 px keeps
    an H200 busy for half of the time at a batch of 128. No other thread may use the device meanwhile. Gradients of a
    recorded network lie in memory that its next pass writes over, so they must not be added up over several passes.

    Args:
        net: In training mode, on the device; weights, running statistics and gradients are left as they were.
        sizes: Numbers of images.
        side: S, of the images (n, 3, S, S), float32 and channels last.
        precision: Working type; float16 and bfloat16 cast the weights anew in every pass.
        device: A GPU.

    Raises:
        RuntimeError: If the network does what can't be recorded, or memory runs out.
    """
    buffers = [(buffer, buffer.clone()) for buffer in net.buffers()]
    found: dict[int, nn.Module] = {}
    try:
        for size in sorted(set(sizes)):
            shell = _Recorded(net)
            images = torch.zeros(size, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
            with precision.autocast():
                recorded: Any = torch.cuda.make_graphed_callables(shell, (images,))
            found[size] = recorded
    finally:
        net.zero_grad(set_to_none=True)
        for buffer, value in buffers:
            buffer.copy_(value)
    return found
