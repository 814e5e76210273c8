"""COCO and LVIS: one JSON file with images, categories and annotations, of which only the image level is read.

Own code instead of pycocotools: that knows no absent classes, and stops at ids that are text in one list and numbers in
another.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat
from logicmix_studio.formats.request import Prediction, ReadRequest, Statement, read_statements
from logicmix_studio.labels import NEGATIVE, POSITIVE, TableBuilder

_LISTS = ("images", "annotations", "categories")
_NEGATIVES = "neg_category_ids"


def is_coco(file: LabelFile) -> bool:
    """Tell whether a JSON file looks like COCO."""
    return isinstance(file.json, dict) and set(_LISTS) <= set(file.json)


def read_coco_json(request: ReadRequest) -> TableBuilder:
    """Read COCO files.

    Lists of results in the same folder are read, too, if they speak of nothing but the only file's images and categories.
    Where images carry `neg_category_ids`, as in LVIS, those classes are absent for them. Annotations with a score are a
    machine's.

    Raises:
        StudioError: If one of the three lists is none.
    """
    statements: list[Statement] = []
    predictions: list[Prediction] = []
    class_names: dict[str, None] = {}
    for file in request.files:
        content = _checked(file)
        results = list(_results(request, file, content)) if len(request.files) == 1 else []
        names = _names_by_id(request, file, content)
        class_names |= dict.fromkeys(names.values())
        _read_file(request, file, content, results, names, statements, predictions)
    request.class_names = request.class_names or tuple(class_names)
    return read_statements(request, statements, predictions)


def _checked(file: LabelFile) -> dict[str, list[dict[str, Any]]]:
    """Return the three lists of a COCO file, checked to be lists of objects."""
    for key in _LISTS:
        part = file.json.get(key)
        if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
            raise StudioError(f"{file.path}: {key!r} is no list of objects", "Give a COCO file of annotations.")
    return file.json  # type: ignore[no-any-return]  # checked above


def _results(
    request: ReadRequest, file: LabelFile, content: dict[str, list[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Yield what models found in the images, as COCO has it: lists of results with image, category and score."""
    places = (("image_id", "images"), ("category_id", "categories"))
    known = {key: {_key(one.get("id")) for one in content[name]} for key, name in places}
    for path in sorted(file.path.parent.glob("*.json")):
        listed: Any = []
        with path.open("rb") as start, suppress(StudioError):  # it may be anything
            listed = LabelFile(path, path.name).json if start.read(1) == b"[" else []
        is_results = all(isinstance(one, dict) and one.get("score") is not None for one in listed)
        if listed and is_results and all(_key(one.get(key)) in ids for one in listed for key, ids in known.items()):
            request.notes.append(f"Results of a model read from {path.name}: {len(listed):,}.")
            yield from listed


