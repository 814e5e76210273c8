"""At most one run at a time on each device of this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from filelock import FileLock

from logicmix_studio.files import take_lock

LOCKS_VARIABLE = "LOGICMIX_LOCKS"
"""Environment variable that names another folder for the lock files."""


def locks_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the lock files, one for each user of this machine."""
    source = os.environ if environ is None else environ
    named = source.get(LOCKS_VARIABLE)
    return Path(named) if named else Path(tempfile.gettempdir()) / f"logicmix-studio-locks-{os.getuid()}"


class DeviceLock:
    """The lock of one device; the kernel frees it when its process ends, however it ends.

    Args:
        device: Name of the device, for example ``cpu`` or ``cuda:0``.
        folder: Where the lock files lie.
    """

    def __init__(self, device: str, folder: Path | None = None) -> None:
        self.device = device
        where = locks_folder() if folder is None else folder
        where.mkdir(parents=True, exist_ok=True)
        self.path = where / f"{device.replace(':', '')}.lock"
        self._lock: FileLock | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def acquire(self, holder: str) -> bool:
        """Take the lock if it is free, and return whether it is ours now."""
        if self._lock is None:
            self._lock = take_lock(self.path)
            if self._lock is not None:
                self.path.write_text(holder, encoding="utf-8")
        return self.is_held

    def holder(self) -> str:
        """Return who took the lock last, in words."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def release(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def __enter__(self) -> DeviceLock:
        """Return the lock itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        self.release()
