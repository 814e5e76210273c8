"""Libraries of other tools read what is written, and what they write is read; FiftyOne has a module of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, Features, List, Value, load_dataset
from PIL import Image
from pycocotools.coco import COCO

from logicmix_studio.formats import Cells, read_dataset, write_cells
from logicmix_studio.labels import LabelTable
from tests.formats.conftest import told

TABLE = LabelTable.build(
    ["a.jpg", "b.jpg", "c.jpg"], ["cat", "sea lion"], [[1, -1], [1, 1], [0, -1]], ["train", "", "test"]
)
WRITTEN = [
    {"split": "train", "cat": 1, "sea lion": 0},
    {"split": "", "cat": 1, "sea lion": 1},
    {"split": "test", "cat": None, "sea lion": 0},
]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for path in TABLE.paths:
        Image.new("RGB", (64, 48)).save(folder / path)
    return folder


def test_pycocotools_reads_ours(photos: Path, tmp_path: Path) -> None:
    write_cells(tmp_path / "coco.json", "coco-json", Cells.of(TABLE, root=photos))
    coco = COCO(str(tmp_path / "coco.json"))
    names = {one["id"]: one["name"] for one in coco.loadCats(coco.getCatIds())}
    present = {
        image["file_name"]: [names[one["category_id"]] for one in coco.imgToAnns[image["id"]]]
        for image in coco.loadImgs(coco.getImgIds())
    }
    assert present == {"a.jpg": ["cat"], "b.jpg": ["cat", "sea lion"], "c.jpg": []}


def test_results_that_pycocotools_loads_are_a_machines(photos: Path, tmp_path: Path) -> None:
    write_cells(tmp_path / "coco.json", "coco-json", Cells.of(TABLE, root=photos))
    truth = COCO(str(tmp_path / "coco.json"))
    results = truth.loadRes([{"image_id": 3, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.75}])
    (photos / "results.json").write_text(json.dumps(results.dataset))
    assert told(read_dataset(photos)) == {("c.jpg", "cat"): 0.75}


def test_datasets_reads_ours_as_a_table_and_as_an_image_folder(photos: Path, tmp_path: Path) -> None:
    write_cells(photos / "metadata.parquet", "parquet", TABLE, is_strict=True)
    options = {"split": "train", "cache_dir": str(tmp_path / "cache")}
    table = load_dataset("parquet", data_files=str(photos / "metadata.parquet"), **options)
    assert table.features["cat"] == Value("int8")
    assert list(table) == [{"file_name": path, **row} for path, row in zip(TABLE.paths, WRITTEN, strict=True)]
    images = list(load_dataset("imagefolder", data_dir=str(photos), **options))
    assert [image.pop("image").size for image in images] == [(64, 48)] * 3
    assert images == WRITTEN
    assert read_dataset(photos).table == TABLE


@pytest.mark.parametrize("kind", ["parquet", "csv", "json"])
def test_what_datasets_writes_is_read(photos: Path, kind: str) -> None:
    label, lists = ClassLabel(names=["cat", "sea lion"]), [[0], [1, 0], []]
    if kind != "parquet":  # holds the names of numbers
        label, lists = Value("string"), [[label.names[number] for number in one] for one in lists]
    features = Features({"file_name": Value("string"), "labels": List(label)})
    data = Dataset.from_dict({"file_name": list(TABLE.paths), "labels": lists}, features=features)
    getattr(data, f"to_{kind}")(photos / f"labels.{kind}{'l' * (kind == 'json')}")
    table = read_dataset(photos).table
    assert (table.class_names, table.states.tolist()) == (("cat", "sea lion"), [[1, 0], [1, 1], [0, 0]])
