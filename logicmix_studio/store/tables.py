"""Label tables as files, and the classes that people added and renamed.

A table is a numpy archive without pickle, replaced in one step. What became of its classes stands in
``workspace.json``, whatever the imported table calls them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing, write_json
from logicmix_studio.labels import UNKNOWN, LabelTable, table_from_arrays, table_to_arrays
from logicmix_studio.store.workspace import Workspace


def save_table(path: Path, table: LabelTable) -> None:
    """Write a table so that a reader sees the old file or the new one."""
    with replacing(path, new_folders=2) as file:
        np.savez(file, allow_pickle=False, **table_to_arrays(table))


def load_table(path: Path) -> LabelTable:
    """Return a table from its file; a StudioError where it is missing or broken."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return table_from_arrays(dict(arrays))
    except FileNotFoundError:
        hint = "import the images again, or open the studio: it reads them as they were read the last time"
        raise StudioError(f"{path} is missing", hint) from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise StudioError(
            f"{path} is broken: it is no complete table", "import the images again; the journal keeps every decision"
        ) from error


def align_cells(
    values: npt.NDArray[Any], image_ids: Sequence[str], class_names: Sequence[str], table: LabelTable, fill: float
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
    to_rows, rows = _shared(image_ids, table.image_ids)
    to_columns, columns = _shared(class_names, table.class_names)
    aligned = np.full((table.num_images, table.num_classes), fill, dtype=values.dtype)
    aligned[np.ix_(to_rows, to_columns)] = values[np.ix_(rows, columns)]
    return aligned


def _shared(given: Sequence[str], wanted: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return the places of the names that both have, (2, n): among the wanted ones, then among the given ones."""
    place_of = {name: place for place, name in enumerate(given)}
    shared = [(place, place_of[name]) for place, name in enumerate(wanted) if name in place_of]
    return np.array(shared, dtype=np.int64).reshape(-1, 2).T


def load_labels(path: Path, info: Mapping[str, Any]) -> LabelTable:
    """Return an imported table with today's classes; see :func:`load_table` and :func:`with_classes`."""
    return with_classes(load_table(path), info)


def with_classes(table: LabelTable, info: Mapping[str, Any]) -> LabelTable:
    """Return a table with the classes that people renamed and added; doing it twice changes nothing.

    Args:
        table: The table.
        info: ``workspace.json``: ``renamed`` has former names and those of today, ``added`` names of further classes,
            unknown everywhere.

    Raises:
        StudioError: If the table has a class under both its names.
    """
    renamed: Mapping[str, str] = info.get("renamed", {})
    names = [renamed.get(name, name) for name in table.class_names]
    new = [name for name in (renamed.get(name, name) for name in info.get("added", ())) if name not in names]
    if not new and tuple(names) == table.class_names:
        return table
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        several = [old for old in table.class_names if renamed.get(old, old) == twice]
        raise StudioError(
            f"{' and '.join(map(repr, several))} are one class by now, {twice!r}: the labels name both",
            "keep one of them in the label file",
        )
    states = np.pad(table.states, ((0, 0), (0, len(new))), constant_values=UNKNOWN)
    return replace(table, class_names=(*names, *new), states=states)


def add_class(workspace: Workspace, name: str) -> str:
    """Add a class, unknown everywhere, and return its name without needless blanks.

    Raises:
        StudioError: If the name is empty, taken, or was the name of another class before.
    """
    info = workspace.info()
    name = _free_name(name, info, load_labels(workspace.labels_file, info).class_names)
    _save_classes(workspace, {**info, "added": [*info.get("added", ()), name]})
    return name


def rename_class(workspace: Workspace, class_name: str, new_name: str) -> str:
    """Give a class another name and return it without needless blanks.

    The former name goes on to mean this class: in journal lines, runs and settings, and in the label file.

    Raises:
        StudioError: If there is no such class, or the name is empty, taken, or was the name of another class before.
    """
    info = workspace.info()
    class_names = load_labels(workspace.labels_file, info).class_names
    if class_name not in class_names:
        hint = f"classes are: {', '.join(class_names[:20])}"
        raise StudioError(f"there is no class {class_name!r}", hint)
    new_name = _free_name(new_name, info, class_names, of=class_name)
    renamed = {old: new_name if now == class_name else now for old, now in info.get("renamed", {}).items()}
    renamed[class_name] = new_name
    renamed.pop(new_name, None)
    _save_classes(workspace, {**info, "renamed": renamed})
    return new_name


def _free_name(name: str, info: Mapping[str, Any], class_names: Sequence[str], of: str | None = None) -> str:
    name = " ".join(name.split())
    if not name:
        raise StudioError("a class needs a name", "write one")
    if name in class_names:
        raise StudioError(f"there is a class {name!r} already", "choose another name")
    now = info.get("renamed", {}).get(name)
    if now not in (None, of):
        raise StudioError(f"{name!r} was the name of {now!r} before", "choose a name that no class ever had")
    return name


def _save_classes(workspace: Workspace, info: Mapping[str, Any]) -> None:
    """Write what became of the classes: ``workspace.json`` says it, the table follows (on opening, if not now)."""
    write_json(workspace.info_file, info)
    save_table(workspace.labels_file, load_labels(workspace.labels_file, info))
