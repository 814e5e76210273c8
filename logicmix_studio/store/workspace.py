"""Where a data set's workspace lies and what is in it."""

from __future__ import annotations

import hashlib
import os
import shlex
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json

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
    journal_file = _Below("journal.jsonl")
    """Every action, one a line."""
    settings_file = _Below("settings.json")
    """What people chose on screen."""
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
    database = _Below("db")
    """Mongod's files; may be deleted."""
    temporary = _Below("tmp")
    """Gradio's cache."""

    @property
    def exists(self) -> bool:
        """Whether an import has been finished here."""
        return self.info_file.is_file() and self.labels_file.is_file()

    def info(self) -> dict[str, Any]:
        """Return ``workspace.json``.

        Raises:
            StudioError: If it is missing, broken or of a later format.
        """
        content = self._read_info()
        if content is None:
            raise StudioError(
                f"{self.folder} is no workspace: {self.info_file.name} is missing",
                f"import the images first: {self.command('import')}",
            )
        return content

    def refuse_other_format(self) -> None:
        """Leave a workspace alone that another version wrote.

        Raises:
            StudioError: If there is one, and it is broken or of a later format.
        """
        self._read_info()

    def command(self, name: str) -> str:
        """Return the command line that does something with this workspace, to be shown.

        Args:
            name: The command.
        """
        line = f"logicmix-studio {name} {shlex.quote(str(self.root))}"
        if self == locate_workspace(self.root):
            return line
        return f"{line} --workspace {shlex.quote(str(self.folder))}"

    def _read_info(self) -> dict[str, Any] | None:
        content = read_json(self.info_file)
        if content is not None and content.get("format") != WORKSPACE_FORMAT:
            raise StudioError(
                f"{self.info_file} has format {content.get('format')!r}, expected {WORKSPACE_FORMAT}",
                "open it with the version of LogicMix Studio that wrote it",
            )
        return content


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


def user_data_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the folder for workspaces and the demo that lie beside no images."""
    source = os.environ if environ is None else environ
    base = source.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "logicmix-studio"


def is_on_network(path: Path) -> bool:
    """Return whether a folder lies on a network file system."""
    return file_system_of(path) in NETWORK_FILE_SYSTEMS


def file_system_of(path: Path) -> str:
    """Return the type of the file system that holds ``path``, or an empty string where the system does not say."""
    best, kind = "", ""
    for part in psutil.disk_partitions(all=True):
        if path.is_relative_to(part.mountpoint) and len(part.mountpoint) >= len(best):
            best, kind = part.mountpoint, part.fstype
    return kind


def _is_writable(folder: Path) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    try:  # root passes os.access on a read-only mount
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
