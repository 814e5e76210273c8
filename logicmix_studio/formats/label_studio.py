"""Label Studio's JSON: tasks with people's annotations and models' predictions, of which only the image level is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import numpy as np

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat
from logicmix_studio.formats.request import Prediction, ReadRequest, Statement, read_statements
from logicmix_studio.labels import NEGATIVE, POSITIVE, TableBuilder

_ABSENT = "absent"
"""Beside the image, the classes that are verified to be absent: no reader can take them for present ones there."""
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
    """Read tasks that somebody annotated, and what models predict of them and of others."""
    statements, predictions = list[Statement](), list[Prediction]()
    for file in request.files:
        for number, task in enumerate(file.json):
            data, annotations = task.get("data") or {}, task.get("annotations") or ()
            results = [one.get("result") or () for one in annotations if not one.get("was_cancelled")]
            absent = tuple(map(str, data.get(_ABSENT) or ()))
            predicted = task.get("predictions") or ()
            if not (results or absent or predicted):
                continue
            path = _find(request, file, data, number)
            if results or absent:
                present = dict.fromkeys(name for result in results for one in result for name in _names(one))
                statements.append(Statement(path, tuple(present), file, absent=absent))
            predictions += (
                Prediction(path, name, one.get("score", prediction.get("score")), file)
                for prediction in predicted
                for one in prediction.get("result") or ()
                for name in _names(one)
            )
    return read_statements(request, statements, predictions)


def _names(result: dict[str, Any]) -> Iterable[str]:
    """Return the classes of one result: choices, or what boxes and areas are labelled."""
    kind = str(result.get("type", ""))
    if kind != "choices" and not kind.endswith("labels"):
        return ()
    return map(str, (result.get("value") or {}).get(kind) or ())


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


def write_label_studio(cells: Cells) -> Iterator[str]:
    """Write a task an image: classes present as an annotation, proposals as a prediction with scores."""
    for row, path in cells.rows():
        present, absent, predicted = cells.named(row), cells.named(row, NEGATIVE), _predictions(cells, row)
        task = {
            "data": {"image": _FOLDER + quote(path), _ABSENT: absent},
            "annotations": [{"result": [_choices(present)] if present else []}] if present or absent else [],
            "predictions": [{"model_version": f"run {cells.run}", "result": predicted}] if predicted else [],
        }
        yield ("[" if row == 0 else ",\n") + json.dumps(task, ensure_ascii=False)
    yield "]\n" if cells.table.num_images else "[]\n"


def _predictions(cells: Cells, row: int) -> list[dict[str, Any]]:
    columns = np.flatnonzero(cells.proposals[row] == POSITIVE).tolist()
    scores = cells.scores[row, columns].round(4).tolist()
    names = [cells.table.class_names[column] for column in columns]
    return [_choices([name]) | {"score": score} for name, score in zip(names, scores, strict=True)]


def _choices(names: Sequence[str]) -> dict[str, Any]:
    return {"from_name": "present", "to_name": "image", "type": "choices", "value": {"choices": names}}


LABEL_STUDIO = LabelFormat(
    "label-studio",
    "tasks with data and annotations",
    is_label_studio,
    read_label_studio,
    write_label_studio,
    {"negatives", "pseudo-positives", "runs"},
    suffixes=(".json",),
    names_only_positives=True,
)
