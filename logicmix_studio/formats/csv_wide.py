"""csv-wide: one row an image, one column a class, 1 / 0 / empty; and CheXpert's tables, with 1.0 / 0.0 / empty.

In these, -1.0 is uncertain, and empty what is not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.csv_list import LIST_COLUMNS
from logicmix_studio.formats.csv_long import CLASS_COLUMN, SCORE_COLUMN, SOURCE_COLUMN, VALUE_COLUMN
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat, csv_lines, split_fields
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.table import SPLIT_COLUMN, Column
from logicmix_studio.formats.texts import MINUS_ONE, STATE_OF_WORD, shown
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, TableBuilder

TEXT_OF_STATE = {POSITIVE: "1", NEGATIVE: "0", UNKNOWN: ""}
_CHEXPERT_TITLE = "Path"
_CHEXPERT_WORDS = {POSITIVE: "1.0", NEGATIVE: "0.0", UNKNOWN: ""}
# Stands for a value that is looked at again; no state.
_ODD = 2


def is_wide(file: LabelFile) -> bool:
    """Tell whether a table has a column of states besides those of image, split, source and score."""
    table, beside = file.table, {"", SPLIT_COLUMN, SOURCE_COLUMN, SCORE_COLUMN}
    if table.image_column is None:
        return False
    others = [i for i, title in enumerate(table.header) if i != table.image_column and title.lower() not in beside]
    return any(file.columns or not table.columns[i].is_foreign for i in others)


def is_chexpert(file: LabelFile) -> bool:
    """Tell whether a wide table has the column Path and states with a decimal point."""
    table, words = file.table, {"1.0", "0.0"}
    return _CHEXPERT_TITLE in table.header and is_wide(file) and any(one.words & words for one in table.columns)


def read_csv_wide(request: ReadRequest) -> TableBuilder:
    """Read wide tables; a column that holds something else than states is no class."""
    titles = {file: _class_columns(request, file) for file in request.files}
    class_names = request.class_names or tuple(dict.fromkeys(title for found in titles.values() for title in found))
    builder, known = request.start(class_names), frozenset(class_names)
    for file, columns in titles.items():
        for title in columns:
            if title not in known:
                builder.add_cell(next(iter(request.images.paths)), title, UNKNOWN, file=file.name, line=1)
        _read_file(request, file, builder, {title: i for title, i in columns.items() if title in known})
    return builder


def _class_columns(request: ReadRequest, file: LabelFile) -> dict[str, int]:
    """Return the columns that are classes, by their titles.

    Raises:
        StudioError: If a column holds something else, and it was not said which are classes; or a column is missing.
    """
    table = file.table
    others = (table.image_column, table.column(SPLIT_COLUMN))
    titles = {title: i for i, title in enumerate(table.header) if title and i not in others}
    if file.columns is not None:
        if missing := [title for title in file.columns if title not in titles]:
            raise StudioError(
                f"{table.path}:1: there is no column {missing[0]!r}", f"Columns are: {shown(titles, 20)}."
            )
        return {title: titles[title] for title in file.columns}
    foreign = [column for column in table.columns if column.title in titles and column.is_foreign]
    if request.class_names is not None:
        known = frozenset(request.class_names)
        foreign = [column for column in foreign if column.title not in known]
        if foreign:
            request.notes.append(f"Columns passed over, as they hold no labels: {_named(foreign)}.")
    elif foreign:
        raise StudioError(
            f"{table.path}:1: something else than 1, 0 and empty stands in the columns {_named(foreign)}",
            "Say which columns are classes (--columns a,b), or that there are no labels (--labels none).",
        )
    for column in foreign:
        del titles[column.title]
    return titles


def _named(columns: Sequence[Column]) -> str:
    return shown(map(str, columns), 20)


def _read_file(request: ReadRequest, file: LabelFile, builder: TableBuilder, columns: dict[str, int]) -> None:
    column_of = {name: column for column, name in enumerate(builder.class_names)}
    order = [column_of[title] for title in columns]
    places = list(columns.values())
    has_file_order = places == list(range(places[0], places[0] + len(places))) if places else False
    states = np.zeros(len(builder.class_names), dtype=np.int8)
    words = dict(STATE_OF_WORD)
    if file.table.minus_is_uncertain:
        words |= dict.fromkeys(MINUS_ONE, UNKNOWN)
        num_uncertain = sum(n for c in file.table.columns for word, n in c.counts.items() if word.strip() in MINUS_ONE)
        request.notes.append(
            f"-1 stands beside 0 in {file.name}, so it means uncertain: {num_uncertain:,} cells stay unknown."
        )
    for line, path, split, fields in request.rows(file):
        found = fields[places[0] : places[0] + len(places)] if has_file_order else [fields[i] for i in places]
        codes = [words.get(word, _ODD) for word in found]
        if _ODD in codes:
            known = (words.get(word.strip(), _ODD) for word in found)
            codes = [
                (request.parse_state(word, file, line, title) or UNKNOWN) if code == _ODD else code
                for word, title, code in zip(found, columns, known, strict=True)
            ]
        if path is not None:
            states[order] = codes
            builder.add_row(path, states, split=split, file=file.name, line=line)


def wide_rows(
    cells: Cells, format_name: str, title: str, words: Mapping[int, Any] = TEXT_OF_STATE
) -> Iterator[Sequence[Any]]:
    """Yield the header, in which the image's column has a title, and a row an image, with a word for each state.

    Raises:
        StudioError: If a class would be something else when the format is read again.
    """
    table, class_names = cells.table, cells.table.class_names
    lowered = {name.lower() for name in class_names}
    labels = lowered - {SOURCE_COLUMN, SCORE_COLUMN}
    wrong = [name for name in class_names if name.lower() in (title.lower(), "image", SPLIT_COLUMN)]
    if not labels or (len(labels) == 1 and labels <= LIST_COLUMNS) or {CLASS_COLUMN, VALUE_COLUMN} <= lowered:
        wrong += class_names
    if wrong:
        told = f"{format_name} cannot hold a class called {wrong[0]!r}: it would be read as something else"
        raise StudioError(told, "Rename the class, or export in another format.")
    header, *splits = split_fields(table.splits)
    yield [title, *header, *class_names]
    for row, path in cells.rows():
        yield [path, *splits[row], *(words[state] for state in table.states[row].tolist())]


CSV_WIDE = LabelFormat(
    "csv-wide",
    "a column that names the image, and one column a class",
    is_wide,
    read_csv_wide,
    lambda cells: csv_lines(wide_rows(cells, "csv-wide", "image")),
    {"negatives", "splits", "classes"},
    uses_classes_file=False,
)
CHEXPERT = replace(
    CSV_WIDE,
    name="chexpert",
    sign="a column Path, and one column a class with 1.0, 0.0 or nothing",
    fits=is_chexpert,
    write=lambda cells: csv_lines(wide_rows(cells, "chexpert", _CHEXPERT_TITLE, _CHEXPERT_WORDS)),
)
