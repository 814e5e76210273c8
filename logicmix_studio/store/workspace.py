"""Where a data set's workspace lies and what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import psutil

from logicmix_studio.errors import StudioError, writing

WORKSPACE_NAME = ".logicmix"
WORKSPACE_FORMAT = 1
NETWORK_FILE_SYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph"}
)


@dataclass(frozen=True)
class Workspace:
    """The folder that belongs to one data set, and the names of the files in it."""

    root: Path
    """The data set's folder: images lie below it."""
    folder: Path
    """The workspace itself, by default ``root/.logicmix``."""

    @property
    def info_file(self) -> Path:
        """Name, root, notes and the trial's settings."""
        return self.folder / "workspace.json"

    @property
    def labels_file(self) -> Path:
        """The imported table."""
        return self.folder / "import" / "labels.npz"

    @property
    def complete_file(self) -> Path:
        """The complete labels of a trial: for evaluation only."""
        return self.folder / "import" / "complete.npz"

    @property
    def journal_file(self) -> Path:
        """Every action, one a line."""
        return self.folder / "journal.jsonl"

    @property
    def settings_file(self) -> Path:
        """What people chose on screen."""
        return self.folder / "settings.json"

    @property
    def server_file(self) -> Path:
        """Pid, address and token of the server that holds the workspace."""
        return self.folder / "server.json"

    @property
    def lock_file(self) -> Path:
        """Held by the one process that may write the journal."""
        return self.folder / "lock"

    @property
    def runs(self) -> Path:
        """One folder a run."""
        return self.folder / "runs"

    @property
    def audits(self) -> Path:
        """One file an audit: its plan and what became of it."""
        return self.folder / "audits"

    @property
    def cache(self) -> Path:
        """Thumbnails, resized pixels and features; may be deleted."""
        return self.folder / "cache"

    @property
    def database(self) -> Path:
        """Mongod's files; may be deleted."""
        return self.folder / "db"

    @property
    def temporary(self) -> Path:
        """Gradio's cache."""
        return self.folder / "tmp"

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
        if (path == Path(part.mountpoint) or Path(part.mountpoint) in path.parents) and len(
            part.mountpoint
        ) >= len(best):
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


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object from a file, or None where there is no such file.

    Raises:
        StudioError: If the file holds no JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise StudioError(
            f"{path}:{error.lineno}: not valid JSON: {error.msg}", "mend or remove the file"
        ) from error
    if not isinstance(content, dict):
        raise StudioError(
            f"{path}: expected a JSON object, got {type(content).__name__}", "mend or remove the file"
        )
    return content


def write_json(path: Path, content: Mapping[str, Any], mode: int = 0o666) -> None:
    """Write a JSON object so that a reader sees the old file or the new one, never half of one."""
    text = json.dumps(content, ensure_ascii=False, indent=2)
    with replacing(path, mode) as file:
        file.write(text.encode() + b"\n")


@contextmanager
def replacing(path: Path, mode: int = 0o666) -> Iterator[BinaryIO]:
    """Yield a file that takes the place of another when all of it is on disk, and leaves nothing behind if not.

    Args:
        path: The file to be replaced; its folder is made if need be.
        mode: Who may read and write it, within the process's umask.

    Raises:
        StudioError: If the system refuses to write it.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
