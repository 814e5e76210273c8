"""What a format is: how it is recognised, read and written, and what it can hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.labels import LabelTable, TableBuilder

Kind = Literal["negatives", "splits", "classes", "sources", "pseudo-positives", "pseudo-negatives", "runs", "not kept"]
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

    def size(self, path: str) -> tuple[int, int] | None:
        """Return width and height of an image as they stand in its file; None where they can't be told."""
        if self.root is None:
            return None
        try:
            with Image.open(self.root / path) as image:
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
    write: Callable[[LabelTable, CellDetails], Contents] | None = None
    """None where it is only read. Proposals among the details are of unknown cells only."""
    holds: Collection[Kind] = ()
    """What besides positives it can hold."""
    suffixes: tuple[str, ...] = (".csv", ".tsv", ".txt")
    """Endings of its files."""
    is_folder: bool = False
    """Whether all files of a folder belong together."""
    names_only_positives: bool = False
    """Whether absence cannot be stated, so that a class not named may be absent or unknown."""
    uses_classes_file: bool = True
    """Whether a classes.txt beside the images gives its classes."""
