"""Write cells to CSV, and say what the format could not hold."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.formats.csv_files import SPLIT_COLUMN
from logicmix_studio.formats.csv_list import LIST_COLUMNS
from logicmix_studio.formats.csv_long import (
    CLASS_COLUMN,
    PSEUDO_SOURCE,
    SCORE_COLUMN,
    SOURCE_COLUMN,
    VALUE_COLUMN,
)
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, LabelTable

WriteFormat = Literal["csv-long", "csv-wide"]
"""Formats that can be written."""

WRITE_FORMATS: Final[tuple[WriteFormat, ...]] = ("csv-long", "csv-wide")

SOURCE_NAMES: Final = ("", "imported", "human", "accepted")
"""What the source of a known cell is called in a file: nobody, import, a person, an accepted pseudo-label."""

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
    """Write the known cells of a table, and in the long format also a model's proposals.

    The file appears as a whole or not at all.

    Args:
        file: Where to write; replaced if it is there.
        file_format: `csv-long` (image, class, value, source, score, and split if there is any) or `csv-wide`
            (image, split if there is any, one column a class: 1, 0 or empty).
        table: The cells.
        details: Sources, proposals and scores.

    Returns:
        What the file does not hold.

    Raises:
        StudioError: If the format is unknown, cannot hold a class name, or the file cannot be written.
    """
    details = details or CellDetails()
    _check_names(table.class_names, file_format)
    if file_format == "csv-long":
        _write_rows(file, _long_rows(table, details))
        return _long_loss(table, details)
    if file_format == "csv-wide":
        _write_rows(file, _wide_rows(table))
        return _wide_loss(table, details)
    raise StudioError(f"unknown format {file_format!r}", f"Use one of {', '.join(WRITE_FORMATS)}.")


def _long_rows(table: LabelTable, details: CellDetails) -> Iterator[Sequence[str]]:
    """Yield header and one row a known or proposed cell, image by image."""
    has_splits = any(table.splits)
    header = ["image", CLASS_COLUMN, VALUE_COLUMN, SOURCE_COLUMN, SCORE_COLUMN]
    yield [*header, SPLIT_COLUMN] if has_splits else header
    is_proposed = _is_proposed(table, details)
    for row in range(table.num_images):
        for column in np.flatnonzero((table.states[row] != UNKNOWN) | is_proposed[row]).tolist():
            is_pseudo = bool(is_proposed[row, column])
            states = details.proposals if is_pseudo and details.proposals is not None else table.states
            source = 0 if details.sources is None else int(details.sources[row, column])
            fields = [
                table.paths[row],
                table.class_names[column],
                _TEXT_OF_STATE[int(states[row, column])],
                PSEUDO_SOURCE if is_pseudo else SOURCE_NAMES[source],
                _score_text(details, row, column) if is_pseudo or source == len(SOURCE_NAMES) - 1 else "",
            ]
            yield [*fields, table.splits[row]] if has_splits else fields


def _wide_rows(table: LabelTable) -> Iterator[Sequence[str]]:
    """Yield header and one row an image."""
    has_splits = any(table.splits)
    yield ["image", *([SPLIT_COLUMN] if has_splits else []), *table.class_names]
    for path, split, states in zip(table.paths, table.splits, table.states, strict=True):
        yield [path, *([split] if has_splits else []), *(_TEXT_OF_STATE[state] for state in states.tolist())]


def _long_loss(table: LabelTable, details: CellDetails) -> LossReport:
    """Say which images and classes have no row."""
    has_row = (table.states != UNKNOWN) | _is_proposed(table, details)
    num_images = int((~has_row.any(axis=1)).sum())
    silent = [name for name, column in zip(table.class_names, has_row.T, strict=True) if not column.any()]
    lines = []
    if num_images:
        lines.append(f"Images without a known cell: {num_images:,}; no row, and unknown when read again.")
    if silent:
        lines.append(
            f"Classes without a known cell: {len(silent):,}; no row for {', '.join(silent[:5])}"
            f"{', ...' if len(silent) > 5 else ''}. Keep the list of classes to get them back."
        )
    return LossReport(tuple(lines))


def _wide_loss(table: LabelTable, details: CellDetails) -> LossReport:
    """Say that sources, scores and proposals are left out."""
    lines = []
    if details.sources is not None and (details.sources[table.states != UNKNOWN] > 0).any():
        lines.append("Who said so (imported, human, accepted) is not written; csv-long holds it.")
    num_proposed = int(_is_proposed(table, details).sum())
    if num_proposed:
        lines.append(f"Pseudo-labels left out: {num_proposed:,}; csv-long holds them.")
    if details.scores is not None:
        lines.append("Scores are not written; csv-long holds them.")
    return LossReport(tuple(lines))


def _is_proposed(table: LabelTable, details: CellDetails) -> NDArray[np.bool_]:
    """Return (N, C), True where a proposal stands on an unknown cell."""
    if details.proposals is None:
        return np.zeros(table.states.shape, dtype=bool)
    is_proposed: NDArray[np.bool_] = (table.states == UNKNOWN) & (details.proposals != UNKNOWN)
    return is_proposed


def _score_text(details: CellDetails, row: int, column: int) -> str:
    """Return a score with four digits, empty for none."""
    if details.scores is None or not np.isfinite(details.scores[row, column]):
        return ""
    return f"{float(details.scores[row, column]):.4f}"


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


def _write_rows(file: Path, rows: Iterator[Sequence[str]]) -> None:
    """Write CSV rows to a file in one step."""
    if not file.parent.is_dir():
        raise StudioError(f"cannot write {file}: there is no such folder", "Choose a folder that exists.")
    with replacing(file) as whole:
        stream = io.TextIOWrapper(whole, encoding="utf-8", errors="surrogateescape", newline="")
        csv.writer(stream, lineterminator="\n").writerows(rows)
        stream.detach()
