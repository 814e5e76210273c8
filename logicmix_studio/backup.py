"""``logicmix-studio backup`` and ``restore``: all that people and runs made, in one file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logicmix_studio.archives import Kind
from logicmix_studio.errors import StudioError
from logicmix_studio.store import Workspace, utc_now
from logicmix_studio.store.workspace import WORKSPACE_FORMAT
from logicmix_studio.words import Progress

BACKUP: Final = Kind(
    "backup of a workspace",
    "backup",
    "logicmix-backup.json",
    WORKSPACE_FORMAT,
    frozenset({"cache", "db", "tmp", "plugins", "lock", "server.json", "secret", "sessions.json"}),
)
"""Without what can be made again, and what belongs to one server on one machine."""


@dataclass(frozen=True)
class Backup:
    """A file that holds a workspace."""

    file: Path
    num_files: int
    num_bytes: int
    """Of the file."""


def back_up(workspace: Workspace, file: Path, *, with_runs: bool = True, progress: Progress | None = None) -> Backup:
    """Write a workspace to one file; a studio may be open, and what it writes meanwhile is in the next one.

    The images are not in it, nor the FiftyOne database: the next launch makes the data set anew.

    Args:
        workspace: The workspace, imported.
        file: The file to write; one that is there is replaced when the new one is whole.
        with_runs: Whether to take the runs, too; without them the journal keeps every answer, but scores are gone.
        progress: Called with done, total and the name of what is being written.

    Raises:
        StudioError: If there is no workspace, or the file can't be written.
    """
    workspace.info()
    paths = [
        path for path in _files(workspace.folder) if with_runs or path.relative_to(workspace.folder).parts[0] != "runs"
    ]
    facts = {"root": str(workspace.root), "time": utc_now(), "with_runs": with_runs}
    num_files = BACKUP.pack(file, workspace.folder, paths, facts, progress)
    return Backup(file, num_files, file.stat().st_size)


def restore(file: Path, workspace: Workspace, *, progress: Progress | None = None) -> int:
    """Bring a workspace back from a file; return how many files it had.

    Raises:
        StudioError: If there is a workspace already, the file is no backup or is damaged, or the disk refuses; nothing is
            left behind then.
    """
    if workspace.folder.exists() and any(workspace.folder.iterdir()):
        raise StudioError(
            f"there is a workspace already: {workspace.folder}", "move it away first; nothing was changed"
        )
    return BACKUP.unpack(file, workspace.folder, progress)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files to keep, the journal first: what it names may be newer than it, never older."""
    kept = [path for path in sorted(folder.iterdir()) if path.name not in BACKUP.left_out]
    for path in sorted(kept, key=lambda one: one.name != "journal.jsonl"):
        yield from sorted(one for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())
