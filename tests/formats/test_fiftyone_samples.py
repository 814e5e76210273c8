from __future__ import annotations

import json
from typing import Any

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from tests.formats.conftest import told


def labels(*names: str, **more: Any) -> dict[str, Any]:
    found = [{"_cls": "Classification", "label": name, **more} for name in names]
    return {"_cls": "Classifications", "classifications": found}


def test_fields_of_people_and_machines(make_dataset) -> None:
    root = make_dataset("data/a.jpg", "data/b.jpg", "data/c.jpg")
    box = {"_cls": "Detection", "label": "dog", "bounding_box": [0, 0, 1, 1]}
    samples = [
        {
            "filepath": "data/a.jpg",
            "tags": ["blurry", "train"],
            "boxes": {"_cls": "Detections", "detections": [box, box]},
            "positive_labels": labels("cat"),
            "negative_labels": labels("fox"),
            "place": {"_cls": "GeoLocation", "point": [1, 2]},
        },
        {"filepath": "data/b.jpg", "split": "test", "boxes": None, "pseudo_negative": labels("cat", confidence=0.98)},
        {
            "filepath": "data/c.jpg",
            "boxes": {"_cls": "Detections", "detections": []},
            "guess": labels("cat", confidence=1),
        },
    ]
    (root / "samples.json").write_text(json.dumps({"samples": samples}))
    (root / "metadata.json").write_text(json.dumps({"default_classes": ["fox", "dog"], "media_type": "image"}))
    result = read_dataset(root)
    assert result.notes[0].startswith("Labels read from samples.json (fiftyone:")
    assert result.table.class_names == ("fox", "dog", "cat")
    assert result.table.states.tolist() == [[-1, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert result.table.splits == ("train", "test", "")
    assert told(result) == {("data/b.jpg", "cat"): 0.02, ("data/c.jpg", "cat"): 1.0}
    assert read_dataset(root, exhaustive=True).table.states.tolist() == [[-1, 1, 1], [0, 0, 0], [-1, -1, -1]]


def test_what_is_no_sample_is_told(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / "samples.json").write_text(json.dumps({"samples": [{"filepath": "a.jpg"}, {"tags": []}]}))
    with pytest.raises(StudioError, match=r"samples.json is not built as fiftyone is: 'filepath'"):
        read_dataset(root)
