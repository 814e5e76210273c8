"""In which precision the network computes, and the trial that decides it on a CPU.

On a CPU the backward pass of grouped convolutions in bfloat16 is slower than in float32, so they are kept
in float32 inside a bfloat16 network; whether bfloat16 pays at all differs from machine to machine, so it is
tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

PrecisionName = Literal["float32", "bfloat16", "float16"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_TIMED_STEPS = 3
_TOLERANCE = 0.05
_GAIN_NEEDED = 0.95
_BFLOAT16_SINCE = (8, 0)
"""Compute capability of the first GPUs (Ampere) with bfloat16 in hardware."""


@dataclass(frozen=True)
class Precision:
    """The working type of the network's products; weights stay float32."""

    name: PrecisionName = "float32"
    device_type: str = "cpu"

    @property
    def needs_scaler(self) -> bool:
        """Whether small gradients would vanish without scaling."""
        return self.name == "float16"

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the network is called."""
        if self.name == "float32":
            return nullcontext()
        # Without the cache of cast weights, which a recorded pass would find filled once and never again.
        return torch.autocast(self.device_type, dtype=_DTYPES[self.name], cache_enabled=self.device_type != "cuda")


def choose_precision(name: str, model: nn.Module, device: torch.device, example: Callable[[], Tensor]) -> Precision:
    """Return the precision that the settings ask for, or the fastest that agrees with float32.

    Args:
        name: ``auto`` or a precision.
        model: The network; left as it was.
        device: Where it computes.
        example: Gives a small batch of network input for the trial on a CPU.
    """
    if device.type == "cpu":
        keep_grouped_in_float32(model)
    if name != "auto":
        return Precision(_named(name), device.type)
    if device.type == "cuda":
        # is_bf16_supported() asks the first GPU, and says yes also where bfloat16 is only emulated.
        has_bfloat16 = torch.cuda.get_device_capability(device) >= _BFLOAT16_SINCE
        return Precision("bfloat16" if has_bfloat16 else "float16", "cuda")
    if device.type == "cpu":
        return try_precisions(model, example())
    return Precision("float32", device.type)


def try_precisions(model: nn.Module, images: Tensor) -> Precision:
    """Time a training step in float32 and bfloat16 on this CPU and return the faster one that agrees.

    Args:
        model: The network; its weights, buffers and gradients are left as they were.
        images: (B, 3, H, W) network input.
    """
    state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    was_training = model.training
    trials = {name: _trial(model, images, Precision(name)) for name in ("float32", "bfloat16")}
    model.load_state_dict(state)
    model.zero_grad(set_to_none=True)
    model.train(was_training)
    (seconds, logits), (bf16_seconds, bf16_logits) = trials["float32"], trials["bfloat16"]
    scale = float(logits.std()) + 1e-6
    agrees = bool(torch.isfinite(bf16_logits).all()) and float((bf16_logits - logits).abs().mean()) < _TOLERANCE * scale
    is_faster = bf16_seconds < _GAIN_NEEDED * seconds
    return Precision("bfloat16" if agrees and is_faster else "float32")


def keep_grouped_in_float32(model: nn.Module) -> None:
    """Make grouped convolutions compute in float32 also under autocast; nothing else changes."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.groups > 1 and "forward" not in vars(module):
            # mypy refuses a plain assignment to a method
            setattr(module, "forward", _in_float32(module.forward))  # noqa: B010


def _in_float32(forward: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def call(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, enabled=False):
            return forward(images.float())

    return call


def _trial(model: nn.Module, images: Tensor, precision: Precision) -> tuple[float, Tensor]:
    with torch.no_grad(), precision.autocast():
        logits: Tensor = model.eval()(images).float()
    model.train()
    times = []
    for _ in range(_TIMED_STEPS):
        began = time.perf_counter()
        with precision.autocast():
            loss = model(images).float().square().mean()
        loss.backward()
        times.append(time.perf_counter() - began)
    return min(times), logits


def _named(name: str) -> PrecisionName:
    for known in ("float32", "bfloat16", "float16"):
        if name == known:
            return known
    raise ValueError(f"unknown precision {name!r}")
