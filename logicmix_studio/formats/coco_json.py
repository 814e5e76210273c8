"""COCO: one JSON file with images, categories and annotations."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.request import ReadRequest
from logicmix_studio.formats.texts import read_text
from logicmix_studio.labels import NEGATIVE, POSITIVE, TableBuilder

_LISTS = ("images", "annotations", "categories")


def is_coco(path: Path) -> bool:
    """Tell whether a JSON file looks like COCO."""
    text = read_text(path)
    return all(f'"{key}"' in text for key in _LISTS)


def read_coco_json(request: ReadRequest) -> TableBuilder:
    """Read a COCO file.

    Where images carry `neg_category_ids`, as in LVIS, those classes are absent for them.

    Raises:
        StudioError: If the file is no JSON or lacks one of the three lists.
    """
    content, file = _load(request.labels), request.labels.name
    names = _names_by_id(request.labels, content["categories"])
    class_names = request.class_names or tuple(names.values())
    builder = request.start(class_names, repeats_allowed=True)
    present = defaultdict[Any, dict[str, None]](dict)
    image_ids = {image.get("id") for image in content["images"]}
    for number, annotation in enumerate(content["annotations"]):
        image_id, category = annotation.get("image_id"), annotation.get("category_id")
        if image_id not in image_ids:
            request.report(f"annotation {number}: there is no image with id {image_id!r}")
        elif category not in names:
            request.report(f"annotation {number}: there is no category with id {category!r}")
        else:
            present[image_id][names[category]] = None
    for image in content["images"]:
        path = request.find_image(str(image.get("file_name", "")))
        if path is None:
            continue
        found = present[image.get("id")]
        for name in found:
            builder.add_cell(path, name, POSITIVE, file=file)
        absent = [names[key] for key in image.get("neg_category_ids", ()) if key in names]
        if request.is_exhaustive:
            absent = [name for name in class_names if name not in found]
        for name in absent:
            builder.add_cell(path, name, NEGATIVE, file=file)
    return builder


def _load(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the three lists of a COCO file, checked to be lists of objects."""
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise StudioError(f"{path}:{error.lineno}: not readable as JSON: {error.msg}", "Correct the file.") from error
    for key in _LISTS:
        part = content.get(key) if isinstance(content, dict) else None
        if not isinstance(part, list) or not all(isinstance(item, dict) for item in part):
            raise StudioError(f"{path}: {key!r} is no list of objects", "Give a COCO file of annotations.")
    return content  # type: ignore[no-any-return]  # checked above


def _names_by_id(path: Path, categories: list[dict[str, Any]]) -> dict[Any, str]:
    """Return the class of each category id."""
    names = {item.get("id"): str(item.get("name", "")) for item in categories}
    if len(names) < len(categories) or len(set(names.values())) < len(categories):
        raise StudioError(f"{path}: two categories have the same id or name", "Give each its own.")
    return names
