"""List CSV: one row an image, with the classes present joined by |."""

from __future__ import annotations

from typing import Final

from logicmix_studio.formats.csv_files import open_csv
from logicmix_studio.formats.request import Positives, ReadRequest, read_positives
from logicmix_studio.labels import Problem, TableBuilder

LIST_COLUMNS: Final = ("labels", "classes", "tags")
"""Headers, in lower case, of the column that holds the list."""

SEPARATOR: Final = "|"
"""Stands between two classes of a list."""


def read_csv_list(request: ReadRequest) -> TableBuilder:
    """Read a list CSV file; without given classes, all that are named, in alphabetical order.

    Raises:
        StudioError: If the file has no header.
    """
    table = open_csv(request.labels)
    image_column, list_column = table.image_column, table.column(*LIST_COLUMNS)
    assert image_column is not None
    assert list_column is not None
    problems: list[Problem] = []
    rows = []
    for line, fields in table.rows(problems):
        names = dict.fromkeys(name.strip() for name in fields[list_column].split(SEPARATOR))
        names.pop("", None)
        split = table.split_of(fields, line, problems)
        rows.append(Positives(fields[image_column], tuple(names), split, table.path.name, line))
    return read_positives(request, rows, problems)
