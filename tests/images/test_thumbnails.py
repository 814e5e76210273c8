from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

from logicmix_studio.images.decode import UnreadableImage
from logicmix_studio.images.thumbnails import display_image, thumbnail, version_of

ID = "ab" + "0" * 22


def size_of(content: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(content)).size


def test_thumbnail__keeps_the_shape(make_image, tmp_path: Path) -> None:
    path = make_image("a.png", (400, 200))
    content = thumbnail(path, 100, tmp_path / "cache", ID)
    assert content[:2] == b"\xff\xd8"
    assert size_of(content) == (100, 50)


def test_thumbnail__never_enlarges(make_image, tmp_path: Path) -> None:
    assert size_of(thumbnail(make_image("a.png", (40, 20)), 100, tmp_path / "cache", ID)) == (40, 20)
    assert size_of(thumbnail(make_image("b.png", (1, 1)), 100, tmp_path / "cache", ID)) == (1, 1)


def test_thumbnail__second_call_reads_the_copy(make_image, tmp_path: Path) -> None:
    path = make_image("a.png")
    first = thumbnail(path, 20, tmp_path / "cache", ID)
    (kept,) = (tmp_path / "cache" / "ab").iterdir()
    kept.write_bytes(b"marked")
    assert thumbnail(path, 20, tmp_path / "cache", ID) == b"marked"
    assert first != b"marked"


def test_thumbnail__changed_image_replaces_the_copy(make_image, tmp_path: Path) -> None:
    path = make_image("a.png", seed=1)
    first = thumbnail(path, 20, tmp_path / "cache", ID)
    stat = path.stat()
    make_image("a.png", seed=2)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert thumbnail(path, 20, tmp_path / "cache", ID) != first
    assert len(list((tmp_path / "cache" / "ab").iterdir())) == 1


def test_display_image__beside_the_thumbnail(make_image, tmp_path: Path) -> None:
    path = make_image("a.jpg", (600, 300))
    assert size_of(display_image(path, 500, tmp_path / "cache", ID)) == (500, 250)
    assert size_of(thumbnail(path, 100, tmp_path / "cache", ID)) == (100, 50)
    assert len(list((tmp_path / "cache" / "ab").iterdir())) == 2


def test_broken_image_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"no image")
    with pytest.raises(UnreadableImage):
        thumbnail(path, 20, tmp_path / "cache", ID)
    assert not (tmp_path / "cache").exists()


def test_version_of__missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="no such file"):
        version_of(tmp_path / "none.jpg")
