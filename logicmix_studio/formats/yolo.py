"""YOLO folders: one text file an image, a line an object that begins with its class's number."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml  # type: ignore[import-untyped]

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.request import ReadRequest, Statement, read_statements
from logicmix_studio.formats.texts import CLASSES_FILE, class_lines, read_classes, read_text, stems
from logicmix_studio.labels import POSITIVE, UNKNOWN, TableBuilder

_LABELS, _IMAGES = "labels", "images"
_OBJECT = re.compile(r"\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*")
_CLASS_FILES = ("data.yaml", "data.yml", "dataset.yaml", "obj.names", CLASSES_FILE)
_LONGEST_LINE = 1 << 20
_WHOLE_IMAGE = "0.5 0.5 1 1"


def is_yolo(file: LabelFile) -> bool:
    """Tell whether text has only lines of objects; an empty file counts in a folder of labels."""
    with file.path.open("rb") as stream:
        line = stream.readline(_LONGEST_LINE).decode("latin-1")
    return _OBJECT.fullmatch(line) is not None if line.strip() else _LABELS in PurePosixPath(file.name).parts[:-1]


def read_yolo(request: ReadRequest) -> TableBuilder:
    """Read YOLO files; class names come from data.yaml, obj.names or classes.txt, in this folder or above it.

    Raises:
        StudioError: If no file names the classes.
    """
    names = _class_names(request)
    request.class_names = request.class_names or names
    return read_statements(request, list(_statements(request, names)))


def _statements(request: ReadRequest, names: tuple[str, ...]) -> Iterator[Statement]:
    for file in request.files:
        found: dict[str, None] = {}
        for line, text in enumerate(read_text(file.path).splitlines(), start=1):
            word = text.split(maxsplit=1)[0] if text.strip() else ""
            if word.isdecimal() and int(word) < len(names):
                found[names[int(word)]] = None
            elif word:
                request.report(f"there is no class number {word} ({len(names)} are named)", file, line)
        place = PurePosixPath(file.name).with_suffix("")
        image = "/".join(_IMAGES if part == _LABELS else part for part in place.parts)
        yield Statement(request.find_image(image, file), tuple(found), file)


def _class_names(request: ReadRequest) -> tuple[str, ...]:
    file = request.files[0]
    if path := file.beside(*_CLASS_FILES):
        return read_classes(path) if path.suffix not in (".yaml", ".yml") else _names_of_yaml(path)
    if request.class_names is None:
        told = f"{file.name} numbers its classes, and no file names them"
        raise StudioError(told, f"Lay {' or '.join(_CLASS_FILES[:1] + _CLASS_FILES[3:])} beside it, or give --classes.")
    return request.class_names


def _names_of_yaml(path: Path) -> tuple[str, ...]:
    try:
        content: Any = yaml.safe_load(read_text(path))
        names = content["names"]
        return tuple(str(names[i]) for i in range(len(names)))
    except (yaml.YAMLError, KeyError, TypeError, IndexError) as error:
        raise StudioError(f"{path}: no list of names: {error}", "Write names: [cat, dog].") from error


def write_yolo(cells: Cells) -> Contents:
    """Write a box over the whole image for each class present; an empty file where every class is absent."""
    table = cells.table
    yield CLASSES_FILE, class_lines(table.class_names, "yolo")
    for stem, states in zip(stems(table.paths, "yolo"), table.states, strict=True):
        numbers = [column for column, state in enumerate(states.tolist()) if state == POSITIVE]
        if numbers or not (states == UNKNOWN).any():
            name = "/".join(part for part in PurePosixPath(stem).parts if part != _IMAGES)
            yield f"{_LABELS}/{name}.txt", (f"{number} {_WHOLE_IMAGE}\n" for number in numbers)


YOLO = LabelFormat(
    "yolo",
    "text files of class numbers and boxes",
    is_yolo,
    read_yolo,
    holds={"classes"},
    write_folder=write_yolo,
    suffixes=(".txt",),
    is_folder=True,
    names_only_positives=True,
)
