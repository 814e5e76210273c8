"""What FiftyOne writes is read, and what is written, FiftyOne reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.formats import Cells, read_dataset, write_cells
from logicmix_studio.labels import LabelTable
from logicmix_studio.store.fiftyone.mongod import Mongod
from tests.formats.conftest import told

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).with_name("fiftyone_exchange.py")
TABLE = LabelTable.build(["a.jpg", "b.jpg", "c.jpg"], ["cat", "sea lion"], [[1, -1], [1, 1], [-1, -1]])
PARTIAL = LabelTable.build(["a.jpg", "c.jpg"], ["cat", "sea lion"], [[1, -1], [0, 0]], ["test", ""])
PROPOSED = Cells.of(
    PARTIAL,
    np.array([[2, 0], [0, 0]], np.uint8),
    np.array([[0, 0], [1, -1]]),
    np.array([[np.nan] * 2, [0.97, 0.02]]),
    run=7,
)
OURS = {
    "coco-json": "ours.json",
    "cvat-xml": "ours.xml",
    "voc-xml": "voc",
    "yolo": "yolo",
    "label-studio": "ours-tasks.json",
    "fiftyone-lists": "ours-lists.json",
    "csv-list": "ours-list.csv",
}
THEIRS = (
    *("CSVDataset", "FiftyOneImageClassificationDataset", "COCODetectionDataset", "VOCDetectionDataset"),
    *("YOLOv4Dataset", "YOLOv5Dataset", "CVATImageDataset"),
)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory) -> tuple[Path, dict[str, object]]:
    folder = tmp_path_factory.mktemp("exchange")
    photos = folder / "photos"
    photos.mkdir()
    for number, path in enumerate(TABLE.paths):
        Image.new("RGB", (64 + number, 48)).save(photos / path)
    for name, target in OURS.items():
        write_cells(folder / target, name, Cells.of(TABLE, root=photos))
    write_cells(folder / "ours-samples", "fiftyone", PROPOSED)
    with Mongod(folder / "db", environ={}) as mongod:
        command = [sys.executable, str(SCRIPT), str(folder), mongod.ensure()]
        done = subprocess.run(command, cwd=SCRIPT.parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout.strip().splitlines()[-1])


@pytest.mark.parametrize("name", OURS)
def test_fiftyone_reads_ours(exchange, name: str) -> None:
    expected: dict[str, list[str]] = {"a.jpg": ["cat"], "b.jpg": ["cat", "sea lion"], "c.jpg": []}
    if name == "yolo":
        expected = {"a": ["cat"], "b": ["cat", "sea lion"], "c": []}
    if name == "fiftyone-lists":
        expected |= {"classes": ["cat", "sea lion"]}
    assert exchange[1][name] == expected


def test_fiftyone_reads_states_splits_and_pseudo_labels(exchange) -> None:
    assert exchange[1]["fiftyone"] == {
        "a.jpg": [
            ["positive_labels", "cat", None, "human", None],
            ["negative_labels", "sea lion", None, None, None],
            "test",
            ["test"],
        ],
        "c.jpg": [["pseudo_positive", "cat", 0.97, None, 7], ["pseudo_negative", "sea lion", 0.98, None, 7], None, []],
        "classes": ["cat", "sea lion"],
    }


@pytest.mark.parametrize("name", THEIRS)
def test_theirs_are_read(exchange, name: str) -> None:
    table = read_dataset(exchange[0] / name).table
    assert table.class_names == ("cat", "sea lion")
    assert table.states.tolist() == [[1, 0], [1, 1], [0, 0]]


def test_their_own_export_is_read_with_absence_split_and_what_a_model_says(exchange) -> None:
    result = read_dataset(exchange[0] / "FiftyOneDataset")
    assert result.table.class_names == ("cat", "sea lion")
    assert result.table.states.tolist() == [[1, 0], [1, 1], [0, -1]]
    assert result.table.splits == ("", "", "val")
    assert {name: score for (_, name), score in told(result).items()} == {"cat": 0.9}
