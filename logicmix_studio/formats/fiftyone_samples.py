"""FiftyOne's own export (`FiftyOneDataset`): `samples.json`, of which only the image level is read."""

from __future__ import annotations

from typing import Any, Final

from logicmix_studio.files import read_json
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import LabelFormat
from logicmix_studio.formats.request import Prediction, ReadRequest, Statement, read_statements
from logicmix_studio.formats.table import SPLIT_COLUMN
from logicmix_studio.formats.texts import SPLIT_OF_WORD
from logicmix_studio.labels import TableBuilder

_ABSENT: Final = frozenset({"negative_labels", "pseudo_negative"})
"""Fields of classes that are absent, as FiftyOne's Open Images has them."""
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


FIFTYONE_SAMPLES = LabelFormat(
    "fiftyone",
    "samples with their files",
    is_samples,
    read_samples,
    suffixes=(".json",),
    names_only_positives=True,
)
