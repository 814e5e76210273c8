"""What all CSV formats share: delimiter, header, rows with their lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.texts import read_text
from logicmix_studio.formats.values import WrongValueError, parse_split
from logicmix_studio.labels import Problem

if TYPE_CHECKING:
    import _csv

IMAGE_COLUMNS: Final = (
    "image",
    "image_id",
    "image_name",
    "image_path",
    "filename",
    "file_name",
    "file",
    "path",
    "img",
)
"""Headers, in lower case, of the column that names the image; the first of them in the file counts."""

SPLIT_COLUMN: Final = "split"

_DELIMITERS: Final = (",", ";", "\t")
# A list of labels may be long; Python's own limit is 128 KiB a field.
_FIELD_LIMIT: Final = 1 << 24


@dataclass(frozen=True)
class CsvTable:
    """A CSV file whose header is read."""

    path: Path
    """The file."""
    header: tuple[str, ...]
    """Column names, surrounding blanks removed."""
    text: str
    """The whole file."""
    delimiter: str
    """Comma, semicolon or tab."""

    def column(self, *names: str) -> int | None:
        """Return the first column with one of these names, or None; case does not matter.

        Args:
            names: In lower case.
        """
        return next((i for i, title in enumerate(self.header) if title.lower() in names), None)

    @property
    def image_column(self) -> int | None:
        """The column that names the image, or None."""
        return self.column(*IMAGE_COLUMNS)

    @cached_property
    def split_column(self) -> int | None:
        """The column that names the split, or None."""
        return self.column(SPLIT_COLUMN)

    def rows(self, problems: list[Problem]) -> Iterator[tuple[int, list[str]]]:
        """Yield line and fields of each row that is not empty and as long as the header.

        Args:
            problems: Takes what is wrong with the others.
        """
        width = len(self.header)
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
                if len(fields) == width:
                    yield first, fields
                else:
                    message = f"the row has {len(fields)} columns, but the header has {width}"
                    problems.append(Problem(self.path.name, first, message))
        except csv.Error as error:
            is_open = "unexpected end" in str(error)
            reason = "a quote that begins in this row is never closed" if is_open else str(error)
            problems.append(Problem(self.path.name, line + 1, f"not readable as CSV: {reason}"))

    def split_of(self, fields: list[str], line: int, problems: list[Problem]) -> str:
        """Return the split of a row; a wrong one is noted and is none."""
        column = self.split_column
        try:
            return "" if column is None else parse_split(fields[column])
        except WrongValueError as error:
            problems.append(Problem(self.path.name, line, str(error)))
            return ""


def open_csv(path: Path) -> CsvTable:
    """Read a CSV file and its header.

    Raises:
        StudioError: If it is empty, not text, or names a column twice.
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
    return CsvTable(path, header, text, delimiter)


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
