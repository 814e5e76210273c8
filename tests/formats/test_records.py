"""Parquet, JSON lines and folders of images as Hugging Face's `datasets` has them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.labels import LabelProblems


def write(file: Path, columns: dict[str, Any], features: dict[str, Any] | None = None) -> None:
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    parquet.write_table(table, file)


def states(root: Path, **options: Any) -> list[list[int]]:
    return read_dataset(root, **options).table.states.tolist()


def test_parquet_wide(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "c.jpg")
    columns = {"image": ["a.jpg", "b.jpg", "c.jpg"], "split": ["train", None, "test"], "cat": [1, 0, None]}
    write(root / "labels.parquet", {**columns, "dog": [True, False, None], "bee": [1.0, float("nan"), 0.0]})
    result = read_dataset(root)
    assert result.table.class_names == ("cat", "dog", "bee")
    assert result.table.states.tolist() == [[1, 1, 1], [-1, -1, 0], [0, 0, -1]]
    assert result.table.splits == ("train", "", "test")
    assert result.notes[0].startswith("Labels read from labels.parquet (csv-wide")


def test_parquet_long_names_the_row_of_a_problem(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg")
    columns = {"image": ["a.jpg", "gone.jpg", "b.jpg"], "class": ["cat", "cat", "dog"], "value": [1, 1, 0]}
    write(root / "labels.parquet", columns)
    with pytest.raises(LabelProblems, match=r"labels.parquet:2: there is no image 'gone.jpg'"):
        read_dataset(root)
    assert states(root, skip_bad=True) == [[1, 0], [0, -1]]


def test_parquet_lists_of_names_as_pandas_writes_them(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "c.jpg")
    index = {"__index_level_0__": [7, 8, 9]}
    write(root / "l.parquet", {"file_name": ["a.jpg", "b.jpg", "c.jpg"], "labels": [["x, y", "z"], [], None], **index})
    assert read_dataset(root).table.class_names == ("x, y", "z")
    assert states(root, exhaustive=True) == [[1, 1], [-1, -1], [-1, -1]]


LABELS = {"feature": {"names": ["cat", "dog", "bee"], "_type": "ClassLabel"}, "_type": "List"}


@pytest.mark.parametrize("feature", [LABELS, LABELS | {"_type": "Sequence"}, [LABELS["feature"]]])
def test_parquet_class_numbers_have_the_names_of_the_schema(make_dataset, feature) -> None:
    root = make_dataset("a.jpg", "b.jpg")
    columns = {"image": ["a.jpg", "b.jpg"], "labels": [[0, 2], [1]]}
    write(root / "labels.parquet", columns, {"image": {"_type": "Value"}, "labels": feature})
    assert read_dataset(root).table.class_names == ("bee", "cat", "dog")
    assert states(root) == [[1, 1, 0], [0, 0, 1]]


def test_parquet_class_numbers_have_the_names_of_dataset_info(make_dataset) -> None:
    root = make_dataset("train/a.jpg", "test/b.jpg")
    label = {"names": ["cat", "dog"], "_type": "ClassLabel"}
    (root / "dataset_info.json").write_text(json.dumps({"features": {"label": label}}))
    write(root / "train/metadata.parquet", {"file_name": ["a.jpg"], "label": [1]})
    write(root / "test/metadata.parquet", {"file_name": ["b.jpg"], "label": [0]})
    result = read_dataset(root)
    assert result.table.class_names == ("cat", "dog")
    assert result.table.states.tolist() == [[1, 0], [0, 1]]
    assert result.table.splits == ("test", "train")


def test_image_folder_with_json_lines_in_each_split(make_dataset) -> None:
    root = make_dataset("train/a.jpg", "train/b.jpg", "validation/a.jpg")
    rows = [{"file_name": "a.jpg", "labels": ["cat", "dog"], "text": "two"}, {"file_name": "b.jpg", "labels": []}]
    (root / "train/metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (root / "validation/metadata.jsonl").write_text('{"file_name": "a.jpg", "labels": ["dog"]}\n\n')
    result = read_dataset(root)
    assert result.table.states.tolist() == [[1, 1], [0, 0], [0, 1]]
    assert result.table.splits == ("train", "train", "val")


def test_image_folder_with_a_table_in_each_split(make_dataset) -> None:
    root = make_dataset("train/a.jpg", "test/a.jpg")
    (root / "train/metadata.csv").write_text("file_name,cat\na.jpg,1\n")
    (root / "test/metadata.csv").write_text("file_name,cat\na.jpg,0\n")
    result = read_dataset(root)
    assert (result.table.states.tolist(), result.table.splits) == ([[-1], [1]], ("test", "train"))


def test_broken_json_lines_are_named(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / "labels.jsonl").write_text('{"image": "a.jpg", "cat": 1}\n[1]\n')
    with pytest.raises(LabelProblems, match=r"labels.jsonl:2: not readable as a row: it is no JSON object"):
        read_dataset(root)
    (root / "labels.jsonl").write_text('{"image": "a.jpg", "cat": 1}\n{"image": \n')
    with pytest.raises(LabelProblems, match=r"labels.jsonl:2: not readable as JSON: Expecting value"):
        read_dataset(root)
    (root / "labels.jsonl").write_text("no\n")
    with pytest.raises(StudioError, match=r"labels.jsonl:1: not readable as JSON"):
        read_dataset(root)


@pytest.mark.parametrize("images", [(), ("a.jpg",)])
def test_embedded_pictures_are_told(make_dataset, tmp_path, images) -> None:
    root = make_dataset(*images)
    root.mkdir(exist_ok=True)
    write(root / "train-00000-of-00001.parquet", {"image": [{"bytes": b"\xff\xd8", "path": "a.jpg"}], "label": [0]})
    with pytest.raises(StudioError, match=r"the pictures are embedded in this Parquet file, in the column 'image'"):
        read_dataset(root)


def test_pictures_that_a_parquet_file_only_names_are_found(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg")
    paths = [{"bytes": None, "path": str(root / name)} for name in ("a.jpg", "b.jpg")]
    image = pa.array(paths, type=pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    write(root / "labels.parquet", {"image": image, "cat": [1, 0]})
    assert states(root) == [[1], [-1]]


def test_parquet_that_is_broken_or_without_pyarrow(make_dataset, monkeypatch) -> None:
    root = make_dataset("a.jpg", labels_parquet=b"PAR1 or not")
    with pytest.raises(StudioError, match=r"labels.parquet: not readable as Parquet"):
        read_dataset(root)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StudioError, match=r"pyarrow is not installed") as caught:
        read_dataset(root)
    assert caught.value.hint == "pip install 'logicmix-studio[parquet]'"
