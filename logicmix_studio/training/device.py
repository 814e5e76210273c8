"""Which device computes, and the lock that keeps other runs off it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final, TypeVar

import torch
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.training.control import Control
from logicmix_studio.training.device_lock import DeviceLock
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.reporter import Reporter

T = TypeVar("T")

_LOOK_EVERY_S = 0.3
_OUT_OF_MEMORY: Final = (
    "can't allocate memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "unable to find an engine to execute",
    "Unable to find a valid cuDNN algorithm",
)
"""What torch, cuBLAS and cuDNN say where memory has run out; a convolution without workspace finds no algorithm."""


def choose_device(name: str, num_processes: int = 1) -> torch.device:
    """Return the device that the settings ask for.

    Args:
        name: ``auto`` takes the first of CUDA, MPS and CPU that is there.
        num_processes: How many train together on this machine, each of them on a GPU of its own.

    Raises:
        StudioError: If there is no such device on this machine, or not one for each process.
    """
    if name == "auto":
        is_mps = torch.backends.mps.is_available()
        name = "cuda" if torch.cuda.is_available() else "mps" if is_mps else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise StudioError(f"{name!r} is no device", "Use auto, cpu, cuda, cuda:1 or mps.") from None
    is_there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not is_there.get(device.type, False):
        raise StudioError(f"this machine has no device {name!r}", "Use auto or cpu.")
    num_gpus = torch.cuda.device_count() if device.type == "cuda" else 1
    if device.type == "cuda" and (device.index or 0) >= num_gpus:
        raise StudioError(f"this machine has {num_gpus} GPUs, {name} is not among them", "They are counted from 0.")
    if num_processes > 1 and device.type != "cpu":
        if device.index is not None:
            raise StudioError(
                f"compute.device {name} is one GPU, compute.devices asks for {num_processes}",
                "Use cuda or auto, so that each process takes a GPU of its own, or one device.",
            )
        if num_processes > num_gpus:
            raise StudioError(
                f"compute.devices asks for {num_processes} GPUs, this machine has {num_gpus}",
                f"Ask for {num_gpus} at most.",
            )
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if name == "cuda" else device


def scoring_batch(wanted: int, device: torch.device) -> int:
    """Return how many images are scored at once: what the settings want, or for 0 what suits the device."""
    return wanted or (512 if device.type == "cuda" else 64)


def micro_batch(wanted: int, batch_size: int, device: torch.device) -> int:
    """Return how many images are in memory at once: what the settings want, or for 0 what suits the device."""
    return wanted or (batch_size if device.type == "cuda" else min(32, batch_size))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in _OUT_OF_MEMORY)


def in_parts(call: Callable[[Tensor], T], images: Tensor) -> list[T]:
    """Call with a batch; where memory runs out, with its halves, down to single images."""
    try:
        return [call(images)]
    except RuntimeError as error:
        if len(images) == 1 or not is_out_of_memory(error):
            raise
    if images.device.type == "cuda":
        torch.cuda.empty_cache()
    half = len(images) // 2
    return in_parts(call, images[:half]) + in_parts(call, images[half:])


def allow_tf32(is_allowed: bool) -> None:
    """Set what holds for the whole process: whether float32 products may be rounded to TF32.

    cuDNN does not try its algorithms (``cudnn.benchmark``): on an H200 that took 20 s for each new shape of a batch
    and made EfficientNet-Lite0 no faster (5,478 images/s with it, 5,549 without).
    """
    torch.backends.cuda.matmul.allow_tf32 = is_allowed
    torch.backends.cudnn.allow_tf32 = is_allowed


def wait_for_device(
    device: torch.device, holder: str, reporter: Reporter, control: Control, processes: ProcessGroup
) -> DeviceLock:
    """Return the device's lock; wait as ``queued`` while another run holds it, or that of another process.

    Raises:
        Stopped: If somebody asked for it meanwhile.
    """
    lock = DeviceLock(str(device))
    # Processes on the CPU share one device, whose lock the first one takes for all.
    needs_lock = processes.is_first or device.type != "cpu"
    is_told = False
    while processes.most(int(needs_lock and not lock.acquire(holder))):
        busy = f"{lock.holder()} to leave {device}" if not lock.is_held else "other runs to leave the other GPUs"
        lock.release()  # else two runs could wait for each other's GPUs
        if not is_told:
            reporter.message(f"waiting for {busy}")
        is_told = True
        reporter.state("queued", f"waiting for {busy}")
        processes.agree(control.want())
        time.sleep(_LOOK_EVERY_S)
    return lock
