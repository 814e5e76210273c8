"""List CSV: one row an image, with the classes present joined by |."""

from __future__ import annotations

from typing import Final

from logicmix_studio.formats.csv_files import SPLIT_COLUMN, open_csv
from logicmix_studio.formats.request import Positives, ReadRequest, add_positives
from logicmix_studio.formats.values import WrongValueError, parse_split
from logicmix_studio.labels import Problem, TableBuilder

LIST_COLUMNS: Final = ("labels", "classes", "tags")
"""Headers, in lower case, of the column that holds the list."""

SEPARATOR: Final = "|"
"""Stands between two classes of a list."""


def read_csv_list(request: ReadRequest) -> TableBuilder:
    """Read a list CSV file; without given classes, all that are named, in alphabetical order.

    Args:
        request: What to read.

    Raises:
        StudioError: If the file has no header.
    """
    table = open_csv(request.labels)
    image_column, list_column = table.image_column, table.column(*LIST_COLUMNS)
    split_column = table.column(SPLIT_COLUMN)
    assert image_column is not None
    assert list_column is not None
    problems: list[Problem] = []
    rows = []
    for line, fields in table.rows(problems):
        names = dict.fromkeys(name.strip() for name in fields[list_column].split(SEPARATOR))
        names.pop("", None)
        try:
            split = parse_split(fields[split_column]) if split_column is not None else ""
        except WrongValueError as error:
            problems.append(Problem(table.path.name, line, str(error)))
            split = ""
        rows.append(Positives(fields[image_column], tuple(names), split, table.path.name, line))
    class_names = request.class_names or tuple(sorted({name for row in rows for name in row.class_names}))
    builder = request.start(class_names)
    for problem in problems:
        builder.add_problem(problem.message, file=problem.file, line=problem.line)
    add_positives(request, builder, class_names, rows)
    return builder
