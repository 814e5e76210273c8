"""FiftyOne's own exports: `samples.json`, of which only the image level is read.

Written is what FiftyOne reads as `LegacyFiftyOneDataset`: unlike `FiftyOneDataset`, it holds no inner state of a database.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.files import read_json
from logicmix_studio.formats.csv_long import SOURCE_NAMES
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.request import Prediction, ReadRequest, Statement, read_statements
from logicmix_studio.formats.table import SPLIT_COLUMN
from logicmix_studio.formats.texts import SPLIT_OF_WORD
from logicmix_studio.labels import NEGATIVE, POSITIVE, LabelTable, TableBuilder

_KNOWN: Final = {POSITIVE: "positive_labels", NEGATIVE: "negative_labels"}
"""The fields of known classes by their state, as FiftyOne's Open Images has them."""
_PSEUDO: Final = {POSITIVE: "pseudo_positive", NEGATIVE: "pseudo_negative"}
_ABSENT: Final = frozenset({_KNOWN[NEGATIVE], _PSEUDO[NEGATIVE]})
_KINDS: Final = ("Classification", "Detection", "Polyline", "Keypoint")


def is_samples(file: LabelFile) -> bool:
    """Tell whether JSON is an object of samples with their files."""
    samples = file.json.get("samples") if isinstance(file.json, dict) else None
    return isinstance(samples, list) and bool(samples) and isinstance(samples[0], dict) and "filepath" in samples[0]


def read_samples(request: ReadRequest) -> TableBuilder:
    """Read all fields of labels; a label with a confidence is a machine's."""
    statements, predictions, names = list[Statement](), list[Prediction](), dict[str, None]()
    for file in request.files:
        info = read_json(file.path.with_name("metadata.json")) or {}
        names |= dict.fromkeys(info.get("default_classes") or ())
        samples = [(sample, _fields(sample)) for sample in file.json["samples"]]
        every = [(name, label) for _, fields in samples for name, labels in fields.items() for label in labels]
        names |= dict.fromkeys(sorted({str(label["label"]) for _, label in every}))
        of_machines = {name for name, label in every if label.get("confidence") is not None}
        for sample, fields in samples:
            path, said = request.find_image(sample["filepath"], file), (dict[str, None](), dict[str, None]())
            for name, label in ((name, label) for name, labels in fields.items() for label in labels):
                is_absent, class_name, confidence = name in _ABSENT, str(label["label"]), label.get("confidence")
                if confidence is None:
                    said[is_absent][class_name] = None
                else:
                    score = 1 - confidence if is_absent else confidence
                    predictions.append(Prediction(path, class_name, score, file))
            present, absent = map(tuple, said)
            has_people = any(said) or not of_machines.issuperset(fields)
            statements.append(
                Statement(path, present if has_people else None, file, split=_split(sample), absent=absent)
            )
    request.class_names = request.class_names or tuple(names)
    return read_statements(request, statements, predictions)


def _fields(sample: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the labels of each field that holds some, or an empty list of them."""
    fields = {}
    for name, value in sample.items():
        kind = str(value.get("_cls", "")).removesuffix("s") if isinstance(value, dict) else ""
        if kind in _KINDS:
            labels = [value] if "label" in value else value.get(f"{kind.lower()}s") or []
            fields[name] = [label for label in labels if label.get("label") is not None]
    return fields


def _split(sample: dict[str, Any]) -> str:
    """Return the split in the field of that name, or else the one that is a tag."""
    words = (str(word).lower() for word in (sample.get(SPLIT_COLUMN), *(sample.get("tags") or ())))
    return next((split for word in words if (split := SPLIT_OF_WORD.get(word))), "")


def write_samples(cells: Cells) -> Contents:
    """Write a sample an image, in the fields that the studio's own data sets have; the split is a tag, too."""
    classes = {"default_classes": cells.table.class_names}
    yield "metadata.json", [json.dumps({"media_type": "image", **classes, "info": classes}, ensure_ascii=False)]
    yield "samples.json", _parts(cells, cells.table)


def _parts(cells: Cells, table: LabelTable) -> Iterator[str]:
    yield '{"samples": ['
    for (row, path), split in zip(cells.rows(), table.splits, strict=True):
        sample: dict[str, Any] = {"filepath": path, "tags": [split] if split else []}
        sample |= {SPLIT_COLUMN: split} if split else {}
        for state, field in _KNOWN.items() if table.states[row].any() else ():
            columns = np.flatnonzero(table.states[row] == state)
            sources = cells.sources[row, columns].tolist()
            sample[field] = _labels(table, columns, [{"source": SOURCE_NAMES[one]} if one else {} for one in sources])
        for state, field in _PSEUDO.items():
            columns = np.flatnonzero(cells.proposals[row] == state)
            scores = cells.scores[row, columns] if state == POSITIVE else 1 - cells.scores[row, columns]
            facts = [{"confidence": one, "run": cells.run} for one in scores.round(4).tolist()]
            sample |= {field: _labels(table, columns, facts)} if columns.size else {}
        yield ("," if row else "") + "\n" + json.dumps(sample, ensure_ascii=False)
    yield "]}\n"


def _labels(table: LabelTable, columns: NDArray[np.intp], facts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the labels of some classes as FiftyOne writes them, each with facts of its own."""
    label, each = {"_cls": "Classification", "tags": []}, zip(columns.tolist(), facts, strict=True)
    found = [{**label, "label": table.class_names[column], **more} for column, more in each]
    return {"_cls": "Classifications", "classifications": found}


FIFTYONE_SAMPLES = LabelFormat(
    "fiftyone",
    "samples with their files",
    is_samples,
    read_samples,
    holds={"negatives", "splits", "classes", "sources", "pseudo-positives", "pseudo-negatives", "runs"},
    write_folder=write_samples,
    suffixes=(".json",),
    is_folder=True,
    names_only_positives=True,
)
