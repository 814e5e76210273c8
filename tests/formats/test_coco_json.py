from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.labels import LabelProblems


def coco(**changes: Any) -> dict[str, Any]:
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg", "neg_category_ids": [3]}],
        "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "dog"}, {"id": 2, "name": "emu"}],
        "annotations": [
            {"image_id": 7, "category_id": 1},
            {"image_id": 7, "category_id": 1},
            {"image_id": 8, "category_id": 2},
        ],
    }
    return content | changes


def written(root: Path, content: Any) -> Path:
    (root / "annotations.json").write_text(json.dumps(content))
    return root


def test_read(make_dataset) -> None:
    root = written(make_dataset("a.jpg", "sub/b.jpg"), coco())
    result = read_dataset(root)
    assert result.notes[0] == "Labels read from annotations.json (coco-json: images, annotations and categories)."
    assert result.table.class_names == ("cat", "dog", "emu")
    assert result.table.states.tolist() == [[0, 1, 0], [-1, 0, 1]]
    assert read_dataset(root, exhaustive=True).table.states.tolist() == [[-1, 1, -1], [-1, -1, 1]]


def test_dangling_ids(make_dataset) -> None:
    wrong = [{"image_id": 99, "category_id": 1}, {"image_id": 7, "category_id": 98}]
    root = written(make_dataset("a.jpg", "b.jpg"), coco(annotations=wrong))
    with pytest.raises(LabelProblems) as caught:
        read_dataset(root)
    assert "annotation 0: there is no image with id 99" in str(caught.value)
    assert "annotation 1: there is no category with id 98" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"images": [], "annotations": [], "categories"', "annotations.json:1: not readable as JSON"),
        ('{"images": {}, "annotations": [], "categories": []}', "'images' is no list of objects"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]}',
            "two categories have the id 1",
        ),
    ],
)
def test_wrong_file(make_dataset, content: str, message: str) -> None:
    root = make_dataset("a.jpg")
    (root / "annotations.json").write_text(content)
    with pytest.raises(StudioError, match=message):
        read_dataset(root, labels=root / "annotations.json")


def test_other_json(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / "settings.json").write_text("{}")
    with pytest.raises(StudioError, match="is of no format that is read"):
        read_dataset(root, labels=root / "settings.json")
    assert read_dataset(root, classes="cat").notes == ("No labels were found: every cell is unknown.",)