def _key(value: Any) -> str:
    """Return an id in one form, whether it is text or a number."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _names_by_id(request: ReadRequest, file: LabelFile, content: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """Return the class of each category id; a category that only stands above others is no class."""
    categories = content["categories"]
    names = {_key(item.get("id")): str(item.get("name", "")).strip() for item in categories}
    if len(names) < len(categories):
        twice = Counter(_key(item.get("id")) for item in categories).most_common(1)[0][0]
        raise StudioError(f"{file.path}: two categories have the id {twice}", "Give each its own.")
    used = {_key(item.get("category_id")) for item in content["annotations"]}
    used |= {_key(key) for image in content["images"] for key in image.get(_NEGATIVES) or ()}
    parents = {
        str(item.get("supercategory", "")) for item in categories if item.get("supercategory") != item.get("name")
    }
    above = [key for key, name in names.items() if name in parents and key not in used]
    if above:
        told = ", ".join(names[key] for key in above)
        request.notes.append(f"Categories in {file.name} that only stand above others and are no classes: {told}.")
    return {key: name for key, name in names.items() if key not in above}


def _read_file(
    request: ReadRequest,
    file: LabelFile,
    content: dict[str, list[dict[str, Any]]],
    results: list[dict[str, Any]],
    names: dict[str, str],
    statements: list[Statement],
    predictions: list[Prediction],
) -> None:
    """Add what people and what machines say in a file."""
    counts = Counter(_key(image.get("id")) for image in content["images"])
    for key in (key for key, count in counts.items() if count > 1):
        request.report(f"{counts[key]} images have the id {key}: nobody can know which one is meant", file)
    present = defaultdict[str, dict[str, None]](dict)
    predicted = defaultdict[str, list[tuple[str, object]]](list)
    of_machines = {_key(one.get("image_id")) for one in content["annotations"] if one.get("score") is not None}
    for number, annotation in enumerate([*content["annotations"], *results]):
        image_key, category = _key(annotation.get("image_id")), _key(annotation.get("category_id"))
        if image_key not in counts:
            request.report(f"annotation {number}: there is no image with id {annotation.get('image_id')!r}", file)
        elif category not in names:
            request.report(f"annotation {number}: there is no category with id {annotation.get('category_id')!r}", file)
        elif annotation.get("score") is not None:
            predicted[image_key].append((names[category], annotation["score"]))
        else:
            present[image_key][names[category]] = None
    for image in content["images"]:
        key = _key(image.get("id"))
        if counts[key] == 1:
            absent = dict.fromkeys(names[_key(one)] for one in image.get(_NEGATIVES) or () if _key(one) in names)
            path = request.find_image(_file_name(image), file)
            split = request.parse_split(str(image.get("split", "")), file)
            found = tuple(present[key]) if present[key] or absent or key not in of_machines else None
            statements.append(Statement(path, found, file, split=split, absent=tuple(absent)))
            predictions += (Prediction(path, name, score, file) for name, score in predicted[key])


def _file_name(image: dict[str, Any]) -> str:
    """Return an image's name; LVIS has it only at the end of an address, behind its split's folder."""
    name = image.get("file_name") or "/".join(urlsplit(str(image.get("coco_url", ""))).path.rsplit("/", 2)[-2:])
    return str(name)


def write_coco_json(cells: Cells) -> Iterator[str]:
    """Write a COCO file with absent classes as LVIS has them.

    Where the size of an image is known, its annotations have a box of all of it, as COCO's readers ask for one.
    """
    table = cells.table
    sizes = [cells.size(path) for _, path in cells.rows()]
    categories = [{"id": column, "name": name} for column, name in enumerate(table.class_names, start=1)]
    images = (
        {"id": row + 1, "file_name": path, "split": table.splits[row]}
        | ({"width": size[0], "height": size[1]} if (size := sizes[row]) else {})
        | {_NEGATIVES: (np.flatnonzero(table.states[row] == NEGATIVE) + 1).tolist()}
        for row, path in enumerate(table.paths)
    )
    positives = (
        (row, column) for row, found in enumerate(table.states == POSITIVE) for column in np.flatnonzero(found).tolist()
    )
    annotations = (
        {"id": number, "image_id": row + 1, "category_id": column + 1, "iscrowd": 0}
        | ({"bbox": [0, 0, *size], "area": size[0] * size[1]} if (size := sizes[row]) else {})
        for number, (row, column) in enumerate(positives, start=1)
    )
    for start, items in (
        ('{"categories": [', categories),
        ('], "images": [', images),
        ('], "annotations": [', annotations),
    ):
        yield start + "\n"
        for number, item in enumerate(items):
            yield (",\n" if number else "") + json.dumps(item, ensure_ascii=False)
    yield "]}\n"


COCO_JSON = LabelFormat(
    "coco-json",
    "images, annotations and categories",
    is_coco,
    read_coco_json,
    write_coco_json,
    {"negatives", "splits", "classes"},
    suffixes=(".json",),
    names_only_positives=True,
    uses_classes_file=False,
)
