"""The rows of tables: their image, split and states."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.table import SPLIT_COLUMN, Table, UnreadableError
from logicmix_studio.formats.texts import WrongValueError, parse_state, shown


def read_rows(request: ReadRequest, file: LabelFile) -> Iterator[tuple[int, str | None, str, list[str]]]:
    """Yield line, image, split and fields of each row of a table that is as long as its header.

    What is wrong is noted in the request: with other rows, with the image (which then is None) and with the split (which
    then is empty).

    Raises:
        StudioError: If no column names the image.
    """
    table = file.table
    image, width, split = image_column(table), len(table.header), table.column(SPLIT_COLUMN)
    try:
        for line, fields in table.rows(request.progress):
            if len(fields) > width and not any(fields[width:]):
                fields = fields[:width]  # noqa: PLW2901 (spreadsheets add empty columns)
            if len(fields) != width:
                request.report(f"the row has {len(fields)} columns, but the header has {width}", file, line)
                continue
            path = request.find_image(fields[image], file, line)
            yield line, path, file.split if split is None else request.parse_split(fields[split], file, line), fields
    except UnreadableError as error:
        request.report(str(error), file, error.line)


def image_column(table: Table) -> int:
    """Return the column that names the image, or raise a StudioError."""
    if table.image_column is None:
        raise StudioError(
            f"{table.path}:1: no column names the image (found: {shown(filter(None, table.header), 20)})",
            "Call that column 'image' (docs/formats.md shows all formats), or say that there are no labels (--labels none).",
        )
    return table.image_column


def read_state(word: str, request: ReadRequest, file: LabelFile, line: int, title: str = "") -> int | None:
    """Return the state that a word stands for, or None after noting that it is none."""
    try:
        return parse_state(word)
    except WrongValueError as error:
        request.report(f"column {title!r}: {error}" if title else str(error), file, line)
        return None


def csv_lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield rows as lines of CSV."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    for row in rows:
        writer.writerow(row)
        yield stream.getvalue()
        stream.seek(0)
        stream.truncate()


def split_fields(splits: Sequence[str]) -> list[list[str]]:
    """Return the header's field for splits, then that of each image; no fields where no image has a split."""
    return [[split] if any(splits) else [] for split in (SPLIT_COLUMN, *splits)]
