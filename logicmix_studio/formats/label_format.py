"""What a format is: how it is recognised, read and written, and what it can hold."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.table import SPLIT_COLUMN
from logicmix_studio.images.decode import picture_size
from logicmix_studio.labels import POSITIVE, UNKNOWN, LabelTable, TableBuilder
from logicmix_studio.words import Progress

Kind = Literal[
    "negatives", "splits", "classes", "sources", "pseudo-positives", "pseudo-negatives", "runs", "not kept", "names"
]
"""What a format may hold or lose besides positives."""
_SHOWN_EVERY = 1000
"""Images between two looks at the progress."""
Contents = Iterator[tuple[str, Iterable[str]]]
"""The files that are written into a folder: their names below it, and their text in parts."""


@dataclass(frozen=True)
class Cells:
    """What a format is given to write; N images, C classes."""

    table: LabelTable
    sources: NDArray[np.uint8]
    """(N, C), 0 nobody, 1 imported, 2 human, 3 accepted pseudo-label."""
    proposals: NDArray[np.int8]
    """(N, C), proposed state of unknown cells, 0 for none."""
    scores: NDArray[np.floating]
    """(N, C), the model's probabilities that the class is present, in [0, 1]; nan for none."""
    run: int | None = None
    """The run that proposes."""
    root: Path | None = None
    """The folder of the images, for formats that hold their sizes."""
    progress: Progress | None = None
    """Told how many images are written."""

    @classmethod
    def of(
        cls,
        table: LabelTable,
        sources: NDArray[np.uint8] | None = None,
        proposals: NDArray[np.int8] | None = None,
        scores: NDArray[np.floating] | None = None,
        run: int | None = None,
        root: Path | None = None,
        progress: Progress | None = None,
    ) -> Cells:
        """Return the cells of a table with what is known about them; proposals for known cells are left out."""
        shape, open_cells = table.states.shape, table.states == UNKNOWN
        return cls(
            table,
            np.zeros(shape, dtype=np.uint8) if sources is None else sources,
            (0 if proposals is None else proposals) * open_cells.astype(np.int8),
            np.broadcast_to(math.nan, shape) if scores is None else scores,
            run,
            root,
            progress,
        )

    def rows(self) -> Iterator[tuple[int, str]]:
        """Yield number and path of each image."""
        for row, path in enumerate(self.table.paths):
            if self.progress is not None and row % _SHOWN_EVERY == 0:
                self.progress(row, self.table.num_images, "writing")
            yield row, path

    def named(self, row: int, state: int = POSITIVE) -> list[str]:
        """Return the classes that have a state in an image."""
        return [self.table.class_names[column] for column in np.flatnonzero(self.table.states[row] == state).tolist()]

    def size(self, path: str) -> tuple[int, int] | None:
        """Return width and height of an image as it is shown; None where they can't be told."""
        return None if self.root is None else picture_size(self.root / path)


@dataclass(frozen=True, eq=False)
class LabelFormat:
    """A way to write labels down."""

    name: str
    """Its name in options and messages."""
    sign: str
    """What it is recognised by, in words."""
    fits: Callable[[LabelFile], bool]
    """Whether a file is of this format; files of other formats that were asked before are not."""
    read: Callable[[ReadRequest], TableBuilder]
    write: Callable[[Cells], Iterator[str | bytes]] | None = None
    """Yields a file in parts; None for a format of a folder."""
    holds: Collection[Kind] = ()
    """What besides positives it can hold."""
    write_folder: Callable[[Cells], Contents] | None = None
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt", ".parquet", ".jsonl")
    """Endings of its files."""
    is_folder: bool = False
    """Whether all files of a folder belong together."""
    is_by_cell: bool = False
    """Whether several files may speak of the same images."""
    names_only_positives: bool = False
    """Whether absence cannot be stated, so that a class not named may be absent or unknown."""
    uses_classes_file: bool = True
    """Whether a classes.txt beside the images gives its classes."""


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
