"""``logicmix-studio backup`` and ``restore``: all that people and runs made, in one file."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import replacing
from logicmix_studio.store import Workspace, utc_now
from logicmix_studio.store.workspace import WORKSPACE_FORMAT

LEFT_OUT: Final = frozenset({"cache", "db", "tmp", "plugins", "lock", "server.json", "secret", "sessions.json"})
"""Of a workspace: what can be made again, and what belongs to one server on one machine."""
MANIFEST: Final = "logicmix-backup.json"
_PACKED: Final = frozenset({".npy", ".npz", ".pt", ".safetensors"})
"""Arrays, which packing makes hardly any smaller."""

Progress = Callable[[int, int, str], None]


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
    facts = {"format": WORKSPACE_FORMAT, "root": str(workspace.root), "time": utc_now(), "with_runs": with_runs}
    num_files = 0
    with (
        replacing(file) as sink,
        writing(file),
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive,
    ):
        archive.writestr(MANIFEST, json.dumps(facts))
        for place, path in enumerate(paths, start=1):
            name = path.relative_to(workspace.folder).as_posix()
            kind = zipfile.ZIP_STORED if path.suffix in _PACKED else zipfile.ZIP_DEFLATED
            try:
                archive.write(path, name, kind)
            except FileNotFoundError:  # a run that is under way replaces its files
                continue
            num_files += 1
            if progress is not None:
                progress(place, len(paths), name)
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
    part = workspace.folder.with_name(f"{workspace.folder.name}.restoring")
    shutil.rmtree(part, ignore_errors=True)
    try:
        with zipfile.ZipFile(file) as archive, writing(workspace.folder):
            names = _checked(archive, file)
            for place, name in enumerate(names, start=1):
                target = part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as sink:
                    shutil.copyfileobj(source, sink)
                if progress is not None:
                    progress(place, len(names), name)
            if workspace.folder.exists():
                workspace.folder.rmdir()
            part.rename(workspace.folder)
    except FileNotFoundError as error:
        raise StudioError(f"{file}: there is no such file", "name a file that backup wrote") from error
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise StudioError(f"{file} is damaged, or no backup: {error}", "take another backup") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return len(names)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files to keep, the journal first: what it names may be newer than it, never older."""
    kept = [path for path in sorted(folder.iterdir()) if path.name not in LEFT_OUT]
    for path in sorted(kept, key=lambda one: one.name != "journal.jsonl"):
        yield from sorted(one for one in ([path] if path.is_file() else path.rglob("*")) if one.is_file())


def _checked(archive: zipfile.ZipFile, file: Path) -> list[str]:
    """Return the names in a backup, which may lie nowhere else than in a workspace."""
    try:
        facts: Any = json.loads(archive.read(MANIFEST))
    except (KeyError, ValueError) as error:
        raise StudioError(f"{file} is no backup of a workspace", "name a file that backup wrote") from error
    if not isinstance(facts, dict) or facts.get("format") != WORKSPACE_FORMAT:
        raise StudioError(f"{file} is a backup of another format", "restore it with the version that wrote it")
    names = [name for name in archive.namelist() if name != MANIFEST]
    for name in names:
        path = PurePosixPath(name)
        if (
            path.is_absolute()
            or ".." in path.parts
            or "\\" in name
            or path.parts[:1] == ()
            or path.parts[0] in LEFT_OUT
        ):
            raise StudioError(f"{file} names {name!r}, which is no file of a workspace", "take another backup")
    return names
