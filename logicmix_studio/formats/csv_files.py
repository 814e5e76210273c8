"""CSV files of three layouts.

- wide: one row an image, one column a class, 1 / 0 / empty;
- long: one row a cell, with the columns image, class, value and perhaps source, score and split;
- list: one row an image, with the classes present joined by |.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.request import Positives, ReadRequest, read_positives
from logicmix_studio.formats.texts import STATE_OF_WORD, WrongValueError, parse_split, parse_state, read_text
from logicmix_studio.labels import UNKNOWN, TableBuilder

if TYPE_CHECKING:
    import _csv

IMAGE_COLUMNS: Final = ("image", "image_id", "image_name", "image_path", "filename", "file_name", "file", "path", "img")
"""Headers, in lower case, of the column that names the image; the first of them in the file counts."""
SPLIT_COLUMN: Final = "split"
LIST_COLUMNS: Final = ("labels", "classes", "tags")
"""Headers, in lower case, of the column that holds the list."""
CLASS_COLUMN: Final = "class"
VALUE_COLUMN: Final = "value"
SOURCE_COLUMN: Final = "source"
SCORE_COLUMN: Final = "score"
PSEUDO_SOURCE: Final = "pseudo"
"""Source of a cell that a model proposes and nobody has confirmed."""

_MODEL_SOURCES: Final = frozenset({PSEUDO_SOURCE, "pseudo-label", "proposal", "model"})
_DELIMITERS: Final = (",", ";", "\t")
# A list of labels may be long; Python's own limit is 128 KiB a field.
_FIELD_LIMIT: Final = 1 << 24
# Stands for a value that is looked at again; no state.
_ODD: Final = 2


@dataclass(frozen=True)
class CsvTable:
    """A CSV file whose header is read."""

    path: Path
    header: tuple[str, ...]
    """Column names, surrounding blanks removed."""
    text: str
    """The whole file."""
    delimiter: str
    """Comma, semicolon or tab."""

    def column(self, *names: str) -> int | None:
        """Return the first column with one of these names (in lower case), or None; its own case does not matter."""
        return next((i for i, title in enumerate(self.header) if title.lower() in names), None)

    @property
    def image_column(self) -> int:
        """The column that names the image; :func:`open_csv` has seen that there is one."""
        column = self.column(*IMAGE_COLUMNS)
        assert column is not None
        return column

    def rows(self, request: ReadRequest) -> Iterator[tuple[int, str | None, str, list[str]]]:
        """Yield line, image, split and fields of each row that is not empty and as long as the header.

        What is wrong is noted in the request: with other rows, with the image (which then is None) and with the
        split (which then is empty).
        """
        width, image, split = len(self.header), self.image_column, self.column(SPLIT_COLUMN)
        reader = _reader(self.text, self.delimiter)
        next(reader)
        line = reader.line_num
        try:
            for fields in reader:
                line, first = reader.line_num, line + 1
                if not any(fields):
                    continue
                if len(fields) > width and not any(fields[width:]):
                    fields = fields[:width]  # noqa: PLW2901 (spreadsheets add empty columns)
                if len(fields) != width:
                    request.report(f"the row has {len(fields)} columns, but the header has {width}", first)
                    continue
                path = request.find_image(fields[image], first)
                yield first, path, "" if split is None else _split(fields[split], first, request), fields
        except csv.Error as error:
            is_open = "unexpected end" in str(error)
            reason = "a quote that begins in this row is never closed" if is_open else str(error)
            request.report(f"not readable as CSV: {reason}", line + 1)


def open_csv(path: Path) -> CsvTable:
    """Read a CSV file and its header.

    Raises:
        StudioError: If it is empty, not text, names a column twice, or no column names the image.
    """
    text = read_text(path)
    delimiter, header = _choose_delimiter(path, text)
    if not any(header):
        raise StudioError(f"{path} has no header line", "Begin the file with a line of column names.")
    for title in header:
        if title and header.count(title) > 1:
            raise StudioError(f"{path}:1: the column {title!r} stands there twice", "Keep each column once.")
    if "" in header:
        raise StudioError(f"{path}:1: column {header.index('') + 1} has no name", "Name each column, or remove it.")
    table = CsvTable(path, header, text, delimiter)
    if table.column(*IMAGE_COLUMNS) is None:
        raise StudioError(
            f"{path}:1: no column names the image (found: {', '.join(header)})",
            "Call that column 'image'; docs/formats.md shows all formats that are read.",
        )
    return table


def read_csv_wide(request: ReadRequest) -> TableBuilder:
    """Read a wide CSV file."""
    table = open_csv(request.labels)
    others = (table.image_column, table.column(SPLIT_COLUMN))
    titles = {i: title for i, title in enumerate(table.header) if i not in others}
    class_names = request.class_names or tuple(titles.values())
    builder = request.start(class_names)
    for title in titles.values():
        if title not in class_names:
            builder.add_cell(next(iter(request.images.paths)), title, UNKNOWN, file=request.labels.name, line=1)
    columns = [i for i, title in titles.items() if title in class_names]
    order = [class_names.index(titles[i]) for i in columns]
    has_file_order = columns == list(range(columns[0], columns[0] + len(columns))) if columns else False
    states = np.zeros(len(class_names), dtype=np.int8)
    lookup = STATE_OF_WORD.get
    for line, path, split, fields in table.rows(request):
        words = fields[columns[0] : columns[0] + len(columns)] if has_file_order else [fields[i] for i in columns]
        codes = [lookup(word, _ODD) for word in words]
        if _ODD in codes:
            codes = [_state(fields[i], titles[i], line, request) for i in columns]
        if path is not None:
            states[order] = codes
            builder.add_row(path, states, split=split, file=request.labels.name, line=line)
    return builder


def read_csv_long(request: ReadRequest) -> TableBuilder:
    """Read a long CSV file; a model's proposals in it stay unknown."""
    table, file = open_csv(request.labels), request.labels.name
    class_name, value, source = (table.column(name) for name in (CLASS_COLUMN, VALUE_COLUMN, SOURCE_COLUMN))
    assert class_name is not None
    assert value is not None
    builder = request.start(request.class_names)
    num_proposed = 0
    for line, path, split, fields in table.rows(request):
        try:
            state = parse_state(fields[value])
        except WrongValueError as error:
            request.report(str(error), line)
            continue
        if path is None:
            continue
        is_proposed = source is not None and fields[source].strip().lower() in _MODEL_SOURCES
        num_proposed += is_proposed
        builder.add_image(path, split=split, file=file, line=line)
        name = fields[class_name].strip()
        if name or state != UNKNOWN:
            builder.add_cell(path, name, UNKNOWN if is_proposed else state, file=file, line=line)
    if num_proposed:
        request.notes.append(f"Pseudo-labels in {file}: {num_proposed:,}; such cells stay unknown.")
    return builder


