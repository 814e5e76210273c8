import json
from typing import Any

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.store import Settings


def test_settings_are_kept(tmp_path):
    settings = Settings(tmp_path / "settings.json")
    settings.update({"goal": 0.7, "chosen_run": 3})
    settings.update({"chosen_run": None})
    again = Settings(tmp_path / "settings.json")
    assert (again.get("goal"), again.get("chosen_run")) == (0.7, None)
    assert settings.version == 2
    assert json.loads((tmp_path / "settings.json").read_text()) == {"goal": 0.7}


def test_settings_hand_out_copies(tmp_path):
    settings = Settings(tmp_path / "settings.json")
    settings.update({"descriptions": {"dog": "any"}})
    settings.get("descriptions")["dog"] = "none"
    assert settings.get("descriptions") == {"dog": "any"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("goal", "x"),
        ("goal", float("nan")),
        ("goal", True),
        ("goal", 0),
        ("chosen_run", 1.5),
        ("chosen_run", 10**9),
        ("thresholds", {"positive": {"dog": 0.4}}),
        ("thresholds", {"sideways": {}}),
        ("thresholds", [0.5]),
        ("descriptions", {"dog": "x" * 10_001}),
        ("descriptions", {"dog": "\ud800"}),
        ("steps_put_off", ["x"] * 1001),
    ],
)
def test_update__refuses_what_is_no_such_setting(tmp_path, key: str, value: Any):
    settings = Settings(tmp_path / "settings.json")
    with pytest.raises(StudioError, match=f"the setting {key} can't be") as refused:
        settings.update({key: value})
    assert refused.value.hint.startswith("it must be")
    assert settings.version == 0
    assert not (tmp_path / "settings.json").exists()


def test_update__refuses_unknown_settings_and_too_much(tmp_path):
    settings = Settings(tmp_path / "settings.json")
    with pytest.raises(StudioError, match="there is no setting 'colour'"):
        settings.update({"colour": "red"})
    with pytest.raises(StudioError, match=r"the settings would take 17,0\d\d,\d\d\d bytes"):
        settings.update({"descriptions": {str(number): "x" * 10_000 for number in range(1700)}})


def test_file__of_an_earlier_version_keeps_what_it_has(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"keys": {"accept": "a"}, "goal": 0.5}')
    settings = Settings(path)
    settings.update({"goal": 0.6})
    assert settings.warnings == []
    assert json.loads(path.read_text()) == {"keys": {"accept": "a"}, "goal": 0.6}


def test_file__too_large_is_not_read(tmp_path):
    path = tmp_path / "settings.json"
    with path.open("wb") as file:
        file.truncate(50_000_000)
    settings = Settings(path)
    assert settings.warnings == [
        f"the settings can't be read, defaults are used: {path} is larger than 16,000,000 bytes"
    ]
    settings.update({"goal": 0.6})
    assert sorted(one.stat().st_size for one in tmp_path.iterdir()) == [18, 50_000_000]


def test_file__follows_renamed_classes(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"thresholds": {"positive": {"dog": 0.7}}, "descriptions": {"dog": "any"}}')
    settings = Settings(path, {"dog": "hound"})
    assert settings.get("thresholds") == {"positive": {"hound": 0.7}}
    assert settings.get("descriptions") == {"hound": "any"}
