"""Open Images: rows of ImageID, Source, LabelName and Confidence. Source tells who says so, Confidence what.

Rows of people are facts: 1 present, 0 absent. Rows of machines are no facts, however confident they are.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat, csv_lines
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.texts import read_text
from logicmix_studio.labels import POSITIVE, TableBuilder

_COLUMNS = ("ImageID", "Source", "LabelName", "Confidence")
_MACHINE = "machine"
_HUMAN = "verification"


def is_open_images(file: LabelFile) -> bool:
    """Tell whether a table has the columns of Open Images."""
    return {column.lower() for column in _COLUMNS} <= {title.lower() for title in file.table.header}


def read_open_images(request: ReadRequest) -> TableBuilder:
    """Read what people said of images, and machines: there, the confidence is the probability that the class is present."""
    builder = request.start(request.class_names, repeats_allowed=True)
    for file in request.files:
        names = _descriptions(file.path.parent)
        source, label, confidence = (file.table.column(name.lower()) for name in _COLUMNS[1:])
        assert source is not None
        assert label is not None
        assert confidence is not None
        for line, path, split, fields in request.rows(file):
            name = fields[label].strip()
            name = names.get(name, name)
            if fields[source].strip().lower().startswith(_MACHINE):
                score = request.parse_score(fields[confidence].strip(), file, line)
                if path is not None and score is not None:
                    builder.add_score(path, name, score, file=file.name, line=line)
                continue
            state = request.parse_state(fields[confidence], file, line, "Confidence")
            if path is not None and state is not None:
                builder.add_image(path, split=split, file=file.name, line=line)
                builder.add_cell(path, name, state, file=file.name, line=line)
    return builder


def _descriptions(folder: Path) -> dict[str, str]:
    """Return the names of label ids from a file of class descriptions in the folder, if they are unique."""
    names: dict[str, str] = {}
    for path in sorted(folder.glob("*class-descriptions*.csv")):
        names |= {row[0]: row[1] for row in csv.reader(read_text(path).splitlines()) if len(row) == 2}
    counts = Counter(names.values())
    return {label: name if counts[name] == 1 else f"{name} ({label})" for label, name in names.items()}


def _rows(cells: Cells) -> Iterator[Sequence[str]]:
    """Yield known cells as a person's; pseudo-labels as a machine's, with the probability that the class is present."""
    table = cells.table
    yield _COLUMNS
    for row, path in cells.rows():
        for column in np.flatnonzero(table.states[row] + cells.proposals[row]).tolist():
            words = [_HUMAN, table.class_names[column], str(int(table.states[row, column] == POSITIVE))]
            if cells.proposals[row, column]:
                words = [_MACHINE, table.class_names[column], f"{cells.scores[row, column]:.4f}"]
            yield [path, *words]


OPEN_IMAGES = LabelFormat(
    "open-images",
    "columns ImageID, Source, LabelName and Confidence",
    is_open_images,
    read_open_images,
    lambda cells: csv_lines(_rows(cells)),
    {"negatives", "pseudo-positives", "pseudo-negatives"},
    is_by_cell=True,
)
