"""The files of a pixel cache: shards of raw rows, and the index that says which row is whose."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.files import replacing, take_lock

SHARD_BYTES: Final = 2 << 30
"""Largest size of one file of pixels."""

_CHANNELS: Final = 3
_LOOK_EVERY_S: Final = 0.2


class CacheFiles:
    """Rows of (3, S, S) bytes, spread over files of at most `SHARD_BYTES`.

    Reading and writing different rows from several threads is safe.

    Args:
        directory: Folder of the files.
        name: Beginning of their names; tells size and rule.
        size: S.
        shard_bytes: Largest size of one file.
    """

    def __init__(self, directory: Path, name: str, size: int, shard_bytes: int = SHARD_BYTES) -> None:
        self.size = size
        self.row_bytes = _CHANNELS * size * size
        self._rows_a_shard = max(1, shard_bytes // self.row_bytes)
        self._directory = directory
        self._name = name
        self._maps: dict[int, NDArray[np.uint8]] = {}
        self._touched: set[int] = set()

    def write(self, row: int, pixels: NDArray[np.uint8]) -> None:
        """Write one row, (3, S, S) and contiguous.

        Raises:
            OSError: If the disk is full or the file cannot be written.
        """
        shard, offset = divmod(row, self._rows_a_shard)
        # A plain write answers a full disk with an error; writing to a memory map would kill the process.
        handle = os.open(self._path(shard), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            content = pixels.data.cast("B")
            start = offset * self.row_bytes
            while content:
                count = os.pwrite(handle, content, start)
                content, start = content[count:], start + count
        finally:
            os.close(handle)
        self._touched.add(shard)

    def read(self, rows: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Copy rows into an array.

        Args:
            rows: (n,) numbers of rows; those below 0 are passed over.
            out: (n, 3, S, S).
        """
        shards, offsets = np.divmod(rows, self._rows_a_shard)
        for position, (row, shard, offset) in enumerate(
            zip(rows.tolist(), shards.tolist(), offsets.tolist(), strict=True)
        ):
            if row >= 0:
                out[position] = self._map(shard, offset)[offset]

    def sync(self) -> None:
        """Make what was written durable."""
        for shard in sorted(self._touched):
            handle = os.open(self._path(shard), os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._touched.clear()

    def _map(self, shard: int, offset: int) -> NDArray[np.uint8]:
        """Return a shard as (rows, 3, S, S), mapped anew if it has grown past what was mapped."""
        mapped = self._maps.get(shard)
        if mapped is None or offset >= len(mapped):
            # A plain view: indexing a memmap object costs several times as much.
            flat = np.asarray(np.memmap(self._path(shard), dtype=np.uint8, mode="r"))
            whole = len(flat) // self.row_bytes * self.row_bytes
            mapped = self._maps[shard] = flat[:whole].reshape(-1, _CHANNELS, self.size, self.size)
        return mapped

    def _path(self, shard: int) -> Path:
        """Return the file of a shard."""
        return self._directory / f"{self._name}-{shard:05d}.u8"


class CacheIndex:
    """Which row belongs to which image, and the state of the file that it was made of.

    R rows, some of which may be claimed and not yet written.

    Args:
        path: The npz file.
        image_ids: (R,) bytes.
        sizes: (R,) file sizes, -1 for a row that was not written.
        times: (R,) times of change in nanoseconds.
    """

    def __init__(
        self, path: Path, image_ids: NDArray[np.bytes_], sizes: NDArray[np.int64], times: NDArray[np.int64]
    ) -> None:
        self._path = path
        self._image_ids = image_ids
        self._sizes = sizes
        self._times = times
        self._row_by_id: dict[bytes, int] = {name: row for row, name in enumerate(image_ids.tolist())}

    @classmethod
    def load(cls, path: Path) -> CacheIndex:
        """Read an index; one that is missing or damaged counts as empty, as the pixels can be made again."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                ids, sizes, times = arrays["image_ids"], arrays["sizes"], arrays["times"]
        except (FileNotFoundError, BadZipFile, ValueError, KeyError, EOFError):
            return cls(path, np.empty(0, "S24"), np.empty(0, np.int64), np.empty(0, np.int64))
        return cls(path, ids, sizes, times)

    def rows_of(self, image_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the row of each of n images, (n,), -1 where it has none."""
        rows = (self._row_by_id.get(name.encode(), -1) for name in image_ids)
        return np.fromiter(rows, np.int64, len(image_ids))

    def matches(self, rows: NDArray[np.int64], sizes: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Tell which of n rows (-1 for none) were made of files of these sizes and times of change, (n,)."""
        result = np.zeros(len(rows), dtype=bool)
        has_row = np.flatnonzero((rows >= 0) & (sizes >= 0))
        own = rows[has_row]
        result[has_row] = (self._sizes[own] == sizes[has_row]) & (self._times[own] == times[has_row])
        return result

    def claim(self, image_ids: Sequence[str], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give a row to each of n images that has none, mark all their rows as not written, and return them, (n,)."""
        claimed = rows.copy()
        new_names = [name for name, row in zip(image_ids, rows.tolist(), strict=True) if row < 0]
        first = len(self._image_ids)
        claimed[rows < 0] = np.arange(first, first + len(new_names))
        self._row_by_id.update({name.encode(): first + i for i, name in enumerate(new_names)})
        blank = np.full(len(new_names), -1, np.int64)
        self._image_ids = np.concatenate([self._image_ids, np.array(new_names, "S24")])
        self._sizes = np.concatenate([self._sizes, blank])
        self._times = np.concatenate([self._times, blank])
        self._sizes[claimed] = -1
        return claimed

    def enter(self, rows: NDArray[np.int64], sizes: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Note that n rows are written, and the sizes and times of change of the files they were made of."""
        self._sizes[rows] = sizes
        self._times[rows] = times

    def save(self) -> None:
        """Write the index in one step."""
        with replacing(self._path) as file:
            np.savez(file, image_ids=self._image_ids, sizes=self._sizes, times=self._times)


@contextmanager
def lock_cache(path: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Hold the right to build one cache; it ends with the process.

    Args:
        path: The lock's file.
        on_wait: Called again and again while another process holds it; may raise to stop.
    """
    while (lock := take_lock(path)) is None:
        on_wait()
        time.sleep(_LOOK_EVERY_S)
    with lock:
        yield
