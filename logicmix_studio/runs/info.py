"""What the studio shows of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from logicmix_studio.training.run_folder import Status


@dataclass(frozen=True)
class RunInfo:
    """One run, as it stands now."""

    run: int
    """Its number."""
    folder: Path
    """Its folder."""
    recipe: str
    """Its recipe."""
    status: Status
    """Where it stands; ``died`` where its process is gone without saying so."""
    message: str = ""
    """What it is doing, or what went wrong, in words."""
    fraction: float = 0.0
    """Share of the work done."""
    eta_s: float | None = None
    """Seconds left, where that can be guessed."""
    pid: int | None = None
    """Its process, while there is one."""
    created: float = 0.0
    """When it was created, in seconds since 1970."""
    updated: float = 0.0
    """When it last said where it stands."""
    name: str = ""
    """Name a person gave it."""
    note: str = ""
    """Note a person wrote."""
    star: bool = False
    """Whether a person marked it."""
    init_from: str | None = None
    """Run it started from."""
    result: dict[str, Any] = field(default_factory=dict)
    """Metrics, once it has finished."""

    @property
    def map(self) -> float | None:
        """Mean average precision on held-out known cells, where it could be measured."""
        value = self.result.get("map")
        return float(value) if value is not None else None

    @property
    def is_active(self) -> bool:
        """Whether a process works on it, or is about to."""
        return self.status in ("queued", "running")

    @property
    def is_resumable(self) -> bool:
        """Whether it can go on from its checkpoint."""
        return self.status in ("paused", "died", "cancelled", "failed")
