"""A grid of trials: each cell is computed once and kept in a file that is named after its settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
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
    ) -> bool:
        """Compute what is missing, in the order given; what is finished stays when a key press ends it.

        Returns:
            Whether all are there; False after Ctrl-C.
        """
        for done, settings in enumerate(cells):
            if progress is not None:
                progress(done, len(cells), "trials")
            if self.find(settings) is None:
                try:
                    result = compute(settings)
                except KeyboardInterrupt:
                    return False
                write_json(self._file(settings), {"settings": settings, "result": result})
        if progress is not None:
            progress(len(cells), len(cells), "trials")
        return True

    def _file(self, settings: Settings) -> Path:
        return self._folder / f"{settings_hash(settings)}.json"


def finished(store: CellStore, cells: Sequence[Settings]) -> list[tuple[Settings, Result]]:
    """Return the cells that were computed, with their results."""
    found = ((settings, store.find(settings)) for settings in cells)
    return [(settings, result) for settings, result in found if result is not None]


def write_rows(path: Path, done: Sequence[tuple[Settings, Result]], columns: Sequence[str], kind: str = "rows") -> None:
    """Write one tidy CSV: a line for each row of that kind in each result, the named settings of its cell first."""
    rows = [{**{name: settings[name] for name in columns}, **row} for settings, result in done for row in result[kind]]
    with writing(path), replacing(path) as file:
        file.write(pd.DataFrame(rows).to_csv(index=False).encode())
