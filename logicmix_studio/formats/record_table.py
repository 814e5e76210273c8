"""Tables of records: Parquet, and JSON with an object a line. Values become the words that CSV has for them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.files import parse_json, read_json
from logicmix_studio.formats.table import IMAGE_COLUMNS, ROWS_A_STEP, Table, UnreadableError
from logicmix_studio.formats.texts import read_text
from logicmix_studio.words import Progress

_INFO_FILE: Final = "dataset_info.json"
_PICTURE: Final = re.compile(r"bytes: (large_)?binary")
PICTURES_A_STEP: Final = 64
_PANDAS_INDEX: Final = "__index_level_0__"


@dataclass(frozen=True)
class RecordTable(Table):
    """Objects with the same keys, one a row."""

    records: Callable[[], Iterator[tuple[int, Mapping[str, Any]]]]
    """Yields line (in Parquet: row, from 1) and values."""
    num_rows: int
    class_names: Mapping[str, Sequence[str]]
    """Names of the classes that numbers in a column stand for."""

    def rows(self, progress: Progress | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield rows; see `Table.rows`."""
        for number, (line, record) in enumerate(self.records(), start=1):
            if progress is not None and number % ROWS_A_STEP == 0:
                progress(number, self.num_rows, "reading labels")
            fields = [_text(record.get(title), self.class_names.get(title)) for title in self.header]
            if any(fields):
                yield line, fields


def open_json_lines(path: Path) -> RecordTable:
    """Open JSON lines; what is no object in it is told when its row is read.

    Raises:
        StudioError: If it is not text, or no line is an object.
    """

    def records() -> Iterator[tuple[int, Mapping[str, Any]]]:
        for line, text in enumerate(lines, start=1):
            try:
                record = parse_json(text) if text.strip() else {}
            except json.JSONDecodeError as error:
                raise UnreadableError("JSON", error.msg, line) from error
            if not isinstance(record, dict):
                raise UnreadableError("a row", "it is no JSON object", line)
            yield line, record

    lines = read_text(path).split("\n")
    titles: dict[str, None] = {}
    try:
        for _, record in records():
            titles |= dict.fromkeys(record)
    except UnreadableError as error:
        if not titles:
            raise StudioError(f"{path}:{error.line}: {error}", "Write one JSON object a line.") from error
    return RecordTable(path, tuple(titles), records, len(lines), {})


@contextmanager
def opened_parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file.

    Raises:
        StudioError: If pyarrow is missing, or the file can't be read.
    """
    arrow, parquet = import_parquet(f"{path} can't be read")
    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except (arrow.ArrowException, OSError, ValueError) as error:
        raise StudioError(f"{path}: not readable as Parquet: {error}", "Get the file again.") from error


def import_parquet(what: str) -> tuple[Any, Any]:
    """Return pyarrow and its part for Parquet; a StudioError that says what can't be done where it is missing."""
    try:
        import pyarrow  # noqa: PLC0415 (an extra)
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise StudioError(f"{what}: pyarrow is not installed", "pip install 'logicmix-studio[parquet]'") from error
    return pyarrow, parquet


def picture_columns(path: Path) -> list[str]:
    """Return the columns of a Parquet file that hold pictures, a column called as one of images first."""
    with opened_parquet(path) as file:
        schema, features, found = file.schema_arrow, features_of(path, file), list[str]()
        for name, kind in zip(schema.names, map(str, schema.types), strict=True):
            feature, is_struct = features.get(name), kind.startswith("struct")
            may_be = (
                feature.get("_type") == "Image" if isinstance(feature, dict) else is_struct or name in IMAGE_COLUMNS
            )
            is_picture = may_be and (_PICTURE.search(kind) if is_struct else _PICTURE.fullmatch(f"bytes: {kind}"))
            batches = file.iter_batches(PICTURES_A_STEP, columns=[name]) if is_picture else ()
            if any(_bytes_of(value) for batch in batches for value in batch.column(0).to_pylist()):
                found.append(name)
    return sorted(found, key=lambda name: name.lower() not in IMAGE_COLUMNS)


def open_parquet(path: Path) -> RecordTable:
    """Open a Parquet file; class numbers get the names in its schema, or in a `dataset_info.json` by it or one folder up.

    Raises:
        StudioError: If pyarrow is missing, the file can't be read, or pictures are embedded in it.
    """
    if pictures := picture_columns(path):
        raise StudioError(
            f"{path}: the pictures are embedded in this Parquet file, in the column {pictures[0]!r}",
            "Import a folder of such files without other images: the pictures are extracted there.",
        )

    def records() -> Iterator[tuple[int, Mapping[str, Any]]]:
        with opened_parquet(path) as file:
            rows = (record for batch in file.iter_batches(ROWS_A_STEP) for record in batch.to_pylist())
            yield from enumerate(rows, start=1)

    with opened_parquet(path) as file:
        header = tuple("" if title == _PANDAS_INDEX else title for title in file.schema_arrow.names)
        classes = {title: names for title, one in features_of(path, file).items() if (names := _class_names(one))}
        return RecordTable(path, header, records, file.metadata.num_rows, classes)


def features_of(path: Path, file: Any) -> dict[str, Any]:
    """Return what `datasets` says of each column of an opened Parquet file, in its schema or in a `dataset_info.json`."""
    told = _object(parse_json((file.schema_arrow.metadata or {}).get(b"huggingface", b"{}"))).get("info")
    places = (folder / _INFO_FILE for folder in path.absolute().parents[:2])
    return _object(_object(told or next(filter(None, map(read_json, places)), None)).get("features"))


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict | None):
        return value or {}
    raise ValueError(f"its description by `datasets` holds {value!r} where an object should stand")


def _class_names(feature: Any) -> Sequence[str] | None:
    """Return the names in a feature of `datasets` that is a ClassLabel, or a list of them."""
    if isinstance(feature, list) and len(feature) == 1:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return None
    if feature.get("_type") != "ClassLabel":
        return _class_names(feature.get("feature"))
    names = feature.get("names")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    raise ValueError(f"the names of its classes by `datasets` are {names!r}")


def _bytes_of(value: Any) -> bytes | None:
    found = value.get("bytes") if isinstance(value, dict) else value
    return found if isinstance(found, bytes) else None


def _text(value: Any, names: Sequence[str] | None = None) -> str:
    """Return a value as CSV would have it; numbers of classes become their names."""
    if isinstance(value, list):
        return json.dumps([_text(one, names) for one in value], ensure_ascii=False)
    if isinstance(value, dict):  # as `datasets` names an image in a file of its own
        return str(value["path"]) if set(value) == {"bytes", "path"} else json.dumps(value, default=str)
    if names is not None and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else "" if value == -1 else str(value)
    if isinstance(value, bool):
        return str(int(value))
    return "" if value is None else str(value)
