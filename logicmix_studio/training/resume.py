"""A full run's state into a checkpoint, and out of it again."""

from __future__ import annotations

import dataclasses

import torch
from numpy import int8
from numpy.typing import NDArray

from logicmix_studio.training.checkpoint import Checkpoint, Position
from logicmix_studio.training.loop import Engine
from logicmix_studio.training.optimizer import load_optimizer, optimizer_tensors


def take_checkpoint(engine: Engine, pseudo: NDArray[int8], position: Position) -> Checkpoint:
    """Return all that a run needs to go on.

    Args:
        engine: Weights, average, optimiser.
        pseudo: (T, C) pseudo-labels of the moment.
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
        },
    )


def restore_checkpoint(checkpoint: Checkpoint, engine: Engine) -> NDArray[int8]:
    """Put an engine back to where a checkpoint was taken.

    Args:
        checkpoint: Of the same run.
        engine: Changed in place.

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
