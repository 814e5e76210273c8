"""Tables of delimited text."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.table import IMAGE_COLUMNS, ROWS_A_STEP, Table, UnreadableError
from logicmix_studio.formats.texts import encoding_of, read_text
from logicmix_studio.words import Progress

_DELIMITERS: Final = (",", ";", "\t")
# A list of labels may be long; Python's own limit is 128 KiB a field.
_FIELD_LIMIT: Final = 1 << 24
# A spreadsheet's own line before the header, and pandas' index.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?[;,\t]*')
_INDEX_TITLE: Final = re.compile(r"Unnamed: \d+")


@dataclass(frozen=True)
class CsvTable(Table):
    """Delimited text whose header is read."""

    delimiter: str
    """Comma, semicolon or tab."""
    num_skipped: int
    """Lines before the header."""

    def rows(self, progress: Progress | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield rows; see `Table.rows`."""
        with _open(self.path) as stream:
            reader = _reader(stream, self.delimiter)
            for _ in range(self.num_skipped + 1):
                next(reader)
            line = reader.line_num
            try:
                for number, fields in enumerate(reader, start=1):
                    line, first = reader.line_num, line + 1
                    if progress is not None and number % ROWS_A_STEP == 0:
                        place = stream.buffer.tell()  # type: ignore[attr-defined]  # it is a file
                        progress(place, self.path.stat().st_size, "reading labels")
                    if any(fields):
                        yield first, fields
            except csv.Error as error:
                is_open = "unexpected end" in str(error)
                reason = "a quote that begins in this row is never closed" if is_open else str(error)
                raise UnreadableError("CSV", reason, line + 1) from error
            except UnicodeDecodeError:
                read_text(self.path)  # says where and what
                raise


def open_csv(path: Path) -> CsvTable:
    """Read the header of delimited text.

    Raises:
        StudioError: If it is empty, not text, or names a column twice or not at all.
    """
    delimiter, header, num_skipped = _choose_delimiter(path)
    if not any(header):
        raise StudioError(f"{path} has no header line", "Begin the file with a line of column names.")
    for title, count in Counter(header).items():
        if title and count > 1:
            raise StudioError(f"{path}:1: the column {title!r} stands there twice", "Keep each column once.")
    titles = ("" if _INDEX_TITLE.fullmatch(header[0]) else header[0], *header[1:])
    if "" in titles[1:]:
        told = f"{path}:1: column {titles.index('', 1) + 1} has no name"
        raise StudioError(told, "Name each column, or remove it.")
    return CsvTable(path, titles, delimiter, num_skipped)


def _choose_delimiter(path: Path) -> tuple[str, tuple[str, ...], int]:
    """Return the delimiter that lets a column name the image and makes the most columns, the header, its line's place."""
    with _open(path) as stream:
        try:
            told = _SEPARATOR_LINE.fullmatch(stream.readline().rstrip("\r\n"))
        except UnicodeDecodeError:
            read_text(path)
            raise
    headers: dict[str, tuple[str, ...]] = {}
    for delimiter in (told[1],) if told else _DELIMITERS:
        try:
            headers[delimiter] = _header(path, delimiter, int(told is not None))
        except csv.Error as error:
            reason = error
    if not headers:
        raise StudioError(f"{path}:1: not readable as CSV: {reason}", "Check the quotes of this line.")

    def merit(delimiter: str) -> tuple[bool, int]:
        titles = headers[delimiter]
        return any(title.lower() in IMAGE_COLUMNS for title in titles), len(titles)

    best = max(headers, key=merit)
    return best, headers[best], int(told is not None)


def _header(path: Path, delimiter: str, num_skipped: int) -> tuple[str, ...]:
    """Return the header, without empty columns at its end."""
    with _open(path) as stream:
        for _ in range(num_skipped):
            stream.readline()
        titles = [field.strip() for field in next(_reader(stream, delimiter), list[str]())]
    while titles and not titles[-1]:
        titles.pop()
    return tuple(titles)


def _open(path: Path) -> TextIOWrapper:
    return path.open(encoding=encoding_of(path), newline="")


def _reader(stream: TextIOWrapper, delimiter: str) -> Any:
    """Return a reader that refuses broken quotes."""
    csv.field_size_limit(_FIELD_LIMIT)
    return csv.reader(stream, delimiter=delimiter, strict=True)