def read_csv_list(request: ReadRequest) -> TableBuilder:
    """Read a list CSV file; without given classes, all that are named, in alphabetical order."""
    table = open_csv(request.labels)
    list_column = table.column(*LIST_COLUMNS)
    assert list_column is not None
    rows = []
    for line, path, split, fields in table.rows(request):
        names = dict.fromkeys(name.strip() for name in fields[list_column].split("|"))
        names.pop("", None)
        rows.append(Positives(path, tuple(names), request.labels.name, line, split))
    return read_positives(request, rows)


def _split(word: str, line: int, request: ReadRequest) -> str:
    try:
        return parse_split(word)
    except WrongValueError as error:
        request.report(str(error), line)
        return ""


def _state(word: str, title: str, line: int, request: ReadRequest) -> int:
    try:
        return parse_state(word)
    except WrongValueError as error:
        request.report(f"column {title!r}: {error}", line)
        return UNKNOWN


def _choose_delimiter(path: Path, text: str) -> tuple[str, tuple[str, ...]]:
    """Return the delimiter that lets a column name the image and makes the most columns, and the header."""
    headers: dict[str, tuple[str, ...]] = {}
    for delimiter in _DELIMITERS:
        try:
            headers[delimiter] = _header(text, delimiter)
        except csv.Error as error:
            reason = error
    if not headers:
        raise StudioError(f"{path}:1: not readable as CSV: {reason}", "Check the quotes of this line.")

    def merit(delimiter: str) -> tuple[bool, int]:
        titles = headers[delimiter]
        return any(title.lower() in IMAGE_COLUMNS for title in titles), len(titles)

    best = max(headers, key=merit)
    return best, headers[best]


def _header(text: str, delimiter: str) -> tuple[str, ...]:
    """Return the first row, without empty columns at its end."""
    titles = [field.strip() for field in next(_reader(text, delimiter), list[str]())]
    while titles and not titles[-1]:
        titles.pop()
    return tuple(titles)


def _reader(text: str, delimiter: str) -> _csv.Reader:
    """Return a reader that refuses broken quotes."""
    csv.field_size_limit(_FIELD_LIMIT)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
