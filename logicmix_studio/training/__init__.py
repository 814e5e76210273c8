"""The trainer: recipes, loop, moving average, pseudo-labels, checkpoints, metrics.

This face of the room imports no torch, so that the studio can read recipes and run folders; the trainer
itself is a process of its own, ``python -m logicmix_studio.training RUN_FOLDER``.
"""

from logicmix_studio.training.calibrate import (
    Calibration,
    apply_calibration,
    fit_calibration,
    read_calibration,
)
from logicmix_studio.training.config import RECIPES, Field, RunConfig, describe, recipe_help
from logicmix_studio.training.run_folder import RunFolder, RunState, Snapshot, read_events

__all__ = [
    "RECIPES",
    "Calibration",
    "Field",
    "RunConfig",
    "RunFolder",
    "RunState",
    "Snapshot",
    "apply_calibration",
    "describe",
    "fit_calibration",
    "read_calibration",
    "read_events",
    "recipe_help",
]
