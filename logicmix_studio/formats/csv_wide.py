"""Wide CSV: one row an image, one column a class, 1 / 0 / empty."""

from __future__ import annotations

from typing import Final

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.csv_files import CsvTable, open_csv
from logicmix_studio.formats.request import ReadRequest, add_problems
from logicmix_studio.formats.values import STATE_OF_WORD, WrongValueError, parse_state
from logicmix_studio.labels import UNKNOWN, Problem, TableBuilder

# Stands for a value that is looked at again; no state.
_ODD: Final = 2


def read_csv_wide(request: ReadRequest) -> TableBuilder:
    """Read a wide CSV file.

    Raises:
        StudioError: If the file has no header, no image column or no class column.
    """
    table = open_csv(request.labels)
    image_column, split_column = table.image_column, table.split_column
    if image_column is None:
        raise StudioError(
            f"{table.path}:1: no column names the image (found: {', '.join(table.header)})",
            "Call that column 'image'.",
        )
    columns = [i for i in range(len(table.header)) if i not in (image_column, split_column)]
    titles = [table.header[i] for i in columns]
    class_names = request.class_names or tuple(titles)
    builder = request.start(class_names)
    for title in titles:
        if title not in class_names:
            builder.add_cell(request.image_paths[0], title, UNKNOWN, file=table.path.name, line=1)
    columns = [i for i in columns if table.header[i] in class_names]
    order = [class_names.index(table.header[i]) for i in columns]
    _read_rows(request, builder, table, columns, order)
    return builder


def _read_rows(
    request: ReadRequest, builder: TableBuilder, table: CsvTable, columns: list[int], order: list[int]
) -> None:
    """Take the rows; column `columns[i]` of the file is class `order[i]`."""
    image_column = table.image_column
    assert image_column is not None
    file, problems = table.path.name, list[Problem]()
    has_file_order = columns == list(range(columns[0], columns[0] + len(columns))) if columns else False
    states = np.zeros(len(builder.class_names), dtype=np.int8)
    lookup = STATE_OF_WORD.get
    for line, fields in table.rows(problems):
        path = request.find_image(fields[image_column], builder, line)
        words = fields[columns[0] : columns[0] + len(columns)] if has_file_order else [fields[i] for i in columns]
        codes = [lookup(word, _ODD) for word in words]
        if _ODD in codes:
            codes = _parse_row(words, [table.header[i] for i in columns], builder, file, line)
        split = table.split_of(fields, line, problems)
        if path is not None:
            states[order] = codes
            builder.add_row(path, states, split=split, file=file, line=line)
    add_problems(builder, problems)


def _parse_row(words: list[str], titles: list[str], builder: TableBuilder, file: str, line: int) -> list[int]:
    """Return the states of a row with unusual values; what cannot be read is noted and unknown."""
    states = []
    for word, title in zip(words, titles, strict=True):
        try:
            states.append(parse_state(word))
        except WrongValueError as error:
            builder.add_problem(f"column {title!r}: {error}", file=file, line=line)
            states.append(UNKNOWN)
    return states
