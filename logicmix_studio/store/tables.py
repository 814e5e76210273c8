"""Label tables as files: numpy archives without pickle, replaced in one step."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable, table_from_arrays, table_to_arrays
from logicmix_studio.store.workspace import replacing


def save_table(path: Path, table: LabelTable) -> None:
    """Write a table so that a reader sees the old file or the new one."""
    with replacing(path) as file:
        np.savez(file, allow_pickle=False, **table_to_arrays(table))


def load_table(path: Path) -> LabelTable:
    """Return a table from its file.

    Raises:
        StudioError: If the file is missing or broken.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return table_from_arrays(dict(arrays))
    except FileNotFoundError:
        raise StudioError(f"{path} is missing", "import the images again") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StudioError(
            f"{path} is broken: it is no complete table",
            "import the images again; the journal keeps every decision",
        ) from error
