"""One writer a workspace: a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import os
from dataclasses import dataclass

from filelock import FileLock

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import read_json, take_lock, write_json
from logicmix_studio.processes import is_alive, start_time
from logicmix_studio.store.workspace import Workspace


@dataclass(frozen=True)
class ServerInfo:
    """Who holds a workspace, and where that process listens."""

    pid: int
    process_started: float
    url: str
    """Empty for a process that serves no page."""
    token: str
    """What a program on this machine shows to be let in; empty where nothing is served."""


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
            self._lock: FileLock | None = take_lock(workspace.lock_file)
        if self._lock is None:
            raise _held(workspace)
        try:
            self.publish(url="", token="")
        except StudioError:
            self.release()
            raise

    def publish(self, *, url: str, token: str) -> None:
        """Say where this process listens."""
        content = {"pid": os.getpid(), "process_started": start_time(), "url": url, "token": token}
        write_json(self.workspace.server_file, content, mode=0o600)

    def release(self) -> None:
        """Give the workspace back; a second call does nothing."""
        if self._lock is not None:
            self.workspace.server_file.unlink(missing_ok=True)
            self._lock.release()
            self._lock = None


def server_of(workspace: Workspace) -> ServerInfo | None:
    """Return the living process that holds a workspace, or None."""
    content = read_json(workspace.server_file)
    if content is None or not is_alive(content["pid"], content["process_started"]):
        return None
    return ServerInfo(
        pid=int(content["pid"]),
        process_started=float(content["process_started"]),
        url=str(content.get("url", "")),
        token=str(content.get("token", "")),
    )


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
