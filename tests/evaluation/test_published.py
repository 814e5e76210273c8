"""Tiny trees of the published layouts, and a server that sends archives of them."""

from __future__ import annotations

import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation import published
from logicmix_studio.evaluation.published import PublishedSet, download, fetch_published, read_published


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "#345").save(path)


def make_voc(root: Path) -> None:
    voc, lists = root / "VOCdevkit/VOC2007", {"train": ["000001"], "val": ["000002"], "test": ["000003", "000004"]}
    lists["trainval"] = lists["train"] + lists["val"]
    states = {"cat": {"000001": 1, "000002": -1, "000003": 0, "000004": -1}, "dog": dict.fromkeys(lists["test"], -1)}
    states["dog"] |= {"000001": 1, "000002": 1}
    for name in (*lists["trainval"], *lists["test"], "009999"):  # the last one is of no list
        picture(voc / f"JPEGImages/{name}.jpg")
    picture(voc / "SegmentationClass/000001.png")
    for kind in ("Main", "Layout"):
        (voc / "ImageSets" / kind).mkdir(parents=True)
        for split, names in lists.items():
            (voc / "ImageSets" / kind / f"{split}.txt").write_text("".join(f"{name}\n" for name in names))
    for class_name, column in states.items():
        for split, names in lists.items():
            lines = "".join(f"{name} {column[name]:>2}\n" for name in names)
            (voc / f"ImageSets/Main/{class_name}_{split}.txt").write_text(lines)


def make_coco(root: Path) -> None:
    categories = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}]
    (root / "annotations").mkdir(parents=True)
    for split, numbers in (("train2014", [9, 25]), ("val2014", [42])):
        names = [f"COCO_{split}_{number:012d}.jpg" for number in numbers]
        for name in names:
            picture(root / split / name)
        images = [{"id": number, "file_name": name} for number, name in zip(numbers, names, strict=True)]
        found = [{"id": 1, "image_id": numbers[0], "category_id": 18, "bbox": [0, 0, 2, 2]}]
        content = {"images": images, "annotations": found, "categories": categories}
        for kind in ("instances", "person_keypoints"):
            (root / f"annotations/{kind}_{split}.json").write_text(json.dumps(content))


def make_vg(root: Path) -> None:
    for name in ("VG_100K/1.jpg", "VG_100K/2.jpg", "VG_100K_2/3.jpg", "VG_100K_2/4.jpg"):
        picture(root / name)
    labels = {"1.jpg": [0, 1], "2.jpg": [1], "3.jpg": []}
    (root / "vg_category_200_labels_index.json").write_text(json.dumps(labels))
    (root / "train_list_500.txt").write_text("1.jpg\n3.jpg\n")
    (root / "test_list_500.txt").write_text("2.jpg\n")


def test_voc_has_its_lists_and_a_difficult_object_is_present(tmp_path: Path) -> None:
    make_voc(tmp_path)
    table = read_published("voc2007", tmp_path)
    assert [path.rpartition("/")[2] for path in table.paths] == [f"00000{number}.jpg" for number in (1, 2, 3, 4)]
    assert all((tmp_path / path).is_file() for path in table.paths)
    assert table.class_names == ("cat", "dog")
    assert table.splits == ("train", "train", "test", "test")
    assert table.states.tolist() == [[1, 1], [-1, 1], [1, -1], [-1, -1]]


def test_coco_trains_on_train2014_and_measures_on_val2014(tmp_path: Path) -> None:
    make_coco(tmp_path)
    table = read_published("coco2014", tmp_path)
    assert table.paths[0] == "train2014/COCO_train2014_000000000009.jpg"
    assert table.class_names == ("person", "dog")
    assert table.splits == ("train", "train", "test")
    assert table.states.tolist() == [[-1, 1], [-1, -1], [-1, 1]]


def test_vg_keeps_the_images_of_its_lists(tmp_path: Path) -> None:
    make_vg(tmp_path)
    table = read_published("vg200", tmp_path)
    assert [Path(path).name for path in table.paths] == ["1.jpg", "2.jpg", "3.jpg"]
    assert table.splits == ("train", "test", "train")
    assert table.states.tolist() == [[1, 1], [-1, 1], [-1, -1]]


def test_what_is_missing_is_named_with_the_command_that_fetches_it(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="train2014 is missing") as told:
        read_published("coco2014", tmp_path)
    assert "benchmark fetch coco2014" in told.value.hint
    with pytest.raises(StudioError, match="no published data set 'imagenet'"):
        read_published("imagenet", tmp_path)


class Server(BaseHTTPRequestHandler):
    """Sends the files of a folder from where it is asked to, and counts the bytes."""

    folder: Path
    sent = 0

    def do_GET(self) -> None:
        content = (self.folder / self.path.lstrip("/")).read_bytes()
        start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
        rest = content[start:]
        self.send_response(206 if rest else 416)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        type(self).sent += len(rest)  # before the bytes go: who has them all may look at once
        self.wfile.write(rest)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    Server.folder, Server.sent = tmp_path / "served", 0
    Server.folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("there", [0, 400, 1000])
def test_a_transfer_goes_on_where_it_was_cut_off(tmp_path: Path, address: str, there: int) -> None:
    content = np.random.default_rng(0).bytes(1000)
    (Server.folder / "a.bin").write_bytes(content)
    (tmp_path / "a.bin.part").write_bytes(content[:there])
    download(f"{address}/a.bin", tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == content
    assert Server.sent == 1000 - there
    assert not (tmp_path / "a.bin.part").exists()


def test_a_set_is_fetched_once_and_can_be_read(tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    make_voc(tmp_path / "made")
    with tarfile.open(Server.folder / "voc.tar", "w") as archive:
        archive.add(tmp_path / "made" / "VOCdevkit", "VOCdevkit")
    voc = published.PUBLISHED_SETS["voc2007"]
    local = PublishedSet(voc.title, voc.parts, ((f"{address}/voc.tar", voc.archives[1][1]),))
    monkeypatch.setitem(published.PUBLISHED_SETS, "voc2007", local)
    for _ in range(2):
        assert not fetch_published("voc2007", tmp_path / "data")
    assert Server.sent == (Server.folder / "voc.tar").stat().st_size
    assert not list((tmp_path / "data").glob("*.tar*"))
    assert read_published("voc2007", tmp_path / "data").num_images == 4


def test_a_damaged_archive_and_a_server_that_is_away_are_told(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (Server.folder / "voc.tar").write_text("no archive")
    for where, told in ((f"{address}/voc.tar", "is damaged"), ("http://127.0.0.1:9/voc.tar", "cannot fetch")):
        monkeypatch.setitem(published.PUBLISHED_SETS, "voc2007", PublishedSet("VOC 2007", (), ((where, "none"),)))
        with pytest.raises(StudioError, match=told):
            fetch_published("voc2007", tmp_path / "data")
    assert not list((tmp_path / "data").glob("*.tar"))
