"""Long CSV: one row a cell, with the columns image, class, value and perhaps source, score and split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from logicmix_studio.cli.words import counted
from logicmix_studio.formats.csv_files import SPLIT_COLUMN, CsvTable, open_csv
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.values import WrongValueError, parse_split, parse_state
from logicmix_studio.labels import UNKNOWN, Problem, TableBuilder

CLASS_COLUMN: Final = "class"
VALUE_COLUMN: Final = "value"
SOURCE_COLUMN: Final = "source"
SCORE_COLUMN: Final = "score"

PSEUDO_SOURCE: Final = "pseudo"
"""Source of a cell that a model proposes and nobody has confirmed."""

_MODEL_SOURCES: Final = frozenset({PSEUDO_SOURCE, "pseudo-label", "proposal", "model"})


@dataclass(frozen=True)
class _Columns:
    """Where a long file keeps what."""

    image: int
    class_name: int
    value: int
    source: int | None
    split: int | None

    @classmethod
    def of(cls, table: CsvTable) -> _Columns:
        """Find the columns of a file whose header was recognised."""
        image, class_name, value = table.image_column, table.column(CLASS_COLUMN), table.column(VALUE_COLUMN)
        assert image is not None
        assert class_name is not None
        assert value is not None
        return cls(image, class_name, value, table.column(SOURCE_COLUMN), table.column(SPLIT_COLUMN))


def read_csv_long(request: ReadRequest) -> TableBuilder:
    """Read a long CSV file; a model's proposals in it stay unknown.

    Args:
        request: What to read.

    Raises:
        StudioError: If the file has no header.
    """
    table = open_csv(request.labels)
    columns = _Columns.of(table)
    builder = request.start(request.class_names)
    problems: list[Problem] = []
    num_proposed = sum(
        _read_row(request, builder, columns, line, fields) for line, fields in table.rows(problems)
    )
    for problem in problems:
        builder.add_problem(problem.message, file=problem.file, line=problem.line)
    if num_proposed:
        request.notes.append(
            f"{table.path.name} holds {counted(num_proposed, 'pseudo-label')}: such cells stay unknown."
        )
    return builder


def _read_row(
    request: ReadRequest, builder: TableBuilder, columns: _Columns, line: int, fields: list[str]
) -> bool:
    """Take one row; tell whether it is a model's proposal."""
    file = request.labels.name
    path = request.find_image(fields[columns.image], builder, line)
    try:
        split = parse_split(fields[columns.split]) if columns.split is not None else ""
        state = parse_state(fields[columns.value])
    except WrongValueError as error:
        builder.add_problem(str(error), file=file, line=line)
        return False
    if path is None:
        return False
    is_proposed = columns.source is not None and fields[columns.source].strip().lower() in _MODEL_SOURCES
    builder.add_image(path, split=split, file=file, line=line)
    class_name = fields[columns.class_name].strip()
    if class_name or state != UNKNOWN:
        builder.add_cell(path, class_name, UNKNOWN if is_proposed else state, file=file, line=line)
    return is_proposed
