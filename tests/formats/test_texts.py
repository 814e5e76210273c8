from __future__ import annotations

from pathlib import Path

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import parse_classes, read_classes
from logicmix_studio.formats.texts import WrongValueError, parse_split, parse_state
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


@pytest.mark.parametrize("text", ["1", "1.0", "true", "TRUE", "Yes", "positive", " 1 "])
def test_parse_state__present(text: str) -> None:
    assert parse_state(text) == 1


@pytest.mark.parametrize("text", ["0", "0.0", "false", "No", "Negative", "absent"])
def test_parse_state__absent(text: str) -> None:
    assert parse_state(text) == -1


@pytest.mark.parametrize("text", ["", "  ", "?", "u", "Uncertain", "unknown", "NaN"])
def test_parse_state__unknown(text: str) -> None:
    assert parse_state(text) == 0


@pytest.mark.parametrize("text", ["-1", "-1.0", " -1"])
def test_parse_state__minus_one_is_ambiguous_and_says_what_to_write(text: str) -> None:
    with pytest.raises(WrongValueError, match="may mean absent or uncertain: write 0 for absent"):
        parse_state(text)


@pytest.mark.parametrize("text", ["2", "0.5", "maybe", "11"])
def test_parse_state__anything_else(text: str) -> None:
    with pytest.raises(WrongValueError, match=f"'{text}' is none of 1"):
        parse_state(text)


def test_parse_split() -> None:
    assert [parse_split(text) for text in ("train", "VAL", " test ", "")] == ["train", "val", "test", ""]
    with pytest.raises(WrongValueError, match="'holdout' is none of train, val and test"):
        parse_split("holdout")
