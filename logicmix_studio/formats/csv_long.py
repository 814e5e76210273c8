"""csv-long: one row a cell, with the columns image, class, value and perhaps source, score, run and split."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat, csv_lines, split_fields
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.labels import POSITIVE, UNKNOWN, TableBuilder

CLASS_COLUMN = "class"
VALUE_COLUMN = "value"
SOURCE_COLUMN = "source"
SCORE_COLUMN = "score"
SOURCE_NAMES = ("", "imported", "human", "accepted")
"""What the source of a known cell is called in a file: nobody, import, a person, an accepted pseudo-label."""

_ACCEPTED = SOURCE_NAMES.index("accepted")
_PSEUDO = "pseudo"
_MODEL_SOURCES = frozenset({_PSEUDO, "pseudo-label", "proposal", "model"})


def is_long(file: LabelFile) -> bool:
    """Tell whether a table has the three columns."""
    table = file.table
    return None not in (table.image_column, table.column(CLASS_COLUMN), table.column(VALUE_COLUMN))


def read_csv_long(request: ReadRequest) -> TableBuilder:
    """Read long tables; the score of a model's proposal is the probability that the class is present."""
    builder = request.start(request.class_names)
    for file in request.files:
        columns = (CLASS_COLUMN, VALUE_COLUMN, SOURCE_COLUMN, SCORE_COLUMN)
        class_name, value, source, score = map(file.table.column, columns)
        assert class_name is not None
        assert value is not None
        if (column := file.table.columns[value]).is_foreign:
            told = f"{file.path}: something else than 1, 0 and empty stands in the column {column}"
            raise StudioError(told, "A value is 1 (present), 0 (absent) or empty; docs/formats.md shows all formats.")
        for line, path, split, fields in request.rows(file):
            state = request.parse_state(fields[value], file, line)
            if path is None or state is None:
                continue
            builder.add_image(path, split=split, file=file.name, line=line)
            name = fields[class_name].strip()
            if source is not None and fields[source].strip().lower() in _MODEL_SOURCES:
                said = request.parse_score("" if score is None else fields[score].strip(), file, line)
                if said is not None and (said - 0.5) * state < 0:
                    told = (
                        f"the score {said:g} is the probability that the class is present, but the value says otherwise"
                    )
                    request.report(told, file, line)
                elif said is not None:
                    builder.add_score(path, name, said, file=file.name, line=line)
                state = UNKNOWN
            if name or state != UNKNOWN:
                builder.add_cell(path, name, state, file=file.name, line=line)
    return builder


def _rows(cells: Cells) -> Iterator[Sequence[str]]:
    """Yield a row for each known or proposed cell, and for what would have none: images with a split, and classes."""
    table, states = cells.table, cells.table.states + cells.proposals
    title, *splits = split_fields(table.splits)
    runs = [] if cells.run is None else [str(cells.run)]
    yield ["image", CLASS_COLUMN, VALUE_COLUMN, SOURCE_COLUMN, SCORE_COLUMN, *(["run"] if runs else []), *title]
    empty = ["", "", "", *([""] if runs else [])]
    if table.num_images:
        silent = [name for name, column in zip(table.class_names, states.T, strict=True) if not column.any()]
        yield from ([table.paths[0], name, *empty[1:], *empty[:1], *splits[0]] for name in silent)
    for row, path in cells.rows():
        columns = np.flatnonzero(states[row]).tolist()
        if table.splits[row] and not columns:
            yield [path, "", *empty, *splits[row]]
        for column in columns:
            source, is_pseudo = int(cells.sources[row, column]), bool(cells.proposals[row, column])
            score = float(cells.scores[row, column]) if is_pseudo or source == _ACCEPTED else math.nan
            yield [
                path,
                table.class_names[column],
                "1" if states[row, column] == POSITIVE else "0",
                _PSEUDO if is_pseudo else SOURCE_NAMES[source],
                f"{score:.4f}" if math.isfinite(score) else "",
                *(runs if is_pseudo or not runs else [""]),
                *splits[row],
            ]


CSV_LONG = LabelFormat(
    "csv-long",
    "columns for image, class and value",
    is_long,
    read_csv_long,
    lambda cells: csv_lines(_rows(cells)),
    {"negatives", "splits", "classes", "sources", "pseudo-positives", "pseudo-negatives", "runs"},
)
