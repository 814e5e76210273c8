"""A grid of trials: each cell is computed once and kept in a file that is named after its settings."""

from __future__ import annotations

import hashlib
import json
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from logicmix_studio.errors import writing
from logicmix_studio.files import plain, read_json, replacing, write_json
from logicmix_studio.labels import LabelTable

Settings = Mapping[str, Any]
"""All that a cell's result depends on, as JSON can hold it."""
Result = Mapping[str, Any]
"""What came of a cell, as JSON can hold it; its lists of rows go into tables."""


def settings_hash(settings: Settings) -> str:
    """Return 16 hex digits that are the same for the same settings, whatever their order.

    Example:
        >>> settings_hash({"a": 1, "b": [2.0]}) == settings_hash({"b": [2.0], "a": 1})
        True
    """
    text = json.dumps(plain(settings), sort_keys=True, ensure_ascii=False)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def table_hash(table: LabelTable) -> str:
    """Return 16 hex digits of images, classes, splits and states."""
    digest = hashlib.blake2b(np.ascontiguousarray(table.states).tobytes(), digest_size=8)
    for names in (table.image_ids, table.class_names, table.splits):
        digest.update("\0".join(names).encode())
    return digest.hexdigest()


class Slots:
    """Places for runs: so many on each device, where it has the memory for them.

    Args:
        devices: As `compute.device` has them.
        jobs: How many at once on each.
        seconds: How long runs begin; one that has begun is made to its end.
    """

    def __init__(self, devices: Sequence[str], jobs: int, seconds: float = math.inf) -> None:
        self.count, self.last = len(devices) * jobs, time.monotonic() + seconds
        self.is_over = threading.Event()
        """Set when a run failed or Ctrl-C came: those under way are cancelled, and no more begin."""
        self._free: queue.Queue[tuple[int, str]] = queue.Queue()
        for place in ((job, device) for job in range(jobs) for device in devices):
            self._free.put(place)

    @contextmanager
    def take(self) -> Iterator[tuple[int, str]]:
        """Yield a free place, waiting for one: which of its device's jobs it is, from 0, and the device."""
        place = self._free.get()
        try:
            self.check()
            yield place
        except BaseException:
            self.is_over.set()
            raise
        finally:
            self._free.put(place)

    def check(self, *_: object) -> None:
        """Leave as after Ctrl-C where everything is to end."""
        if self.is_over.is_set():
            raise KeyboardInterrupt


class CellStore:
    """Results of cells in a folder; a cell that is there is not computed again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, settings: Settings) -> Result | None:
        """Return a cell's result, or None where it has not been computed."""
        content = read_json(self._file(settings))
        return None if content is None else content["result"]

    def run(
        self,
        cells: Sequence[Settings],
        compute: Callable[[Settings], Result],
        progress: Callable[[int, int, str], None] | None = None,
        slots: Slots | None = None,
    ) -> bool:
        """Compute what is missing, in the order given; what is finished stays when a key press ends it.

        With ``slots`` so many are computed at once, in threads, and none begins when their time is up.

        Returns:
            Whether all are there; False after Ctrl-C.
        """

        def one(settings: Settings) -> None:
            if self.find(settings) is None and not (slots and time.monotonic() > slots.last):
                write_json(self._file(settings), {"settings": settings, "result": compute(settings)})

        with writing(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        told = progress or (lambda *_: None)
        told(0, len(cells), "trials")
        with ThreadPoolExecutor(slots.count if slots else 1) as pool:
            run_all = pool.map if slots and slots.count > 1 else map  # Ctrl-C comes to the main thread only
            try:
                for done, _ in enumerate(run_all(one, cells), start=1):
                    told(done, len(cells), "trials")
            except KeyboardInterrupt:
                return False
            finally:
                if slots:
                    slots.is_over.set()
        return all(self.find(settings) is not None for settings in cells)

    def _file(self, settings: Settings) -> Path:
        return self._folder / f"{settings_hash(settings)}.json"


def finished(store: CellStore, cells: Sequence[Settings]) -> list[tuple[Settings, Result]]:
    """Return the cells that were computed, with their results."""
    found = ((settings, store.find(settings)) for settings in cells)
    return [(settings, result) for settings, result in found if result is not None]


def write_rows(path: Path, done: Sequence[tuple[Settings, Result]], columns: Sequence[str], kind: str = "rows") -> None:
    """Write a tidy CSV or Parquet, by its name: a line for each row of a kind, the named settings of its cell first."""
    rows = [{**{name: settings[name] for name in columns}, **row} for settings, result in done for row in result[kind]]
    table = pd.DataFrame(rows).replace({None: np.nan}).infer_objects()  # JSON knows no nan
    with writing(path), replacing(path, new_folders=1) as file:
        file.write(table.to_parquet(index=False) if path.suffix == ".parquet" else table.to_csv(index=False).encode())
