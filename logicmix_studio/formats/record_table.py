"""Tables of records: Parquet, and JSON with an object a line. Values become the words that CSV has for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json
from logicmix_studio.formats.table import ROWS_A_STEP, Table, UnreadableError
from logicmix_studio.formats.texts import read_text
from logicmix_studio.images.decode import Progress

_INFO_FILE: Final = "dataset_info.json"
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
                record = json.loads(text) if text.strip() else {}
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


def open_parquet(path: Path) -> RecordTable:
    """Open a Parquet file; class numbers get the names in its schema, or in a `dataset_info.json` by it or one folder up.

    Raises:
        StudioError: If pyarrow is missing, the file can't be read, or pictures are embedded in it.
    """
    try:
        from pyarrow import ArrowException, parquet  # noqa: PLC0415 (an extra)
    except ImportError as error:
        told = f"{path} can't be read: pyarrow is not installed"
        raise StudioError(told, "pip install 'logicmix-studio[parquet]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            schema, num_rows = file.schema_arrow, file.metadata.num_rows
            first: dict[str, Any] = next((one for batch in file.iter_batches(1) for one in batch.to_pylist()), {})
    except (ArrowException, OSError) as error:
        raise StudioError(f"{path}: not readable as Parquet: {error}", "Get the file again.") from error
    for title, value in first.items():
        if _bytes_of(value) is not None:
            raise StudioError(
                f"{path}: the pictures are embedded in this Parquet file, in the column {title!r}; "
                "a data set is a folder of image files",
                "Save each picture as a file, and in place of that column its name in a column file_name: "
                "with such a table beside them the folder can be read.",
            )

    def records() -> Iterator[tuple[int, Mapping[str, Any]]]:
        with parquet.ParquetFile(path) as file:
            rows = (record for batch in file.iter_batches(ROWS_A_STEP) for record in batch.to_pylist())
            yield from enumerate(rows, start=1)

    header = tuple("" if title == _PANDAS_INDEX else title for title in schema.names)
    told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}")).get("info")
    places = (folder / _INFO_FILE for folder in path.absolute().parents[:2])
    info = told or next(filter(None, map(read_json, places)), {})
    features = (info.get("features") or {}).items()
    return RecordTable(
        path, header, records, num_rows, {title: names for title, one in features if (names := _class_names(one))}
    )


def _class_names(feature: Any) -> Sequence[str] | None:
    """Return the names in a feature of `datasets` that is a ClassLabel, or a list of them."""
    if isinstance(feature, list) and len(feature) == 1:
        return _class_names(feature[0])
    if not isinstance(feature, dict):
        return None
    return feature["names"] if feature.get("_type") == "ClassLabel" else _class_names(feature.get("feature"))


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
