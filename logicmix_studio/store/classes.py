"""Classes that people added and renamed: ``workspace.json`` says so, whatever the imported table calls them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.files import write_json
from logicmix_studio.labels import UNKNOWN, LabelTable
from logicmix_studio.store.tables import load_table, save_table
from logicmix_studio.store.workspace import Workspace


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
    unknown = np.full((table.num_images, len(new)), UNKNOWN, dtype=np.int8)
    return replace(table, class_names=(*names, *new), states=np.hstack([table.states, unknown]))


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
