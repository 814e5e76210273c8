"""What a format is: how it is recognised, read and written, and what it can hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.images.decode import open_file
from logicmix_studio.labels import POSITIVE, UNKNOWN, LabelTable, TableBuilder

Kind = Literal[
    "negatives", "splits", "classes", "sources", "pseudo-positives", "pseudo-negatives", "runs", "not kept", "names"
]
"""What a format may hold or lose besides positives."""
Contents = Iterator[tuple[str, Iterable[str]]]
"""The files that are written: their names below the folder (empty for a format of one file), and their text in parts."""


@dataclass(frozen=True)
class CellDetails:
    """What may be known about cells besides their state; N images, C classes."""

    sources: NDArray[np.uint8] | None = None
    """(N, C), 0 nobody, 1 imported, 2 human, 3 accepted pseudo-label."""
    proposals: NDArray[np.int8] | None = None
    """(N, C), proposed state of unknown cells, 0 for none."""
    scores: NDArray[np.floating] | None = None
    """(N, C), the model's probabilities that the class is present, in [0, 1]; nan for none."""
    run: int | None = None
    """The run that proposes."""
    root: Path | None = None
    """The folder of the images, for formats that hold their sizes."""


@dataclass(frozen=True)
class Cells:
    """What a format is given to write; N images, C classes."""

    table: LabelTable
    sources: NDArray[np.uint8]
    """(N, C), see `CellDetails`; 0 where nothing is known of it."""
    proposals: NDArray[np.int8]
    """(N, C), proposed state of unknown cells, 0 for none."""
    scores: NDArray[np.floating]
    """(N, C), the model's probabilities that the class is present; nan for none."""
    run: int | None
    root: Path | None

    @classmethod
    def of(cls, table: LabelTable, details: CellDetails) -> Cells:
        """Return the cells of a table with what is known about them; proposals for known cells are left out."""
        shape = table.states.shape
        proposals = np.where(table.states == UNKNOWN, 0 if details.proposals is None else details.proposals, 0)
        return cls(
            table,
            np.zeros(shape, dtype=np.uint8) if details.sources is None else details.sources,
            proposals.astype(np.int8),
            np.broadcast_to(math.nan, shape) if details.scores is None else details.scores,
            details.run,
            details.root,
        )

    def named(self, row: int, state: int = POSITIVE) -> list[str]:
        """Return the classes that have a state in an image."""
        return [self.table.class_names[column] for column in np.flatnonzero(self.table.states[row] == state).tolist()]

    def size(self, path: str) -> tuple[int, int] | None:
        """Return width and height of an image as they stand in its file; None where they can't be told."""
        if self.root is None:
            return None
        try:
            with open_file(self.root / path) as file, Image.open(file) as image:
                return image.size
        except (OSError, Image.DecompressionBombError):
            return None


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
    write: Callable[[Cells], Contents] | None = None
    """None for a format that is only read."""
    holds: Collection[Kind] = ()
    """What besides positives it can hold."""
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
