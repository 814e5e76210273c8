"""At most one run at a time on each device of this machine."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

LOCKS_VARIABLE = "LOGICMIX_LOCKS"
"""Environment variable that names another folder for the lock files."""


def locks_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder of the lock files, one for each user of this machine.

    Args:
        environ: Environment to read; the process's own unless given.
    """
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
        self._file: IO[str] | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self, holder: str) -> bool:
        """Take the lock if it is free, and return whether it is ours now.

        Args:
            holder: Who takes it, in words for others who wait.
        """
        if self._file is not None:
            return True
        file = self.path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        file.truncate(0)
        file.write(holder)
        file.flush()
        self._file = file
        return True

    def holder(self) -> str:
        """Return who took the lock last, in words."""
        return self.path.read_text(encoding="utf-8") if self.path.exists() else ""

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> DeviceLock:
        """Return the lock itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the lock back."""
        self.release()
