"""Roboflow's tables of several labels: `_classes.csv` in a folder a split, one row an image, one column a class."""

from __future__ import annotations

from logicmix_studio.formats.csv_wide import TEXT_OF_STATE, check_names, is_wide, read_csv_wide, wide_rows
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.table_rows import csv_lines
from logicmix_studio.labels import LabelTable

_FILE = "_classes.csv"
_FOLDERS = {"train": "train", "val": "valid", "test": "test"}
_NO_SPLIT = "trainval"


def is_roboflow(file: LabelFile) -> bool:
    """Tell whether a wide table is called as those of Roboflow."""
    return file.path.name == _FILE and is_wide(file)


def write_roboflow(cells: Cells) -> Contents:
    """Write a table a split, and one of images without a split; unknown cells, which Roboflow does not have, are empty.

    Where no image has a split, the only folder is `train`, which then says nothing. In a folder that holds all images of
    its table, these have their names below it.
    """
    table = cells.table
    check_names(table.class_names, "roboflow")
    has_splits = any(table.splits)
    rows: dict[str, list[int]] = {folder: [] for folder in (_FOLDERS.values() if has_splits else ["train"])}
    for row, split in enumerate(table.splits):
        folder = _FOLDERS[split or "train"] if split or not has_splits else _NO_SPLIT
        rows.setdefault(folder, []).append(row)
    for folder, found in rows.items():
        paths = [table.paths[row] for row in found]
        if all(path.startswith(f"{folder}/") for path in paths):
            paths = [path.removeprefix(f"{folder}/") for path in paths]
        part = LabelTable.build(paths, table.class_names, table.states[found])
        yield f"{folder}/{_FILE}", csv_lines(wide_rows(part, "filename", TEXT_OF_STATE))


ROBOFLOW = LabelFormat(
    "roboflow",
    f"tables {_FILE}, one column a class",
    is_roboflow,
    read_csv_wide,
    write_roboflow,
    {"negatives", "splits", "classes"},
    is_folder=True,
    uses_classes_file=False,
)
