from __future__ import annotations

import pytest

from logicmix_studio.formats.values import WrongValueError, parse_split, parse_state


@pytest.mark.parametrize("text", ["1", "1.0", "true", "TRUE", "Yes", "positive", " 1 "])
def test_present(text: str) -> None:
    assert parse_state(text) == 1


@pytest.mark.parametrize("text", ["0", "0.0", "false", "No", "Negative", "absent"])
def test_absent(text: str) -> None:
    assert parse_state(text) == -1


@pytest.mark.parametrize("text", ["", "  ", "?", "u", "Uncertain", "unknown", "NaN"])
def test_unknown(text: str) -> None:
    assert parse_state(text) == 0


@pytest.mark.parametrize("text", ["-1", "-1.0", " -1"])
def test_minus_one_is_ambiguous_and_says_what_to_write(text: str) -> None:
    with pytest.raises(WrongValueError, match="may mean absent or uncertain: write 0 for absent"):
        parse_state(text)


@pytest.mark.parametrize("text", ["2", "0.5", "maybe", "11"])
def test_anything_else(text: str) -> None:
    with pytest.raises(WrongValueError, match=f"'{text}' is none of 1"):
        parse_state(text)


def test_splits() -> None:
    assert [parse_split(text) for text in ("train", "VAL", " test ", "")] == ["train", "val", "test", ""]
    with pytest.raises(WrongValueError, match="'holdout' is none of train, val and test"):
        parse_split("holdout")
