from __future__ import annotations

from pathlib import Path

import pytest

from logicmix_studio.formats.request import ImageNames, UnknownImageError

PATHS = ["a/one.jpg", "b/one.jpg", "b/two.png", "deep/er/three.jpg", "four.v2.jpg"]


@pytest.fixture
def names(tmp_path: Path) -> ImageNames:
    return ImageNames(tmp_path, PATHS)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("a/one.jpg", "a/one.jpg"),
        ("./a//one.jpg", "a/one.jpg"),
        ("a\\one.jpg", "a/one.jpg"),
        ("a/one", "a/one.jpg"),
        ("two.png", "b/two.png"),
        ("two", "b/two.png"),
        ("er/three.jpg", "deep/er/three.jpg"),
        ("er/three", "deep/er/three.jpg"),
        ("CheXpert/a/one.jpg", "a/one.jpg"),
        ("elsewhere/two.png", "b/two.png"),
        ("four.v2", "four.v2.jpg"),
    ],
)
def test_find(names: ImageNames, name: str, path: str) -> None:
    assert names.find(name) == path


def test_find__absolute_path_below_the_folder(names: ImageNames, tmp_path: Path) -> None:
    assert names.find(str(tmp_path / "b" / "one.jpg")) == "b/one.jpg"


def test_find__ambiguous(names: ImageNames) -> None:
    with pytest.raises(UnknownImageError, match=r"any of 2 images \(a/one.jpg, b/one.jpg\): give its folder"):
        names.find("one.jpg")


@pytest.mark.parametrize("name", ["five.jpg", "wo.png", "one.png"])
def test_find__missing(names: ImageNames, name: str) -> None:
    with pytest.raises(UnknownImageError, match=f"there is no image '{name}'"):
        names.find(name)


@pytest.mark.parametrize("name", ["../two.png", "a/../../two.png", "/etc/two.png", "C:/two.png"])
def test_find__outside(names: ImageNames, name: str) -> None:
    with pytest.raises(UnknownImageError, match="folder"):
        names.find(name)


def test_find__nothing(names: ImageNames) -> None:
    with pytest.raises(UnknownImageError, match="no name"):
        names.find(" ")
