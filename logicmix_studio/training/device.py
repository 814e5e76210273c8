"""Which device computes, and the lock that keeps other runs off it."""

from __future__ import annotations

import os
import time

import torch

from logicmix_studio.errors import StudioError
from logicmix_studio.training.control import Control
from logicmix_studio.training.device_lock import DeviceLock
from logicmix_studio.training.reporter import Reporter

_LOOK_EVERY_S = 0.3


def choose_device(name: str) -> torch.device:
    """Return the device that the settings ask for.

    Args:
        name: ``auto`` takes the first of CUDA, MPS and CPU that is there. Of processes that train together
        each
            takes a GPU of its own.

    Raises:
        StudioError: If there is no such device on this machine.
    """
    own = int(os.environ.get("LOCAL_RANK", "0"))
    if name == "cuda":
        name = f"cuda:{own}"
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", own)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise StudioError(f"{name!r} is no device", "Use auto, cpu, cuda, cuda:1 or mps.") from None
    is_there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not is_there.get(device.type, False):
        raise StudioError(f"this machine has no device {name!r}", "Use auto or cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise StudioError(
            f"this machine has {torch.cuda.device_count()} GPUs, {name} is not among them",
            "They are counted from 0.",
        )
    return device


def allow_tf32(is_allowed: bool) -> None:
    """Let float32 products on a GPU be rounded to TF32, or not."""
    torch.backends.cuda.matmul.allow_tf32 = is_allowed
    torch.backends.cudnn.allow_tf32 = is_allowed


def wait_for_device(device: torch.device, holder: str, reporter: Reporter, control: Control) -> DeviceLock:
    """Return the device's lock; wait as ``queued`` while another run holds it.

    Raises:
        Stopped: If somebody asked for it meanwhile.
    """
    lock = DeviceLock(str(device))
    if lock.acquire(holder):
        return lock
    reporter.message(f"waiting for {lock.holder()} to leave {device}")
    while not lock.acquire(holder):
        reporter.state("queued", f"waiting for {lock.holder()} to leave {device}")
        control.check()
        time.sleep(_LOOK_EVERY_S)
    return lock
