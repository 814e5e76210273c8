"""Resized pixels of all images in memory-mapped files, so that each image is decoded once."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.images.cache_files import CacheFiles, CacheIndex, lock_cache
from logicmix_studio.images.decode import UnreadableImage
from logicmix_studio.images.pixels import RESIZE_RULES, ResizeRule, load_pixels
from logicmix_studio.words import Progress

KEEP_FREE: Final = 1 << 30
"""Bytes of the disk that a cache leaves free."""

_BLOCK: Final = 256
_BLOCKS_A_SAVE: Final = 32
_GREY: Final = 127

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheEntry:
    """One image to be held."""

    image_id: str
    """24 hex digits."""
    path: Path
    """The image file."""


class PixelCache:
    """Rows of pixels, in the order of the images that it was opened with.

    Args:
        entries: N images.
        size: S.
        rule: How other shapes become square.
        files: Where the pixels are.
        rows: (N,) row of each image in the files, -1 where it is decoded whenever it is wanted.
        unreadable: Images that cannot be decoded; their rows are grey.
        warning: What a user should know.
    """

    def __init__(
        self,
        entries: Sequence[CacheEntry],
        size: int,
        rule: ResizeRule,
        files: CacheFiles,
        rows: NDArray[np.int64],
        unreadable: Sequence[UnreadableImage] = (),
        warning: str = "",
    ) -> None:
        self.size = size
        self.rule: ResizeRule = rule
        self.unreadable = tuple(unreadable)
        self.warning = warning
        self._entries = entries
        self._files = files
        self._rows = rows
        self._broken = frozenset(error.path for error in unreadable)

    def __len__(self) -> int:
        """Return the number of images, N."""
        return len(self._entries)

    @property
    def num_uncached(self) -> int:
        """How many images are decoded whenever they are wanted."""
        return int((self._rows < 0).sum())

    def rows(self, indices: ArrayLike, out: Tensor | None = None) -> Tensor:
        """Read the pixels of some images.

        Args:
            indices: (n,) positions in [0, N), in any order, also repeated; a tensor on the CPU is fine.
            out: (n, 3, S, S) uint8 on the CPU to write into, pinned perhaps; a new tensor if None.
        """
        wanted = np.asarray(indices, dtype=np.int64)
        shape = (len(wanted), 3, self.size, self.size)
        pixels = torch.empty(shape, dtype=torch.uint8) if out is None else out
        if tuple(pixels.shape) != shape:
            raise ValueError(f"out must have the shape {shape}, but has {tuple(pixels.shape)}")
        rows = self._rows[wanted]
        self._files.read(rows, pixels.numpy())
        for position in np.flatnonzero(rows < 0):
            path = self._entries[wanted[position]].path
            pixels[position] = _GREY if path in self._broken else load_pixels(path, self.size, self.rule)
        return pixels


def build_cache(
    directory: Path,
    entries: Sequence[CacheEntry],
    size: int,
    *,
    rule: ResizeRule = "squash",
    workers: int | None = None,
    keep_free: int = KEEP_FREE,
    progress: Progress | None = None,
) -> PixelCache:
    """Open the cache of one size and rule, after decoding what is missing or has changed.

    Rows belong to image ids, so images may be added, left out and reordered from one call to the next. The
    work may be stopped at any moment and goes on from there. Where the disk is short, the images that do not
    fit are decoded whenever they are wanted, and `PixelCache.warning` says how much is needed. One process builds at a
    time; another one that has something to do waits for it.

    Args:
        directory: Folder of the cache; made where missing.
        entries: N images.
        size: S, width and height.
        rule: How other shapes become square.
        workers: Threads; the number of processors if None.
        keep_free: Bytes of the disk to leave free.
        progress: Called with (done, total, message); may raise to stop.

    Returns:
        The cache, whose row i is `entries[i]`.

    Raises:
        StudioError: If the rule is unknown.
    """
    if rule not in RESIZE_RULES:
        raise StudioError(f"unknown resize rule {rule!r}", f"Use one of {', '.join(RESIZE_RULES)}.")
    directory.mkdir(parents=True, exist_ok=True)
    name = f"pixels-{size}-{rule}"
    files = CacheFiles(directory, name, size)
    stats = _stat_all(entries, workers)
    ids = [entry.image_id for entry in entries]

    def look() -> tuple[CacheIndex, NDArray[np.int64], NDArray[np.int64]]:
        index = CacheIndex.load(directory / f"{name}.npz")
        rows = index.rows_of(ids)
        return index, rows, np.flatnonzero(~index.matches(rows, *stats))

    def on_wait() -> None:
        if progress is not None:
            progress(0, len(entries), "waiting for another run that is resizing images")

    _, rows, missing = look()
    if not len(missing):  # nothing to do: nobody has to be waited for
        return PixelCache(entries, size, rule, files, rows)
    with lock_cache(directory / f"{name}.lock", on_wait):
        index, rows, missing = look()
        room = _room(directory, files, index, rows[missing], keep_free)
        todo = missing[:room]
        rows[missing[room:]] = -1
        rows[todo] = index.claim([ids[i] for i in todo], rows[todo])
        builder = _Builder(entries, rows, files, index)
        builder.run(todo, stats, rule, workers, progress)
    warnings = [_shortage(directory, name, len(missing) - room, files.row_bytes), *builder.warnings()]
    warning = " ".join(text for text in warnings if text)
    if warning:
        _logger.warning(warning)
    return PixelCache(entries, size, rule, files, rows, builder.unreadable, warning)


class _Builder:
    """Decodes images in blocks and notes in the index what is done."""

    def __init__(
        self, entries: Sequence[CacheEntry], rows: NDArray[np.int64], files: CacheFiles, index: CacheIndex
    ) -> None:
        self.unreadable: list[UnreadableImage] = []
        self._write_errors: list[OSError] = []
        self._entries = entries
        self._rows = rows
        self._files = files
        self._index = index

    def run(
        self,
        todo: NDArray[np.int64],
        stats: NDArray[np.int64],
        rule: ResizeRule,
        workers: int | None,
        progress: Progress | None,
    ) -> None:
        """Decode the images at these positions and write their rows."""
        message = f"resizing images to {self._files.size} px"
        with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
            for number, start in enumerate(range(0, len(todo), _BLOCK), start=1):
                block = todo[start : start + _BLOCK]
                futures = [pool.submit(self._write, int(position), rule) for position in block]
                self._note(block, stats, [future.result() for future in futures])
                if number % _BLOCKS_A_SAVE == 0 or start + _BLOCK >= len(todo):
                    # The pixels first: the index vouches for them.
                    self._files.sync()
                    self._index.save()
                if progress is not None:
                    progress(start + len(block), len(todo), message)

    def warnings(self) -> list[str]:
        """Put in words what went wrong."""
        texts = []
        if self._write_errors:
            texts.append(
                f"{len(self._write_errors):,} images could not be written to the cache "
                f"({self._write_errors[0]}) and are decoded again in every epoch."
            )
        if self.unreadable:
            first = self.unreadable[0]
            texts.append(
                f"{len(self.unreadable):,} images cannot be read and are grey: {first.path} ({first.reason})"
                f"{' and others' if len(self.unreadable) > 1 else ''}."
            )
        return texts

    def _write(self, position: int, rule: ResizeRule) -> UnreadableImage | OSError | None:
        """Decode one image and write its row; return what went wrong with it."""
        try:
            pixels = load_pixels(self._entries[position].path, self._files.size, rule)
        except UnreadableImage as error:
            return error
        try:
            self._files.write(int(self._rows[position]), pixels.contiguous().numpy())
        except OSError as error:
            return error
        return None

    def _note(
        self, block: NDArray[np.int64], stats: NDArray[np.int64], results: Sequence[UnreadableImage | OSError | None]
    ) -> None:
        """Enter the written rows into the index; the others are decoded when wanted, or are grey."""
        is_written = np.array([result is None for result in results])
        written = block[is_written]
        self._index.enter(self._rows[written], *stats[:, written])
        self._rows[block[~is_written]] = -1
        self.unreadable += [result for result in results if isinstance(result, UnreadableImage)]
        self._write_errors += [result for result in results if isinstance(result, OSError)]


def _stat_all(entries: Sequence[CacheEntry], workers: int | None) -> NDArray[np.int64]:
    """Return (2, N) size and time of change of each file, -1 where it is missing."""

    def stat(entry: CacheEntry) -> tuple[int, int]:
        try:
            result = os.stat(entry.path)
        except OSError:
            return -1, -1
        return result.st_size, result.st_mtime_ns

    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        found = list(pool.map(stat, entries, chunksize=512))
    return np.array(found, dtype=np.int64).reshape(-1, 2).T


def _room(directory: Path, files: CacheFiles, index: CacheIndex, rows: NDArray[np.int64], keep_free: int) -> int:
    """Return how many of the missing rows fit on the disk; rows that are only rewritten need no room."""
    free = shutil.disk_usage(directory).free - keep_free
    spare_rows = max(0, free // files.row_bytes)
    new_rows = np.cumsum(rows < 0)
    return int(np.searchsorted(new_rows, spare_rows, side="right"))


def _shortage(directory: Path, name: str, num_images: int, row_bytes: int) -> str:
    """Put in words that the disk is short; nothing if it is not."""
    if num_images == 0:
        return ""
    needed = num_images * row_bytes / 1e9
    return (
        f"The disk that holds {directory / name} is short of {needed:.2f} GB: "
        f"{num_images:,} images are decoded again in every epoch, which is slower. "
        "Free that much, or put the workspace on a larger disk."
    )
