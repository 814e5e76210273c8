"""Label files: read what people have into a table, and write cells back."""

from logicmix_studio.formats.reading import ReadResult, read_dataset
from logicmix_studio.formats.registry import find_labels, recognise
from logicmix_studio.formats.texts import parse_classes, read_classes
from logicmix_studio.formats.writing import WRITE_FORMATS, CellDetails, LossReport, write_cells

__all__ = [
    "WRITE_FORMATS",
    "CellDetails",
    "LossReport",
    "ReadResult",
    "find_labels",
    "parse_classes",
    "read_classes",
    "read_dataset",
    "recognise",
    "write_cells",
]
