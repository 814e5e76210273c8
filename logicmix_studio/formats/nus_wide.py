"""NUS-WIDE's lists: a file a class (`Labels_sky.txt`) with 1 or 0 a line, and a list of the images in the same order."""

from __future__ import annotations

import re

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.texts import class_lines, read_text
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, TableBuilder

_NAME = re.compile(r"Labels_(?P<name>.+?)(?:_(?P<split>Train|Test))?\.txt", re.DOTALL)
_SPLITS = {"": "", "Train": "train", "Test": "test"}
_STATES = {"1": POSITIVE, "0": NEGATIVE}


def is_nus_wide(file: LabelFile) -> bool:
    """Tell whether a text file is called as those of NUS-WIDE."""
    return _NAME.fullmatch(file.path.name) is not None


def read_nus_wide(request: ReadRequest) -> TableBuilder:
    """Read the files of all classes; where those of a split are there, too, these say which images it has.

    Raises:
        StudioError: If the list of images is missing, or a file has more or fewer lines.
    """
    named = [(file, found) for file in request.files if (found := _NAME.fullmatch(file.path.name))]
    builder = request.start(request.class_names or sorted({found["name"] for _, found in named}), repeats_allowed=True)
    for split in dict.fromkeys(found["split"] or "" for _, found in named):
        files = [(found["name"], file) for file, found in named if (found["split"] or "") == split]
        images = _images(request, files[0][1], split)
        states = np.full((len(images), len(builder.class_names)), UNKNOWN, dtype=np.int8)
        for name, file in files:
            words = read_text(file.path).split()
            if len(words) != len(images) or not set(words) <= set(_STATES):
                told = f"{file.path} has not one label of 1 or 0 for each of {len(images):,} images"
                raise StudioError(told, "Give files that belong together.")
            if name in builder.class_names:
                states[:, builder.class_names.index(name)] = [_STATES[word] for word in words]
            else:
                request.report(f"there is no class {name!r}", file)
        for path, row in zip(images, states, strict=True):
            if path is not None:
                builder.add_row(path, row, split=_SPLITS[split], file=files[0][1].name)
    return builder


def _images(request: ReadRequest, file: LabelFile, split: str) -> list[str | None]:
    """Return the images that the labels of a split belong to, in their order."""
    name = f"{split}Imagelist.txt"
    path = file.beside(name, f"ImageList/{name}")
    if path is None:
        told = f"{name} is missing: it says which images {file.name} speaks of"
        raise StudioError(told, "Lay it beside, or in ImageList.")
    lines, listed = enumerate(read_text(path).splitlines(), start=1), LabelFile(path, name)
    return [request.find_image(line, listed, number) for number, line in lines if line.strip()]


def write_nus_wide(cells: Cells) -> Contents:
    """Write one file a class; a StudioError where a cell is unknown, which NUS-WIDE has no word for."""
    table = cells.table
    if (table.states == UNKNOWN).any():
        raise StudioError("nus-wide cannot hold unknown cells", "Export in another format.")
    class_lines(table.class_names, "nus-wide", are_files=True)
    yield "ImageList/Imagelist.txt", [f"{path}\n" for path in table.paths]
    for name, column in zip(table.class_names, table.states.T, strict=True):
        yield f"AllLabels/Labels_{name}.txt", [f"{int(one == POSITIVE)}\n" for one in column]


NUS_WIDE = LabelFormat(
    "nus-wide",
    "text files called Labels_ and a class",
    is_nus_wide,
    read_nus_wide,
    holds={"negatives", "classes"},
    write_folder=write_nus_wide,
    suffixes=(".txt",),
    is_folder=True,
)
