"""Where a run works and to whom it speaks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from logicmix_studio.training.control import Control
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_folder import RunFolder


@dataclass(frozen=True)
class RunContext:
    """Where a run works and to whom it speaks."""

    folder: RunFolder
    cache: Path
    """Folder of the feature and pixel caches."""
    device: torch.device
    reporter: Reporter
    control: Control
