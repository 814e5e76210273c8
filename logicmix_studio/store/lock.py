"""One writer a workspace: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from typing import IO, Any

import psutil

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.store.workspace import Workspace, read_json, write_json

SAME_START_SECONDS = 1.0
"""Two readings of one process's start time may differ by a clock tick."""


@dataclass(frozen=True)
class ServerInfo:
    """Who holds a workspace, and where that process listens."""

    pid: int
    process_started: float
    url: str
    """Empty for a process that serves no page."""
    token: str
    """What a program on this machine shows to be let in; empty where nothing is served."""

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        try:
            return bool(
                abs(psutil.Process(self.pid).create_time() - self.process_started) < SAME_START_SECONDS
            )
        except psutil.NoSuchProcess:
            return False


class WorkspaceLock:
    """Holds a workspace for writing until it is released or the process ends."""

    def __init__(self, workspace: Workspace) -> None:
        """Take the lock.

        Raises:
            StudioError: If another process holds it, naming its pid and address, or it can't be written.
        """
        self.workspace = workspace
        with writing(workspace.folder):
            workspace.folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[Any] | None = workspace.lock_file.open("a+")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            self._file = None
            raise _held(workspace) from None
        try:
            self.publish(url="", token="")
        except StudioError:
            self.release()
            raise

    def publish(self, *, url: str, token: str) -> None:
        """Say where this process listens."""
        me = psutil.Process(os.getpid())
        write_json(
            self.workspace.server_file,
            {"pid": me.pid, "process_started": me.create_time(), "url": url, "token": token},
            mode=0o600,
        )

    def release(self) -> None:
        """Give the workspace back; a second call does nothing."""
        if self._file is None:
            return
        self.workspace.server_file.unlink(missing_ok=True)
        self._file.close()
        self._file = None


def server_of(workspace: Workspace) -> ServerInfo | None:
    """Return the living process that holds a workspace, or None."""
    content = read_json(workspace.server_file)
    if content is None:
        return None
    info = ServerInfo(
        pid=int(content["pid"]),
        process_started=float(content["process_started"]),
        url=str(content.get("url", "")),
        token=str(content.get("token", "")),
    )
    return info if info.is_alive else None


def _held(workspace: Workspace) -> StudioError:
    holder = server_of(workspace)
    if holder is None:
        return StudioError(
            f"{workspace.folder} is in use by another process", "wait until it has ended, then try again"
        )
    where = f", at {holder.url}" if holder.url else ""
    return StudioError(
        f"{workspace.folder} is in use by process {holder.pid}{where}",
        f"{'open that page, or ' if holder.url else ''}end it with: {workspace.command('stop')}",
    )
