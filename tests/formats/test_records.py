"""Parquet, JSON lines and folders of images as Hugging Face's `datasets` has them."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image
from pyarrow import parquet

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.formats.record_table import open_parquet
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
    assert result.notes[0].startswith("Labels read from labels.parquet (parquet")


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


def picture(shade: int, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("L", (2, 2), shade).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def embedded(tmp_path: Path) -> Path:
    """Return a folder as `datasets` writes one, with two parts of a split; two pictures have the same name."""
    (tmp_path / "data").mkdir()
    features = {"image": {"_type": "Image"}, "labels": LABELS}
    rows = [("a.png", 1, [0, 2]), ("b.png", 2, [1]), ("sub/a.png", 3, [])]
    for part in range(2):
        found = rows[2 * part : 2 * part + 2]
        images = [{"bytes": picture(shade), "path": name} for name, shade, _ in found]
        labels = pa.array([listed for *_, listed in found], pa.list_(pa.int64()))
        write(tmp_path / f"data/train-{part:05d}-of-00002.parquet", {"labels": labels, "image": images}, features)
    images = [{"bytes": picture(4, "JPEG"), "path": None}]
    write(tmp_path / "data/test-00000-of-00001.parquet", {"labels": [[1]], "image": images}, features)
    return tmp_path


def test_embedded_pictures_are_extracted_once(embedded) -> None:
    result = read_dataset(embedded)
    assert result.notes[:2] == (
        "Pictures extracted from test-00000-of-00001.parquet into the folder data/test: 1.",
        "Pictures extracted from train-00000-of-00002.parquet, train-00001-of-00002.parquet into the folder data/train: 3.",
    )
    unnamed, other, first, second = result.table.paths
    assert (first, second) == ("data/train/a.png", "data/train/b.png")
    assert re.fullmatch(r"data/test/[0-9a-f]{16}\.jpeg", unnamed)
    assert re.fullmatch(r"data/train/a-[0-9a-f]{16}\.png", other)
    assert [(embedded / name).read_bytes() for name in (first, second, other)] == [picture(i) for i in (1, 2, 3)]
    assert result.table.class_names == ("bee", "cat", "dog")
    assert result.table.states.tolist() == [[0, 0, 1], [0, 0, 0], [1, 1, 0], [0, 0, 1]]
    assert result.table.splits == ("test", "train", "train", "train")
    written = {path: path.stat().st_mtime_ns for path in embedded.rglob("*")}
    assert read_dataset(embedded).table == result.table
    assert {path: path.stat().st_mtime_ns for path in embedded.rglob("*")} == written


def test_extracting_replaces_no_file_and_follows_what_changed(embedded) -> None:
    read_dataset(embedded)
    own = embedded / "data/train/a.png"
    own.write_bytes(picture(9))
    part = embedded / "data/train-00000-of-00002.parquet"
    write(part, {"labels": [["x"], ["y"]], "image": [{"bytes": picture(i), "path": "a.png"} for i in (1, 5)]})
    (embedded / "data/train-00001-of-00002.parquet").unlink()
    result = read_dataset(embedded)
    assert "Pictures extracted from train-00000-of-00002.parquet into the folder data/train: 2." in result.notes
    assert own.read_bytes() == picture(9)
    table = result.table
    said = {(embedded / path).read_bytes(): row.tolist() for path, row in zip(table.paths, table.states, strict=True)}
    x, y = map(table.class_names.index, "xy")
    assert [said[picture(shade)][column] for shade, column in ((1, x), (5, y), (9, x))] == [1, 1, 0]


@pytest.mark.parametrize("title", ["image", "img"])
def test_embedded_pictures_without_a_struct(tmp_path, title) -> None:
    write(tmp_path / "0000.parquet", {"key": [b"1", b"2"], title: [picture(1), picture(2)], "cat": [1, 0]})
    table = read_dataset(tmp_path, columns="cat").table
    said = {(tmp_path / path).read_bytes(): row for path, row in zip(table.paths, table.states.tolist(), strict=True)}
    assert said == {picture(1): [1], picture(2): [-1]}


def test_embedded_pictures_in_the_way_are_told(make_dataset, embedded) -> None:
    root = make_dataset("a.jpg")
    file = embedded / "data/test-00000-of-00001.parquet"
    (root / "labels.parquet").write_bytes(file.read_bytes())
    with pytest.raises(StudioError, match=r"the pictures are embedded in this Parquet file, in the column 'image'"):
        read_dataset(root)
    (embedded / "data/test").mkdir()
    write(embedded / "data/test/metadata.parquet", {"file_name": ["a.png"]})
    with pytest.raises(StudioError, match=r"there is a metadata.parquet already"):
        read_dataset(embedded)


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


@pytest.mark.parametrize("where", ["schema", "file"])
@pytest.mark.parametrize("names", [5, [1, None], None])
def test_parquet__class_names_that_are_none_are_refused(tmp_path: Path, where: str, names: Any) -> None:
    features = {"labels": [{"_type": "ClassLabel", "names": names}]}
    if where == "file":
        (tmp_path / "dataset_info.json").write_text(json.dumps({"features": features}))
    write(tmp_path / "labels.parquet", {"image": ["a.jpg"], "labels": [[0]]}, features if where == "schema" else None)
    with pytest.raises(StudioError, match=r"labels.parquet: not readable as Parquet: the names of its classes"):
        open_parquet(tmp_path / "labels.parquet")


@pytest.mark.parametrize("told", [b"[]", b"3", b"{", b'{"info": 3}', b'{"info": {"features": [1]}}', b"\xff"])
def test_parquet__a_broken_description_of_the_columns_is_refused(tmp_path: Path, told: bytes) -> None:
    table = pa.table({"image": ["a.jpg"], "labels": [[0]]}).replace_schema_metadata({b"huggingface": told})
    parquet.write_table(table, tmp_path / "labels.parquet")
    with pytest.raises(StudioError, match=r"labels.parquet: not readable as Parquet"):
        open_parquet(tmp_path / "labels.parquet")
