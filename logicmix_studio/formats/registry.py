"""The label formats, how each is recognised, and where a folder keeps its labels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.coco_json import is_coco, read_coco_json
from logicmix_studio.formats.csv_files import (
    CLASS_COLUMN,
    LIST_COLUMNS,
    SCORE_COLUMN,
    SOURCE_COLUMN,
    SPLIT_COLUMN,
    VALUE_COLUMN,
    open_csv,
    read_csv_list,
    read_csv_long,
    read_csv_wide,
)
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.texts import visible_files
from logicmix_studio.formats.voc_xml import read_voc_xml
from logicmix_studio.labels import TableBuilder

CSV_SUFFIXES: Final = (".csv", ".tsv", ".txt")
"""Endings of files that are read as CSV."""
LABELS_FILE: Final = "labels.csv"
"""A file of this name beside the images is taken, whatever else lies there."""


class LabelFormat(NamedTuple):
    """A way to write labels down."""

    name: str
    """Its name in messages."""
    read: Callable[[ReadRequest], TableBuilder]
    names_only_positives: bool
    """Whether absence cannot be stated, so that a class not named may be absent or unknown."""
    uses_classes_file: bool
    """Whether a classes.txt beside the images gives its classes."""


CSV_WIDE: Final = LabelFormat("csv-wide", read_csv_wide, False, False)
CSV_LONG: Final = LabelFormat("csv-long", read_csv_long, False, True)
CSV_LIST: Final = LabelFormat("csv-list", read_csv_list, True, True)
VOC_XML: Final = LabelFormat("voc-xml", read_voc_xml, True, True)
COCO_JSON: Final = LabelFormat("coco-json", read_coco_json, True, False)


def recognise(labels: Path) -> LabelFormat:
    """Return the format of a label file, judged by its ending and its header.

    Raises:
        StudioError: If it is none of the formats.
    """
    suffix = labels.suffix.lower()
    if labels.is_dir() or suffix == ".xml":
        return VOC_XML
    if not labels.is_file():
        raise StudioError(f"there is no label file {labels}", "Check the path given with --labels.")
    if suffix == ".json":
        if is_coco(labels):
            return COCO_JSON
        told = f"{labels} is no COCO file: it needs images, annotations and categories"
        raise StudioError(told, "Give another file.")
    if suffix not in CSV_SUFFIXES:
        raise StudioError(
            f"{labels} is no label file: its name ends neither in {', '.join(CSV_SUFFIXES)} nor in .json or .xml",
            "Name the file with the labels; docs/formats.md shows all formats that are read.",
        )
    table = open_csv(labels)
    if table.column(CLASS_COLUMN) is not None and table.column(VALUE_COLUMN) is not None:
        return CSV_LONG
    others = {title.lower() for i, title in enumerate(table.header) if i != table.image_column}
    others -= {SPLIT_COLUMN, SOURCE_COLUMN, SCORE_COLUMN}
    if not others:
        raise StudioError(
            f"{labels}:1: there is no column of labels (found: {', '.join(table.header)})",
            "Add one column a class (1, 0 or empty), or a column 'labels' with names joined by |.",
        )
    return CSV_LIST if len(others) == 1 and others <= set(LIST_COLUMNS) else CSV_WIDE


def find_labels(root: Path) -> Path | None:
    """Return the label file or folder that lies with the images, or None.

    In this order: `labels.csv`, the only CSV beside the images, the only CSV further below, the only COCO
    file, a folder with VOC files.

    Raises:
        StudioError: If several CSV or COCO files may be meant.
    """
    if (root / LABELS_FILE).is_file():
        return root / LABELS_FILE
    for pattern in ("*.csv", "*/**/*.csv"):
        if found := _only(visible_files(root, pattern), root):
            return found
    coco = [path for pattern in ("*.json", "*/*.json") for path in visible_files(root, pattern) if is_coco(path)]
    if found := _only(coco, root):
        return found
    folders = {path.parent for path in visible_files(root, "**/*.xml")}
    if not folders:
        return None
    return folders.pop() if len(folders) == 1 else root


def _only(paths: list[Path], root: Path) -> Path | None:
    """Return the only path, or None if there is none."""
    if len(paths) > 1:
        names = ", ".join(path.relative_to(root).as_posix() for path in paths[:5])
        raise StudioError(
            f"{len(paths)} files in {root} may hold the labels: {names}{', ...' if len(paths) > 5 else ''}",
            f"Name one with --labels FILE, or call it {LABELS_FILE}.",
        )
    return paths[0] if paths else None
