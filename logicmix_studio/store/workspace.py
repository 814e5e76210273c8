"""Where a data set's workspace lies, what is in it, and the lock of the one process that may write there."""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import read_json, take_lock, write_json
from logicmix_studio.processes import is_alive, start_time

WORKSPACE_NAME = ".logicmix"
WORKSPACE_FORMAT = 1
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"})


class _Below:
    """A path below the workspace's folder."""

    def __init__(self, *parts: str) -> None:
        self._parts = parts

    def __get__(self, workspace: Workspace, owner: type[Workspace]) -> Path:
        return workspace.folder.joinpath(*self._parts)


@dataclass(frozen=True)
class Workspace:
    """The folder that belongs to one data set, and the names of the files in it."""

    root: Path
    """The data set's folder: images lie below it."""
    folder: Path
    """The workspace itself, by default ``root/.logicmix``."""

    info_file = _Below("workspace.json")
    """Name, root, notes and the trial's settings."""
    labels_file = _Below("import", "labels.npz")
    """The imported table."""
    complete_file = _Below("import", "complete.npz")
    """The complete labels of a trial: for evaluation only."""
    contents_file = _Below("import", "contents.json")
    """Path and a digest of the content of each image that was ever imported, by its id."""
    journal_file = _Below("journal.jsonl")
    """Every action, one a line."""
    exports_file = _Below("exports.txt")
    """Exports that lie in the data set's folder, one path a line: they are no labels."""
    settings_file = _Below("settings.json")
    """What people chose on screen."""
    benchmark_file = _Below("benchmark.json")
    """What the last finished benchmark of the data set found."""
    users_file = _Below("users.json")
    """Who may come in from other machines."""
    server_file = _Below("server.json")
    """Pid, address and token of the server that holds the workspace."""
    lock_file = _Below("lock")
    """Held by the one process that may write the journal."""
    runs = _Below("runs")
    """One folder a run."""
    audits = _Below("audits")
    """One file an audit: its plan and what became of it."""
    cache = _Below("cache")
    """Thumbnails, resized pixels and features; may be deleted."""
    identity_file = _Below("fiftyone.json")
    """The id that ties this workspace to its FiftyOne data set; made with the data set."""
    database = _Below("db")
    """Mongod's files; may be deleted."""
    plugins = _Below("plugins")
    """Links to the FiftyOne plugins, the user's and ours."""
    temporary = _Below("tmp")
    """Gradio's cache."""

    @property
    def exists(self) -> bool:
        """Whether an import has been finished here."""
        return self.info_file.is_file() and self.labels_file.is_file()

    def info(self) -> dict[str, Any]:
        """Return ``workspace.json``; a StudioError where it is missing, broken or of a later format."""
        content = self.info_if_any()
        if content is None:
            raise StudioError(
                f"{self.folder} is no workspace: {self.info_file.name} is missing",
                f"import the images first: {self.command('import')}",
            )
        return content

    def info_if_any(self) -> dict[str, Any] | None:
        """Return ``workspace.json``, None where there is none; a StudioError where another version wrote it."""
        content = read_json(self.info_file)
        if content is not None and content.get("format") != WORKSPACE_FORMAT:
            raise StudioError(
                f"{self.info_file} has format {content.get('format')!r}, expected {WORKSPACE_FORMAT}",
                "open it with the version of LogicMix Studio that wrote it",
            )
        return content

    def command(self, name: str) -> str:
        """Return the command line that does something with this workspace, to be shown."""
        line = f"logicmix-studio {name} {shlex.quote(str(self.root))}"
        if self == locate_workspace(self.root):
            return line
        return f"{line} --workspace {shlex.quote(str(self.folder))}"


def locate_workspace(root: Path, workspace: Path | None = None) -> Workspace:
    """Return the workspace of a data set's folder; nothing is created.

    The workspace is ``root/.logicmix``, or a folder below the user's data folder where ``root`` can't be written to or
    lies on a network file system (databases and locks are not safe there).

    Args:
        root: The data set's folder.
        workspace: Another place, if somebody named one.

    Raises:
        StudioError: If ``root`` is no folder, or can't be read.
    """
    root = root.expanduser().resolve()
    if not root.is_dir():
        raise StudioError(f"{root} is not a folder", "name the folder that holds the images")
    if not os.access(root, os.R_OK | os.X_OK):
        raise StudioError(f"cannot read the folder {root}: permission denied", "check its permissions")
    if workspace is not None:
        return Workspace(root=root, folder=workspace.expanduser().resolve())
    local = root / WORKSPACE_NAME
    if local.is_dir() or (_is_writable(root) and not is_on_network(root)):
        return Workspace(root=root, folder=local)
    digest = hashlib.blake2b(str(root).encode(), digest_size=4).hexdigest()
    return Workspace(root=root, folder=user_data_folder() / f"{root.name}-{digest}")


def user_data_folder() -> Path:
    """Return the folder for workspaces and the demo that lie beside no images."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "logicmix-studio"


def is_on_network(path: Path) -> bool:
    """Return whether a folder lies on a network file system."""
    return file_system_of(path) in NETWORK_FILE_SYSTEMS


def file_system_of(path: Path) -> str:
    """Return the type of the file system that holds ``path``, or an empty string where the system does not say."""
    holding = [part for part in psutil.disk_partitions(all=True) if path.is_relative_to(part.mountpoint)]
    # Of several on one mount point the last hides the others.
    best = max(reversed(holding), key=lambda part: len(part.mountpoint), default=None)
    return str(best.fstype) if best else ""


def _is_writable(folder: Path) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    try:  # root passes os.access on a read-only mount
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@dataclass(frozen=True)
class ServerInfo:
    """Who holds a workspace, and where that process listens."""

    pid: int
    process_started: float
    url: str = ""
    """Empty for a process that serves no page."""
    token: str = ""
    """What a program on this machine shows to be let in; empty where nothing is served."""


class WorkspaceLock:
    """Holds a workspace for writing until it is released; the kernel frees it when its holder dies.

    Raises:
        StudioError: If another process holds it, naming its pid and address, or it can't be written.
    """

    def __init__(self, workspace: Workspace) -> None:
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
        own = ServerInfo(os.getpid(), start_time() or 0.0, url, token)
        write_json(self.workspace.server_file, asdict(own), mode=0o600)

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
    return ServerInfo(content["pid"], content["process_started"], content.get("url", ""), content.get("token", ""))


def _held(workspace: Workspace) -> StudioError:
    holder = server_of(workspace)
    if holder is None:
        told = f"{workspace.folder} is in use by another process"
        return StudioError(told, "wait until it has ended, then try again")
    where = f", at {holder.url}" if holder.url else ""
    return StudioError(
        f"{workspace.folder} is in use by process {holder.pid}{where}",
        f"{'open that page, or ' if holder.url else ''}end it with: {workspace.command('stop')}",
    )
