"""Label Studio's JSON: tasks with people's annotations and models' predictions, of which only the image level is read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import CellDetails, Contents, LabelFormat
from logicmix_studio.formats.request import ReadRequest, Statement, read_statements
from logicmix_studio.labels import NEGATIVE, POSITIVE, LabelTable, TableBuilder

_ABSENT = "absent"
"""Our own name for the question which classes are absent; everybody else's names say what is present."""
_FOLDER = "/data/local-files/?d="
_UPLOADED = re.compile(r"^[0-9a-f]{8}-")


def is_label_studio(file: LabelFile) -> bool:
    """Tell whether JSON is a list of tasks."""
    first = file.json[0] if isinstance(file.json, list) and file.json else None
    return (
        isinstance(first, dict)
        and isinstance(first.get("data"), dict)
        and {"annotations", "predictions"} & set(first) != set()
    )


def read_label_studio(request: ReadRequest) -> TableBuilder:
    """Read tasks that somebody annotated; what models predict is left out and counted."""
    statements, num_predicted = [], 0
    for file in request.files:
        for number, task in enumerate(file.json):
            num_predicted += sum(len(prediction.get("result", ())) for prediction in task.get("predictions") or ())
            annotations = [one for one in task.get("annotations") or () if not one.get("was_cancelled")]
            if not annotations:
                continue
            path = _find(request, file, task.get("data") or {}, number)
            results = [result for one in annotations for result in one.get("result", ())]
            present = (name for result in results if result.get("from_name") != _ABSENT for name in _names(result))
            absent = (name for result in results if result.get("from_name") == _ABSENT for name in _names(result))
            names = (tuple(dict.fromkeys(some)) for some in (present, absent))
            statements.append(Statement(path, next(names), file, absent=next(names)))
    if num_predicted:
        request.notes.append(f"Predictions of models: {num_predicted:,}; such cells stay unknown.")
    return read_statements(request, statements)


def _names(result: dict[str, Any]) -> Iterable[str]:
    """Return the classes of one result: choices, or what boxes and areas are labelled."""
    kind = str(result.get("type", ""))
    return (
        [str(name) for name in result.get("value", {}).get(kind, ())]
        if kind == "choices" or kind.endswith("labels")
        else ()
    )


def _find(request: ReadRequest, file: LabelFile, data: dict[str, Any], number: int) -> str | None:
    address = urlsplit(str(data.get("image") or next((value for value in data.values() if isinstance(value, str)), "")))
    name = parse_qs(address.query).get("d", [address.path])[0].lstrip("/")
    folder, _, last = name.rpartition("/")
    if folder.startswith("data/upload") and not request.images.has(name):
        name = _UPLOADED.sub("", last)
    if not name:
        request.report(f"task {number} names no image", file)
        return None
    return request.find_image(name, file)


def write_label_studio(table: LabelTable, details: CellDetails) -> Contents:
    """Write a task an image: what is known as an annotation, pseudo-labels as a prediction with scores."""
    yield "", _parts(table, details)


def _parts(table: LabelTable, details: CellDetails) -> Iterator[str]:
    for row, path in enumerate(table.paths):
        chosen = {
            name: [table.class_names[column] for column in np.flatnonzero(table.states[row] == state)]
            for name, state in (("present", POSITIVE), (_ABSENT, NEGATIVE))
        }
        results = [_result(name, classes) for name, classes in chosen.items() if classes]
        task = {
            "data": {"image": _FOLDER + quote(path)},
            "annotations": [{"result": results}] if results else [],
            "predictions": _predictions(table, details, row),
        }
        yield ("[" if row == 0 else ",\n") + json.dumps(task, ensure_ascii=False)
    yield "]\n" if table.num_images else "[]\n"


def _result(name: str, classes: list[str]) -> dict[str, Any]:
    return {"from_name": name, "to_name": "image", "type": "choices", "value": {"choices": classes}}


def _predictions(table: LabelTable, details: CellDetails, row: int) -> list[dict[str, Any]]:
    if details.proposals is None or not details.proposals[row].any():
        return []
    results = []
    for column in np.flatnonzero(details.proposals[row]).tolist():
        is_present = details.proposals[row, column] == POSITIVE
        score = math.nan if details.scores is None else float(details.scores[row, column])
        result = _result("present" if is_present else _ABSENT, [table.class_names[column]])
        results.append(result | ({"score": round(score, 4)} if math.isfinite(score) else {}))
    return [{"model_version": f"run {details.run}", "result": results}]


LABEL_STUDIO = LabelFormat(
    "label-studio",
    "tasks with data and annotations",
    is_label_studio,
    read_label_studio,
    write_label_studio,
    {"negatives", "pseudo-labels", "runs"},
    suffixes=(".json",),
    names_only_positives=True,
)
