from __future__ import annotations

from pathlib import Path

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import parse_classes, read_classes
from logicmix_studio.labels import LabelProblems


def test_parse_classes__names_and_file(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes("\ufeffcat\r\n\r\n sea, lion \r\n🐟\r\n".encode())
    assert parse_classes("cat, dog,") == ("cat", "dog")
    assert parse_classes(str(file)) == ("cat", "sea, lion", "🐟")


@pytest.mark.parametrize(
    ("text", "message"),
    [(" , ", "is empty"), ("a,b,a", "'a' is given twice"), ("names.txt", "there is no file names.txt")],
)
def test_parse_classes__wrong(text: str, message: str) -> None:
    with pytest.raises(StudioError, match=message):
        parse_classes(text)


def test_read_classes__repeated_or_none(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("cat\ndog\ncat\n")
    with pytest.raises(LabelProblems, match=r"names.txt:3: the class 'cat' stands there twice \(first: line 1\)"):
        read_classes(file)
    file.write_text("\n")
    with pytest.raises(StudioError, match="holds no class name"):
        read_classes(file)
