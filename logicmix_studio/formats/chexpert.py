"""CheXpert's tables: a column Path, and one column a class with 1.0, 0.0, -1.0 (uncertain) or nothing (not mentioned)."""

from __future__ import annotations

from logicmix_studio.formats.csv_wide import check_names, is_wide, read_csv_wide, wide_rows
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.table_rows import csv_lines
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN

_TITLE = "Path"
_WORDS = {POSITIVE: "1.0", NEGATIVE: "0.0", UNKNOWN: ""}


def is_chexpert(file: LabelFile) -> bool:
    """Tell whether a wide table has the column Path and states with a decimal point."""
    words = {"1.0", "0.0"}
    return _TITLE in file.table.header and is_wide(file) and any(column.words & words for column in file.table.columns)


def write_chexpert(cells: Cells) -> Contents:
    """Write one row an image; an unknown cell is empty, as what is not mentioned. Splits get a column of their own."""
    check_names(cells.table.class_names, "chexpert")
    yield "", csv_lines(wide_rows(cells.table, _TITLE, _WORDS))


CHEXPERT = LabelFormat(
    "chexpert",
    "a column Path, and one column a class with 1.0, 0.0 or nothing",
    is_chexpert,
    read_csv_wide,
    write_chexpert,
    {"negatives", "splits", "classes"},
    uses_classes_file=False,
)
