"""A label file, opened as what its ending says: a table of delimited text, JSON or XML; each is read once."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.texts import MINUS_ONE, STATE_OF_WORD, encoding_of, read_text
from logicmix_studio.images.decode import Progress
from logicmix_studio.labels import NEGATIVE, UNKNOWN

IMAGE_COLUMNS: Final = (
    *("image", "image_id", "imageid", "image_name", "image_path", "filename", "file_name", "file", "filepath"),
    *("path", "img", "image index", "image_file", "img_name", "img_path", "fname"),
)
"""Headers, in lower case, of the column that names the image; the first of them in the file counts."""
SPLIT_COLUMN: Final = "split"

_DELIMITERS: Final = (",", ";", "\t")
# A list of labels may be long; Python's own limit is 128 KiB a field.
_FIELD_LIMIT: Final = 1 << 24
# A spreadsheet's own line before the header, and pandas' index.
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?[;,\t]*')
_INDEX_TITLE: Final = re.compile(r"Unnamed: \d+")
# From this share of its values on, a column holds something else than states, not mistakes.
_FOREIGN_SHARE: Final = 0.25
_ROWS_A_STEP: Final = 50_000
_MOST_WORDS: Final = 1000
_STATE_WORDS: Final = frozenset((*STATE_OF_WORD, *MINUS_ONE))
_XML_HEAD: Final = 4096
_XML_ENCODING: Final = re.compile(rb"""\A\s*<\?xml[^>]*encoding=["']([\w.:-]+)["']""")


class UnreadableError(ValueError):
    """A part of a file that can't be read, and its line; 0 where that can't be told."""

    def __init__(self, kind: str, reason: str, line: int = 0) -> None:
        super().__init__(f"not readable as {kind}: {reason}")
        self.line = line


@dataclass(frozen=True)
class LabelFile:
    """A file of labels."""

    path: Path
    name: str
    """Its path below the data set's folder, for messages."""
    split: str = ""
    """The split of the images in it; empty where it does not follow from the file's place."""
    columns: tuple[str, ...] | None = None
    """In a table: the only columns that hold labels; None where the format finds them."""

    @cached_property
    def table(self) -> CsvTable:
        """The file as a table; a StudioError where it has no header that can be read."""
        return open_table(self.path)

    @cached_property
    def json(self) -> Any:
        """The file as JSON; a StudioError where it is none."""
        try:
            return json.loads(read_text(self.path))
        except json.JSONDecodeError as error:
            told = f"{self.path}:{error.lineno}: not readable as JSON: {error.msg}"
            raise StudioError(told, "Correct the file.") from error

    def read_xml(self) -> ElementTree.Element:
        """Return the outermost element, in whatever encoding the file declares that Python knows.

        Raises:
            UnreadableError: If it is no XML, or defines entities, which are not read.
        """
        content = self.path.read_bytes()
        # The parser itself knows no encodings of several bytes but Unicode's.
        declared = _XML_ENCODING.match(content)
        encoding = declared[1].decode() if declared else encoding_of(self.path)
        try:
            text = content.decode(encoding)
            if "<!DOCTYPE" in text or "<!ENTITY" in text:
                raise UnreadableError("XML", "the file defines entities, which are not read")
            return ElementTree.fromstring(text)  # noqa: S314 (entities are refused above)
        except LookupError:
            raise UnreadableError("XML", f"Python knows no encoding {encoding!r}") from None
        except UnicodeDecodeError as error:
            raise UnreadableError("XML", str(error)) from error
        except ElementTree.ParseError as error:
            raise UnreadableError("XML", str(error), error.position[0]) from error

    @cached_property
    def xml_tag(self) -> str:
        """The outermost element's name, without reading the whole; empty for what is no XML."""
        with self.path.open("rb") as file:
            head = file.read(_XML_HEAD).replace(b"\0", b"")  # UTF-16 becomes ASCII
        found = re.search(rb"<(\w[\w.:-]*)[\s/>]", head)
        return found[1].decode(errors="replace") if found else ""


@dataclass(frozen=True)
class Column:
    """What stands in one column of a table."""

    title: str
    counts: dict[str, int]
    """How often each value occurs; of very many different ones only the first."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Its values in lower case, an empty one among them."""
        return frozenset(word.strip().lower() for word in self.counts)

    @cached_property
    def foreign(self) -> dict[str, int]:
        """Values that are no words for a state."""
        return {word: n for word, n in self.counts.items() if word.strip().lower() not in _STATE_WORDS}

    @property
    def is_foreign(self) -> bool:
        """Whether it holds something else than states, rather than mistakes among them."""
        num_values = sum(n for word, n in self.counts.items() if word.strip())
        return bool(self.foreign) and sum(self.foreign.values()) >= _FOREIGN_SHARE * num_values

    def __str__(self) -> str:
        """Return its title with a value that is no state."""
        return f"{self.title} ({next(iter(self.foreign), '')!r})"


@dataclass(frozen=True)
class CsvTable:
    """Delimited text whose header is read."""

    path: Path
    header: tuple[str, ...]
    """Column names, surrounding blanks removed; empty for a column that is passed over."""
    delimiter: str
    """Comma, semicolon or tab."""
    num_skipped: int
    """Lines before the header."""

    def column(self, *names: str) -> int | None:
        """Return the first column with one of these names (in lower case), or None; its own case does not matter."""
        return next((i for i, title in enumerate(self.header) if title.lower() in names), None)

    @property
    def image_column(self) -> int | None:
        """The column that names the image."""
        return self.column(*IMAGE_COLUMNS)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What stands in each column; reads the whole file."""
        counters: list[dict[str, int]] = [{} for _ in self.header]
        try:
            for _, fields in self.rows():
                for counts, word in zip(counters, fields, strict=False):
                    if word in counts or len(counts) < _MOST_WORDS:
                        counts[word] = counts.get(word, 0) + 1
        except UnreadableError:  # told by whoever reads the rows
            pass
        return tuple(map(Column, self.header, counters))

    @cached_property
    def minus_is_uncertain(self) -> bool:
        """Whether -1 must mean uncertain: 0 says absent beside it, and empty fields say unknown."""
        words = set().union(*(column.words for column in self.columns if not column.is_foreign))
        states = {STATE_OF_WORD.get(word) for word in words}
        return not words.isdisjoint(MINUS_ONE) and {NEGATIVE, UNKNOWN} <= states

    def rows(self, progress: Progress | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield the first line and the fields of each row below the header that is not empty.

        Raises:
            UnreadableError: If a row can't be read.
            StudioError: If the text is in another encoding.
        """
        with _open(self.path) as stream:
            reader = _reader(stream, self.delimiter)
            for _ in range(self.num_skipped + 1):
                next(reader)
            line = reader.line_num
            try:
                for number, fields in enumerate(reader, start=1):
                    line, first = reader.line_num, line + 1
                    if progress is not None and number % _ROWS_A_STEP == 0:
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


def open_table(path: Path) -> CsvTable:
    """Read the header of delimited text.

    Raises:
        StudioError: If it is empty, not text, or names a column twice or not at all.
    """
    delimiter, header, num_skipped = _choose_delimiter(path)
    if not any(header):
        raise StudioError(f"{path} has no header line", "Begin the file with a line of column names.")
    for title in header:
        if title and header.count(title) > 1:
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
