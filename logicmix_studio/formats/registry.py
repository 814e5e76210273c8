"""The label formats, how each is recognised, and where a folder keeps its labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.coco_json import is_coco, read_coco_json
from logicmix_studio.formats.csv_files import SPLIT_COLUMN, open_csv
from logicmix_studio.formats.csv_list import LIST_COLUMNS, read_csv_list
from logicmix_studio.formats.csv_long import (
    CLASS_COLUMN,
    SCORE_COLUMN,
    SOURCE_COLUMN,
    VALUE_COLUMN,
    read_csv_long,
)
from logicmix_studio.formats.csv_wide import read_csv_wide
from logicmix_studio.formats.request import Reader
from logicmix_studio.formats.voc_xml import find_xml, read_voc_xml

CSV_SUFFIXES: Final = (".csv", ".tsv", ".txt")
"""Endings of files that are read as CSV."""

LABELS_FILE: Final = "labels.csv"
"""A file of this name beside the images is taken, whatever else lies there."""

_LIST_MAY_HOLD: Final = frozenset({SPLIT_COLUMN, SOURCE_COLUMN, SCORE_COLUMN})


@dataclass(frozen=True)
class LabelFormat:
    """A way to write labels down."""

    name: str
    """Its name in messages and options."""
    read: Reader
    """Reads it."""
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
    if labels.is_dir() or labels.suffix.lower() == ".xml":
        return VOC_XML
    if not labels.is_file():
        raise StudioError(f"there is no label file {labels}", "Check the path given with --labels.")
    if labels.suffix.lower() == ".json":
        if is_coco(labels):
            return COCO_JSON
        raise StudioError(
            f"{labels} is no COCO file: it needs images, annotations and categories", "Give another file."
        )
    if labels.suffix.lower() not in CSV_SUFFIXES:
        raise StudioError(
            f"{labels} is no label file: its name ends neither in {', '.join(CSV_SUFFIXES)} nor in .json or .xml",
            "Name the file with the labels; docs/formats.md shows all formats that are read.",
        )
    return _recognise_csv(labels)


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
        found = _only(_visible(root, pattern), root)
        if found is not None:
            return found
    coco = [path for pattern in ("*.json", "*/*.json") for path in _visible(root, pattern) if is_coco(path)]
    found = _only(coco, root)
    if found is not None:
        return found
    xml = find_xml(root)
    if not xml:
        return None
    folders = {path.parent for path in xml}
    return folders.pop() if len(folders) == 1 else root


def _recognise_csv(labels: Path) -> LabelFormat:
    """Tell the three CSV formats apart by their header."""
    table = open_csv(labels)
    if table.image_column is None:
        raise StudioError(
            f"{labels}:1: no column names the image (found: {', '.join(table.header)})",
            "Call that column 'image'; docs/formats.md shows all formats that are read.",
        )
    if table.column(CLASS_COLUMN) is not None and table.column(VALUE_COLUMN) is not None:
        return CSV_LONG
    others = {title.lower() for i, title in enumerate(table.header) if i != table.image_column} - _LIST_MAY_HOLD
    if len(others) == 1 and others <= set(LIST_COLUMNS):
        return CSV_LIST
    if not others:
        raise StudioError(
            f"{labels}:1: there is no column of labels (found: {', '.join(table.header)})",
            "Add one column a class (1, 0 or empty), or a column 'labels' with names joined by |.",
        )
    return CSV_WIDE


def _visible(root: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that fit a pattern and are not hidden, sorted."""
    found = root.glob(pattern)
    return sorted(
        path
        for path in found
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)
    )


def _only(paths: list[Path], root: Path) -> Path | None:
    """Return the only path, or None if there is none."""
    if len(paths) > 1:
        names = ", ".join(path.relative_to(root).as_posix() for path in paths[:5])
        raise StudioError(
            f"{len(paths)} files in {root} may hold the labels: {names}{', ...' if len(paths) > 5 else ''}",
            f"Name one with --labels FILE, or call it {LABELS_FILE}.",
        )
    return paths[0] if paths else None
