"""Everything a full run needs to go on, in one safetensors file: no pickle, and never half written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from numpy import int8
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.training.loop import Engine
from logicmix_studio.training.optimizer import load_optimizer, optimizer_tensors

_META = "position"
_NEEDED = ("model", "average", "pseudo")


@dataclass(frozen=True)
class Position:
    """Where a run stands between two steps."""

    epoch: int = 0
    """Epochs that are complete."""
    step: int = 0
    """Optimiser steps that are complete in the epoch under way."""
    best_value: float | None = None
    """Best result so far."""
    best_epoch: int = 0
    """Its epoch, from 1; 0 for none."""
    epochs_without_gain: int = 0
    """Epochs since, as early stopping counts them."""
    micro_batch: int = 0
    """Images in memory at once, after any halving."""
    precision: str = ""
    """Working type that was chosen at the start."""
    scale: float = 0.0
    """Loss scale of float16; 0 where there is none."""
    seconds: float = 0.0
    """Seconds worked so far."""
    fingerprint: str = ""
    """Tells what the run trains on."""


@dataclass(frozen=True)
class Checkpoint:
    """A position and all tensors that belong to it, in named groups."""

    position: Position
    groups: Mapping[str, Mapping[str, Tensor]]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint by atomic rename."""
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous()
        for group, members in checkpoint.groups.items()
        for name, tensor in members.items()
    }
    content = save(tensors, {_META: json.dumps(dataclasses.asdict(checkpoint.position))})
    with replacing(path) as file:
        file.write(content)


def load_checkpoint(path: Path) -> Checkpoint | None:
    """Read a checkpoint, or return nothing where there is none.

    Raises:
        StudioError: If the file is damaged, or lacks what a version of another time did not write.
    """
    if not path.is_file():
        return None
    groups: dict[str, dict[str, Tensor]] = {}
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            position = Position(**json.loads(file.metadata()[_META]))
            for name in file.keys():  # noqa: SIM118  # not a mapping
                group, member = name.split("/", 1)
                groups.setdefault(group, {})[member] = file.get_tensor(name)
        if missing := [group for group in _NEEDED if group not in groups]:
            raise ValueError(f"another version wrote it, without {', '.join(missing)}")
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise StudioError(f"{path} cannot be read: {error}", "Delete it to train from the start.") from error
    return Checkpoint(position, groups)


def take_checkpoint(
    engine: Engine, pseudo: NDArray[int8], kept: Mapping[str, Mapping[str, Tensor]], position: Position
) -> Checkpoint:
    """Return all that a run needs to go on.

    Args:
        engine: Weights, average, optimiser.
        pseudo: (T, C) pseudo-labels of the moment.
        kept: Further groups of tensors.
        position: Where the run stands.
    """
    scale = float(engine.scaler.get_scale()) if engine.scaler.is_enabled() else 0.0
    return Checkpoint(
        dataclasses.replace(position, micro_batch=engine.micro_batch, scale=scale),
        {
            "model": engine.net.state_dict(),
            "average": engine.average.state,
            "optimizer": optimizer_tensors(engine.optimizer),
            "pseudo": {"states": torch.from_numpy(pseudo)},
            **kept,
        },
    )


def restore_checkpoint(checkpoint: Checkpoint, engine: Engine) -> NDArray[int8]:
    """Put an engine back to where a checkpoint was taken.

    Returns:
        (T, C) the pseudo-labels of that moment.
    """
    groups = checkpoint.groups
    engine.net.load_state_dict(dict(groups["model"]))
    engine.average.load({name: tensor.to(engine.device) for name, tensor in groups["average"].items()})
    load_optimizer(engine.optimizer, dict(groups.get("optimizer", {})))
    if checkpoint.position.scale:
        engine.scaler.load_state_dict({**engine.scaler.state_dict(), "scale": checkpoint.position.scale})
    pseudo: NDArray[int8] = groups["pseudo"]["states"].numpy()
    return pseudo
