"""JSON lists: one object of image → classes, by name or by number, as the lists of VG-200 and FiftyOne are.

Splits stand in files beside it, called after them (`train_list_500.txt`), with a name a line; names of numbered classes
in `classes.txt`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat
from logicmix_studio.formats.request import ReadRequest, Statement, read_statements
from logicmix_studio.formats.texts import CLASSES_FILE, read_text, split_of_name, stems
from logicmix_studio.images.decode import IMAGE_SUFFIXES
from logicmix_studio.labels import POSITIVE, TableBuilder


def is_json_lists(file: LabelFile) -> bool:
    """Tell whether JSON is an object of images and lists of names or numbers, or FiftyOne's classes and labels."""
    lists = _lists(file)[0]
    names = [one for listed in lists.values() for one in (listed if isinstance(listed, list) else [None])]
    has_images = _is_fiftyone(file) or any(PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES for name in lists)
    return has_images and bool(names) and all(type(one) in (str, int) for one in names)


def _is_fiftyone(file: LabelFile) -> bool:
    return (
        isinstance(file.json, dict)
        and set(file.json) == {"classes", "labels"}
        and isinstance(file.json["labels"], dict)
    )


def _lists(file: LabelFile) -> tuple[dict[str, list[str | int]], list[str] | None]:
    """Return the list of each image that has one, and the classes, if the file names them."""
    content, classes = file.json if isinstance(file.json, dict) else {}, None
    if _is_fiftyone(file):
        content, classes = content["labels"], content["classes"]
    lists = {name: [one] if isinstance(one, str | int) else one for name, one in content.items() if one is not None}
    return lists, classes


def read_json_lists(request: ReadRequest) -> TableBuilder:
    """Read lists; a number is the place of a class among those that the file, or else the request, names, from 0."""
    statements, named = list[Statement](), dict[str, None]()
    for file in request.files:
        splits = _splits(request, file)
        lists, classes = _lists(file)
        names = request.class_names if classes is None else classes
        named |= dict.fromkeys(classes or ())
        for number, (name, listed) in enumerate(lists.items()):
            path = request.find_image(name, file)
            found = dict.fromkeys(_class_name(one, names, request, file, number) for one in listed)
            present = tuple(one for one in found if one)
            statements.append(Statement(path, present, file, split=splits.get(path or "", "")))
    request.class_names = request.class_names or (tuple(named) if named else None)
    return read_statements(request, statements)


def _class_name(one: str | int, names: Sequence[str] | None, request: ReadRequest, file: LabelFile, number: int) -> str:
    if isinstance(one, str):
        return one.strip()
    if names is None:
        return f"class {one}"
    if 0 <= one < len(names):
        return names[one]
    request.report(f"image {number}: there is no class number {one} ({len(names)} are named)", file)
    return ""


def _splits(request: ReadRequest, file: LabelFile) -> dict[str, str]:
    """Return the split of each image that a text file beside the labels lists."""
    splits: dict[str, str] = {}
    for path in sorted(file.path.parent.glob("*.txt")):
        split = split_of_name(PurePosixPath(path.name))
        if split and path.name != CLASSES_FILE:
            name = LabelFile(path, path.name)
            lines = (line.strip() for line in read_text(path).splitlines())
            splits |= dict.fromkeys(
                (found for line in lines if line and (found := request.find_image(line, name))), split
            )
    return splits


def write_json_lists(cells: Cells) -> Iterator[str]:
    """Write the names of the classes present in each image."""
    for row, path in cells.rows():
        named = json.dumps(cells.named(row), ensure_ascii=False)
        yield f"{',' if row else '{'}\n{json.dumps(path, ensure_ascii=False)}: {named}"
    yield "\n}\n"


def write_fiftyone_lists(cells: Cells) -> Iterator[str]:
    """Write what FiftyOne calls a `FiftyOneImageClassificationDataset`: numbers of classes, null where nothing is known."""
    table = cells.table
    names = stems(table.paths, "fiftyone-lists")
    yield f'{{"classes": {json.dumps(table.class_names, ensure_ascii=False)}, "labels": {{'
    for row, _ in cells.rows():
        states = table.states[row]
        numbers = np.flatnonzero(states == POSITIVE).tolist() if states.any() else None
        yield f"{',' if row else ''}\n{json.dumps(names[row], ensure_ascii=False)}: {json.dumps(numbers)}"
    yield "\n}}\n"


JSON_LISTS = LabelFormat(
    "json-lists",
    "one object of images and their lists of classes",
    is_json_lists,
    read_json_lists,
    write_json_lists,
    suffixes=(".json",),
    names_only_positives=True,
)
FIFTYONE_LISTS = replace(
    JSON_LISTS,
    name="fiftyone-lists",
    sign="classes, and labels with the numbers of those present",
    fits=lambda file: _is_fiftyone(file) and is_json_lists(file),
    write=write_fiftyone_lists,
    holds={"classes"},
)
