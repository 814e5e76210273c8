"""Bring images and label files from object storage, or any place that fsspec knows, into a folder."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec  # type: ignore[import-untyped]
from PIL import Image

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import replacing
from logicmix_studio.images.decode import IMAGE_SUFFIXES, JPEG_SUFFIXES, LABEL_SUFFIXES, UnreadableImage, open_rgb
from logicmix_studio.labels import SHOWN_PROBLEMS
from logicmix_studio.words import Progress, counted

INDEX: Final = ".fetched.jsonl"
"""In the folder: path and stamp of each file that was brought, one a line; the last line of a path counts."""
FETCHED_SUFFIXES: Final = IMAGE_SUFFIXES | LABEL_SUFFIXES | {".txt", ".jsonl", ".parquet", ".yaml", ".yml", ".names"}
_STAMPS: Final = ("size", "ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")
"""What tells that a file has changed, in the words of the storages."""
_AT_ONCE, _BLOCK = 16, 64
"""Files read at once, and between two entries in the index: what a kill lets be brought once more."""
_JPEG_QUALITY: Final = 90


@dataclass(frozen=True)
class Fetched:
    """How many files came, how many were there already, and by path why others were refused."""

    new: int
    there: int
    refused: dict[str, str]

    def __str__(self) -> str:
        """Return it in words; the first of the refused files are named."""
        told = [f"{path}: {reason}" for path, reason in self.refused.items()][:SHOWN_PROBLEMS]
        head = f"{counted(self.new, 'file')} brought, {self.there:,} there already, {len(self.refused):,} refused"
        return "\n".join([head, *told])


def fetch(url: str, folder: Path, max_side: int | None = None, progress: Progress | None = None) -> Fetched:
    """Bring the images and label files below an address that are new or have changed; nothing is ever deleted.

    Args:
        url: ``s3://bucket/photos``, ``gs://...``, ``file://...``; hidden files below it are passed over.
        folder: Made where missing; each file gets the path there that it has below the address.
        max_side: Scale larger images down, upright, so that their longer side has this many pixels.
        progress: Told how many files of those to be brought are done.

    Raises:
        StudioError: If the address can't be read or has nothing to bring, or the disk is full.
    """
    try:
        system, root = fsspec.core.url_to_fs(url)
        found = system.find(root, detail=True)
    except Exception as error:  # whatever the client of a storage raises
        hint = "install the package that it names" if isinstance(error, ImportError) else "check address and rights"
        raise StudioError(f"{url} can't be read: {error}", hint) from error
    paths = {name: name.removeprefix(root).lstrip("/") for name in found}
    paths = {name: path for name, path in paths.items() if _is_wanted(PurePosixPath(path))}
    if not paths:
        raise StudioError(f"there is no image and no label file below {url}", "check the address")
    stamps = {name: [max_side, *(str(found[name].get(key, "")) for key in _STAMPS)] for name in paths}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    refused: dict[str, str] = {}
    with writing(folder), (folder / INDEX).open("a+", encoding="utf-8") as index, ThreadPoolExecutor(_AT_ONCE) as pool:
        index.seek(0)
        known = _read_index(index)
        todo = [name for name in paths if known.get(paths[name]) != stamps[name] or not (folder / paths[name]).exists()]
        index.write("\n")  # a line that was cut off stays alone
        for start in range(0, len(todo), _BLOCK):
            block = todo[start : start + _BLOCK]
            reasons = pool.map(lambda name: _bring(system, name, folder, paths[name], max_side), block)
            for name, reason in zip(block, reasons, strict=True):
                if reason:
                    refused[paths[name]] = reason
                else:
                    index.write(json.dumps([paths[name], stamps[name]]) + "\n")
            index.flush()
            if progress is not None:
                progress(start + len(block), len(todo), "fetching")
    return Fetched(len(todo) - len(refused), len(paths) - len(todo), refused)


def _is_wanted(path: PurePosixPath) -> bool:
    is_hidden = any(part.startswith(".") for part in path.parts if part != "..")
    return path.suffix.lower() in FETCHED_SUFFIXES and not is_hidden


def _read_index(lines: Iterable[str]) -> dict[str, list[Any]]:
    known: dict[str, list[Any]] = {}
    for line in lines:
        with suppress(ValueError):
            path, stamp = json.loads(line)
            known[path] = stamp
    return known


def _bring(system: Any, name: str, folder: Path, path: str, max_side: int | None) -> str:
    """Write one file into the folder; return why it can't be, or nothing."""
    target, parts = folder / path, PurePosixPath(path).parts
    if ".." in parts or "\\" in path or not target.parent.resolve().is_relative_to(folder):
        return "it leads out of the folder"
    try:
        content = system.cat_file(name)
        if max_side is not None and target.suffix.lower() in IMAGE_SUFFIXES:
            content = _scaled(content, target, max_side)
        with replacing(target, is_durable=False, new_folders=len(parts) - 1) as file:
            file.write(content)
    except UnreadableImage as error:
        return error.reason
    except Exception as error:  # whatever the client of a storage raises concerns this file
        if isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.ENOSPC:
            raise
        return error.what if isinstance(error, StudioError) else f"{type(error).__name__}: {error}"
    return ""


def _scaled(content: bytes, path: Path, max_side: int) -> bytes:
    """Return an image so that its longer side is no longer than that, in its own format."""
    image = open_rgb(path, at_least=2 * max_side, content=content)
    if max(image.size) <= max_side:
        return content
    image.thumbnail((max_side, max_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    suffix, scaled = path.suffix.lower(), io.BytesIO()
    options = {"quality": _JPEG_QUALITY} if suffix in JPEG_SUFFIXES else {}
    image.save(scaled, Image.registered_extensions()[suffix], **options)
    return scaled.getvalue()
