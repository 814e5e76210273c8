"""Label tables as files: numpy archives without pickle, replaced in one step."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.labels import LabelTable, table_from_arrays, table_to_arrays


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


def align_cells(
    values: npt.NDArray[Any],
    image_ids: Sequence[str],
    class_names: Sequence[str],
    table: LabelTable,
    fill: float,
) -> npt.NDArray[Any]:
    """Return cells of other images and classes in the rows and columns of a table.

    Args:
        values: (M, K) one value a cell.
        image_ids: M images.
        class_names: K classes.
        table: N images and C classes.
        fill: The value of cells that are not among the given ones.

    Returns:
        (N, C); ``values`` itself where nothing differs.
    """
    if tuple(image_ids) == table.image_ids and tuple(class_names) == table.class_names:
        return values
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    column_of = {name: column for column, name in enumerate(class_names)}
    rows = np.array([row_of.get(image_id, -1) for image_id in table.image_ids], dtype=np.int64)
    columns = np.array([column_of.get(name, -1) for name in table.class_names], dtype=np.int64)
    aligned = np.full((table.num_images, table.num_classes), fill, dtype=values.dtype)
    has_row, has_column = np.flatnonzero(rows >= 0), np.flatnonzero(columns >= 0)
    aligned[np.ix_(has_row, has_column)] = values[np.ix_(rows[has_row], columns[has_column])]
    return aligned
