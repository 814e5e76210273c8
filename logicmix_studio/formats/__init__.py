"""Label files: read what people have into a table, and write cells back."""

from logicmix_studio.formats.label_format import Cells
from logicmix_studio.formats.reading import ReadResult, read_dataset
from logicmix_studio.formats.texts import NO_LABELS, parse_classes, read_classes
from logicmix_studio.formats.writing import WRITE_FORMATS, LossReport, write_cells

__all__ = [
    "NO_LABELS",
    "WRITE_FORMATS",
    "Cells",
    "LossReport",
    "ReadResult",
    "parse_classes",
    "read_classes",
    "read_dataset",
    "write_cells",
]
