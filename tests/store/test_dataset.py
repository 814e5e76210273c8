import json

from logicmix_studio.store import Settings


def test_settings_are_kept(tmp_path):
    settings = Settings(tmp_path / "settings.json")
    settings.update({"keys": {"accept": "a"}, "chosen_run": 3})
    settings.update({"chosen_run": None})
    again = Settings(tmp_path / "settings.json")
    assert (again.get("keys"), again.get("chosen_run")) == ({"accept": "a"}, None)
    assert settings.version == 2
    assert json.loads((tmp_path / "settings.json").read_text()) == {"keys": {"accept": "a"}}


def test_settings_hand_out_copies(tmp_path):
    settings = Settings(tmp_path / "settings.json")
    settings.update({"keys": {"accept": "a"}})
    settings.get("keys")["accept"] = "b"
    assert settings.get("keys") == {"accept": "a"}
