"""Files brought from storages that fsspec knows: its local one and the one in memory."""

from __future__ import annotations

import io
import os
from pathlib import Path

import fsspec
import pytest
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.images.decode import scan_images
from logicmix_studio.images.fetch import Fetched, fetch


def picture(width: int, height: int, orientation: int = 1, kind: str = "JPEG") -> bytes:
    """A picture whose left half is red, stored as a camera that was held so would."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width // 2, height))
    exif, content = Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    image.save(content, kind, exif=exif)
    return content.getvalue()


@pytest.fixture
def bucket():
    """An empty storage in memory; gone at the end."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {".fetched.jsonl"}


def test_files_come_as_they_are_and_only_once(bucket, tmp_path):
    contents = {"a/1.jpg": picture(8, 6), "a/b/2.png": picture(8, 6, kind="PNG"), "labels.csv": b"image,dog\n"}
    bucket.pipe({f"/photos/{path}": content for path, content in contents.items()})
    bucket.pipe({"/photos/clip.mp4": b"x", "/photos/.git/x.txt": b"x", "/photos-2/other.jpg": b"x"})
    told: list[tuple[int, int, str]] = []
    assert fetch("memory://photos", tmp_path / "in", progress=lambda *said: told.append(said)) == Fetched(3, 0, {})
    assert told == [(3, 3, "fetching")]
    assert below(tmp_path / "in") == contents.keys()
    assert all((tmp_path / "in" / path).read_bytes() == content for path, content in contents.items())
    assert len(scan_images(tmp_path / "in").images) == 2
    bucket.pipe({"/photos/3.jpg": picture(4, 4), "/photos/labels.csv": b"image,cat\n"})
    (tmp_path / "in" / "a" / "1.jpg").unlink()
    assert fetch("memory://photos", tmp_path / "in") == Fetched(3, 1, {})
    assert (tmp_path / "in" / "labels.csv").read_bytes() == b"image,cat\n"
    assert fetch("memory://photos", tmp_path / "in") == Fetched(0, 4, {})


@pytest.mark.parametrize(("orientation", "size"), [(1, (20, 10)), (6, (10, 20))])
def test_larger_images_are_scaled_and_stand_upright(bucket, tmp_path, orientation, size):
    bucket.pipe({"/p/large.jpg": picture(400, 200, orientation), "/p/small.jpg": picture(16, 8, orientation)})
    assert fetch("memory://p", tmp_path, max_side=20).new == 2
    with Image.open(tmp_path / "large.jpg") as image:
        assert image.size == size
        assert image.getexif().get(0x0112, 1) == 1
        red, _, blue = image.convert("RGB").getpixel((3, 3))
    assert red > blue  # the corner that was left is left, or on top
    assert (tmp_path / "small.jpg").read_bytes() == picture(16, 8, orientation)
    assert fetch("memory://p", tmp_path, max_side=20).there == 2
    assert fetch("memory://p", tmp_path, max_side=30).new == 2


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "gif"])
def test_each_format_is_scaled_into_itself(bucket, tmp_path, suffix):
    kind = {"jpg": "JPEG", "tif": "TIFF"}.get(suffix, suffix.upper())
    bucket.pipe(f"/p/x.{suffix}", picture(90, 60, kind=kind))
    fetch("memory://p", tmp_path, max_side=30)
    with Image.open(tmp_path / f"x.{suffix}") as image:
        assert (image.format, image.size) == (kind, (30, 20))


def test_nothing_is_written_outside_and_each_refusal_has_its_reason(bucket, tmp_path):
    bucket.pipe(
        {"/p/../../out.txt": b"x", "/p/bad.jpg": b"no picture", "/p/good.jpg": picture(8, 8), "/p/a/x.txt": b"x"}
    )
    bucket.pipe("/p/away/x.txt", b"x")
    folder = tmp_path / "deep" / "in"
    folder.mkdir(parents=True)
    (folder / "away").symlink_to(tmp_path)
    (folder / "a").write_bytes(b"a file where a folder should be")
    found = fetch("memory://p", folder, max_side=100)
    assert found.new == 1
    assert found.refused.pop("../../out.txt") == found.refused.pop("away/x.txt") == "it leads out of the folder"
    assert "cannot write" in found.refused.pop("a/x.txt")
    assert found.refused.keys() == {"bad.jpg"}
    assert below(tmp_path) - {"deep/in/.fetched.jsonl"} == {"deep/in/good.jpg", "deep/in/a"}


def test_a_cut_off_line_of_the_index_costs_one_file(bucket, tmp_path):
    bucket.pipe({"/p/1.txt": b"1", "/p/2.txt": b"2"})
    fetch("memory://p", tmp_path)
    index = tmp_path / ".fetched.jsonl"
    os.truncate(index, index.stat().st_size - 5)
    assert fetch("memory://p", tmp_path) == Fetched(1, 1, {})
    assert fetch("memory://p", tmp_path) == Fetched(0, 2, {})


def test_a_file_that_cannot_be_read_is_refused_alone(tmp_path, bucket, monkeypatch):
    bucket.pipe({"/p/1.txt": b"1", "/p/2.txt": b"2"})
    real = type(bucket).cat_file
    monkeypatch.setattr(
        type(bucket), "cat_file", lambda self, name, **more: 1 / 0 if "1" in name else real(self, name, **more)
    )
    assert fetch("memory://p", tmp_path) == Fetched(1, 0, {"1.txt": "ZeroDivisionError: division by zero"})


@pytest.mark.parametrize(
    ("url", "match"),
    [("s3://b/x", "Install s3fs"), ("nowhere://b/x", "not known"), ("memory://empty", "no image and no label file")],
)
def test_what_is_missing_is_said(bucket, tmp_path, url, match):
    with pytest.raises(StudioError, match=match):
        fetch(url, tmp_path / "in")
    assert not (tmp_path / "in").exists()
