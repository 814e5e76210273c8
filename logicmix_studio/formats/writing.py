"""Write cells to CSV, and say what the format could not hold."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.formats.csv_files import (
    CLASS_COLUMN,
    LIST_COLUMNS,
    PSEUDO_SOURCE,
    SCORE_COLUMN,
    SOURCE_COLUMN,
    SPLIT_COLUMN,
    VALUE_COLUMN,
)
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, LabelTable

WriteFormat = Literal["csv-long", "csv-wide"]
WRITE_FORMATS: Final[tuple[WriteFormat, ...]] = ("csv-long", "csv-wide")
"""Formats that can be written."""

SOURCE_NAMES: Final = ("", "imported", "human", "accepted")
"""What the source of a known cell is called in a file: nobody, import, a person, an accepted pseudo-label."""
_ACCEPTED: Final = len(SOURCE_NAMES) - 1
_TEXT_OF_STATE: Final = {POSITIVE: "1", NEGATIVE: "0", UNKNOWN: ""}


@dataclass(frozen=True)
class LossReport:
    """What a written file does not hold."""

    lines: tuple[str, ...] = ()
    """One sentence a kind of loss; none if nothing is lost."""


@dataclass(frozen=True)
class CellDetails:
    """What may be known about cells besides their state; N images, C classes."""

    sources: NDArray[np.uint8] | None = None
    """(N, C), 0 nobody, 1 imported, 2 human, 3 accepted pseudo-label."""
    proposals: NDArray[np.int8] | None = None
    """(N, C), proposed state of unknown cells, 0 for none."""
    scores: NDArray[np.floating] | None = None
    """(N, C), the model's probabilities that the class is present, in [0, 1]; nan for none."""


def write_cells(
    file: Path, file_format: WriteFormat, table: LabelTable, details: CellDetails | None = None
) -> LossReport:
    """Write the known cells of a table, and in the long format also a model's proposals; say what the file lacks.

    The file appears as a whole or not at all.

    Args:
        file: Where to write; replaced if it is there.
        file_format: `csv-long` (image, class, value, source, score, and split if there is any) or `csv-wide`
            (image, split if there is any, one column a class: 1, 0 or empty).
        table: The cells.
        details: Sources, proposals and scores.

    Raises:
        StudioError: If the format is unknown, cannot hold a class name, or the file cannot be written.
    """
    if file_format not in WRITE_FORMATS:
        raise StudioError(f"unknown format {file_format!r}", f"Use one of {', '.join(WRITE_FORMATS)}.")
    _check_names(table.class_names, file_format)
    if not file.parent.is_dir():
        raise StudioError(f"cannot write {file}: there is no such folder", "Choose a folder that exists.")
    details = details or CellDetails()
    proposals = np.zeros_like(table.states)
    if details.proposals is not None:
        proposals = np.where(table.states == UNKNOWN, details.proposals, proposals)
    is_long = file_format == "csv-long"
    with replacing(file) as whole:
        stream = io.TextIOWrapper(whole, encoding="utf-8", errors="surrogateescape", newline="")
        rows = _long_rows(table, details, proposals) if is_long else _wide_rows(table)
        csv.writer(stream, lineterminator="\n").writerows(rows)
        stream.detach()
    return LossReport(tuple(_long_loss(table, proposals) if is_long else _wide_loss(table, details, proposals)))


def _splits(table: LabelTable) -> list[list[str]]:
    """Return the header's field for splits, then that of each image; no fields where no image has a split."""
    has_splits = any(table.splits)
    return [[split] if has_splits else [] for split in (SPLIT_COLUMN, *table.splits)]


def _long_rows(table: LabelTable, details: CellDetails, proposals: NDArray[np.int8]) -> Iterator[Sequence[str]]:
    """Yield header and one row a known or proposed cell, image by image."""
    title, *splits = _splits(table)
    yield ["image", CLASS_COLUMN, VALUE_COLUMN, SOURCE_COLUMN, SCORE_COLUMN, *title]
    states = table.states + proposals
    sources = np.broadcast_to(0, states.shape) if details.sources is None else details.sources
    scores = np.broadcast_to(math.nan, states.shape) if details.scores is None else details.scores
    for row in range(table.num_images):
        for column in np.flatnonzero(states[row]).tolist():
            source = int(sources[row, column])
            is_pseudo = bool(proposals[row, column])
            score = float(scores[row, column]) if is_pseudo or source == _ACCEPTED else math.nan
            yield [
                table.paths[row],
                table.class_names[column],
                _TEXT_OF_STATE[int(states[row, column])],
                PSEUDO_SOURCE if is_pseudo else SOURCE_NAMES[source],
                f"{score:.4f}" if math.isfinite(score) else "",
                *splits[row],
            ]


def _wide_rows(table: LabelTable) -> Iterator[Sequence[str]]:
    """Yield header and one row an image."""
    title, *splits = _splits(table)
    yield ["image", *title, *table.class_names]
    for path, split, states in zip(table.paths, splits, table.states, strict=True):
        yield [path, *split, *(_TEXT_OF_STATE[state] for state in states.tolist())]


def _long_loss(table: LabelTable, proposals: NDArray[np.int8]) -> Iterator[str]:
    """Say which images and classes have no row."""
    has_row = (table.states + proposals).astype(bool)
    num_images = int((~has_row.any(axis=1)).sum())
    silent = [name for name, column in zip(table.class_names, has_row.T, strict=True) if not column.any()]
    if num_images:
        yield f"Images without a known cell: {num_images:,}; no row, and unknown when read again."
    if silent:
        yield (
            f"Classes without a known cell: {len(silent):,}; no row for {', '.join(silent[:5])}"
            f"{', ...' if len(silent) > 5 else ''}. Keep the list of classes to get them back."
        )


def _wide_loss(table: LabelTable, details: CellDetails, proposals: NDArray[np.int8]) -> Iterator[str]:
    """Say that sources, scores and proposals are left out."""
    if details.sources is not None and (details.sources[table.states != UNKNOWN] > 0).any():
        yield "Who said so (imported, human, accepted) is not written; csv-long holds it."
    if proposals.any():
        yield f"Pseudo-labels left out: {np.count_nonzero(proposals):,}; csv-long holds them."
    if details.scores is not None:
        yield "Scores are not written; csv-long holds them."


def _check_names(class_names: Sequence[str], file_format: WriteFormat) -> None:
    """Refuse class names that would be another when the file is read again."""
    wrong = [name for name in class_names if name != name.strip()]
    if file_format == "csv-wide":
        wrong += [name for name in class_names if name == "image" or name.lower() == SPLIT_COLUMN]
        lowered = {name.lower() for name in class_names}
        labels = lowered - {SOURCE_COLUMN, SCORE_COLUMN}
        looks_like_list = not labels or (len(labels) == 1 and labels <= set(LIST_COLUMNS))
        if looks_like_list or {CLASS_COLUMN, VALUE_COLUMN} <= lowered:
            wrong += list(class_names)
    if wrong:
        raise StudioError(
            f"{file_format} cannot hold a class called {wrong[0]!r}: it would be read as something else",
            "Rename the class, or export in another format.",
        )
