"""Many files in one, with a line that says what they are; unpacked nowhere but below one folder."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import parse_json, replacing
from logicmix_studio.words import Progress

_PACKED: Final = frozenset({".npy", ".npz", ".pt", ".safetensors"})
"""Arrays, which packing makes hardly any smaller."""


@dataclass(frozen=True)
class Kind:
    """A kind of archive."""

    words: str
    """What it is, as in "this is no ..."."""
    writer: str
    """The command that writes it."""
    manifest: str
    """The name in it of the facts about it."""
    format: int
    """The version of what is in it."""
    left_out: Collection[str] = ()
    """Names at the top that are neither packed nor unpacked."""

    def pack(
        self,
        file: Path,
        folder: Path,
        paths: Sequence[Path],
        facts: Mapping[str, Any],
        progress: Progress | None = None,
    ) -> int:
        """Write files below a folder to one file and return how many there were; those that are gone by then are left out.

        Raises:
            StudioError: If the file can't be written.
        """
        num_files = 0
        with (
            replacing(file, new_folders=1) as sink,
            writing(file),
            zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive,
        ):
            archive.writestr(self.manifest, json.dumps({"format": self.format, **facts}))
            for place, path in enumerate(paths, start=1):
                name = path.relative_to(folder).as_posix()
                kind = zipfile.ZIP_STORED if path.suffix in _PACKED else zipfile.ZIP_DEFLATED
                try:
                    archive.write(path, name, kind)
                except FileNotFoundError:  # a run that is under way replaces its files
                    continue
                num_files += 1
                if progress is not None:
                    progress(place, len(paths), name)
        return num_files

    def unpack(self, file: Path, folder: Path, progress: Progress | None = None) -> int:
        """Lay the files of an archive down and return how many there were; the folder appears when all of them are there.

        Args:
            file: What `pack` wrote.
            folder: Is made; may be there, if it is empty.
            progress: Told of each file.

        Raises:
            StudioError: If the file is something else or damaged, or the disk refuses; nothing is left behind then.
        """
        part = folder.with_name(f".{folder.name}.unpacking")
        shutil.rmtree(part, ignore_errors=True)
        try:
            with zipfile.ZipFile(file) as archive, writing(folder):
                names = self._names(archive, file)
                for place, name in enumerate(names, start=1):
                    target = part / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    with archive.open(name) as source, target.open("wb") as sink:
                        shutil.copyfileobj(source, sink)
                    if progress is not None:
                        progress(place, len(names), name)
                if folder.exists():
                    folder.rmdir()
                part.rename(folder)
        except FileNotFoundError as error:
            raise StudioError(f"{file}: there is no such file", f"name a file that {self.writer} wrote") from error
        except (zipfile.BadZipFile, NotImplementedError) as error:
            raise StudioError(f"{file} is damaged, or no {self.words}: {error}", "take another one") from error
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return len(names)

    def _names(self, archive: zipfile.ZipFile, file: Path) -> list[str]:
        """Return the names of the files to unpack, none of which may lead out of the folder."""
        try:
            facts: Any = parse_json(archive.read(self.manifest))
        except (KeyError, ValueError) as error:
            raise StudioError(f"{file} is no {self.words}", f"name a file that {self.writer} wrote") from error
        if not isinstance(facts, dict) or facts.get("format") != self.format:
            raise StudioError(
                f"{file} is a {self.words} of another format", "take it in with the version that wrote it"
            )
        skipped = {self.manifest, *self.left_out}
        names = [name for name in archive.namelist() if name.split("/")[0] not in skipped and not name.endswith("/")]
        for name in names:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or "\\" in name:
                raise StudioError(f"{file} names {name!r}, which is no file of a {self.words}", "take another one")
        return names
