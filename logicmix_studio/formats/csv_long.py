"""Long CSV: one row a cell, with the columns image, class, value and perhaps source, score and split."""

from __future__ import annotations

from typing import Final

from logicmix_studio.formats.csv_files import open_csv
from logicmix_studio.formats.request import ReadRequest, add_problems
from logicmix_studio.formats.values import WrongValueError, parse_state
from logicmix_studio.labels import UNKNOWN, Problem, TableBuilder

CLASS_COLUMN: Final = "class"
VALUE_COLUMN: Final = "value"
SOURCE_COLUMN: Final = "source"
SCORE_COLUMN: Final = "score"

PSEUDO_SOURCE: Final = "pseudo"
"""Source of a cell that a model proposes and nobody has confirmed."""

_MODEL_SOURCES: Final = frozenset({PSEUDO_SOURCE, "pseudo-label", "proposal", "model"})


def read_csv_long(request: ReadRequest) -> TableBuilder:
    """Read a long CSV file; a model's proposals in it stay unknown.

    Raises:
        StudioError: If the file has no header.
    """
    table = open_csv(request.labels)
    image, class_name, value = table.image_column, table.column(CLASS_COLUMN), table.column(VALUE_COLUMN)
    assert image is not None
    assert class_name is not None
    assert value is not None
    source, file = table.column(SOURCE_COLUMN), table.path.name
    builder = request.start(request.class_names)
    problems: list[Problem] = []
    num_proposed = 0
    for line, fields in table.rows(problems):
        path = request.find_image(fields[image], builder, line)
        split = table.split_of(fields, line, problems)
        try:
            state = parse_state(fields[value])
        except WrongValueError as error:
            problems.append(Problem(file, line, str(error)))
            continue
        if path is None:
            continue
        is_proposed = source is not None and fields[source].strip().lower() in _MODEL_SOURCES
        num_proposed += is_proposed
        builder.add_image(path, split=split, file=file, line=line)
        name = fields[class_name].strip()
        if name or state != UNKNOWN:
            builder.add_cell(path, name, UNKNOWN if is_proposed else state, file=file, line=line)
    add_problems(builder, problems)
    if num_proposed:
        request.notes.append(f"Pseudo-labels in {file}: {num_proposed:,}; such cells stay unknown.")
    return builder
