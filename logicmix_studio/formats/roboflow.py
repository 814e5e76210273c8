"""Roboflow's tables of several labels: `_classes.csv` in a folder a split, one row an image, one column a class."""

from __future__ import annotations

from dataclasses import replace

from logicmix_studio.formats.csv_wide import CSV_WIDE, is_wide, wide_rows
from logicmix_studio.formats.label_format import Cells, Contents, csv_lines
from logicmix_studio.labels import LabelTable

_FILE = "_classes.csv"
_FOLDERS = {"train": "train", "val": "valid", "test": "test"}
_NO_SPLIT = {"": "trainval"}


def write_roboflow(cells: Cells) -> Contents:
    """Write a table a split, and one of images without a split; unknown cells, which Roboflow does not have, are empty.

    Where no image has a split, the only folder is `train`, which then says nothing. In a folder that holds all images of
    its table, these have their names below it.
    """
    table = cells.table
    folders = _FOLDERS | (_NO_SPLIT if "" in table.splits else {}) if any(table.splits) else {"": "train"}
    for split, folder in folders.items():
        rows = [row for row, own in enumerate(table.splits) if own == split]
        paths = [table.paths[row] for row in rows]
        if all(path.startswith(f"{folder}/") for path in paths):
            paths = [path.removeprefix(f"{folder}/") for path in paths]
        part = LabelTable.build(paths, table.class_names, table.states[rows])
        yield f"{folder}/{_FILE}", csv_lines(wide_rows(Cells.of(part, progress=cells.progress), "roboflow", "filename"))


ROBOFLOW = replace(
    CSV_WIDE,
    name="roboflow",
    sign=f"tables {_FILE}, one column a class",
    fits=lambda file: file.path.name == _FILE and is_wide(file),
    write=None,
    write_folder=write_roboflow,
    is_folder=True,
)
