"""A disk that vanishes under an open studio: what needs it is refused in clear lines, and all goes on when it is back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.mongod import Mongod
from tests import vanished_disk

ATTEMPTS = ("decide", "settings", "add a class", "train")
NO_PICTURES = ["404 there is no such file"] * 2


def without(tmp_path: Path, gone: str) -> dict[str, Any]:
    """Return what is told once the disk of the images is taken away, or that of the workspace with them."""
    private = [shutil.which("unshare") or "unshare", "-rm"]  # mounts of its own, gone with the process
    if subprocess.run([*private, "true"], check=False, capture_output=True).returncode:
        pytest.skip("a disk to take away needs mount namespaces (Linux: unshare -rm)")
    environ = {**os.environ, "PYTHONPATH": str(Path(vanished_disk.__file__).parents[1])}
    command = [*private, sys.executable, "-m", "tests.vanished_disk", str(tmp_path), gone]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["back"] == dict.fromkeys(ATTEMPTS, "done") | {"pictures": ["200", "200"]}
    assert told["verify"] == dict.fromkeys(("journal", "arrays", "runs", "images", "data set"), "good")
    assert told["kept"]
    gone_then: dict[str, Any] = told["gone"]
    assert gone_then.pop("left") == []  # nothing is written where the disk was
    assert gone_then.pop("runs") == ["0001"]
    assert gone_then.pop("pictures") == NO_PICTURES
    what, hint = gone_then.pop("train").splitlines()
    assert "none of the 24 images is there" in what
    assert "mount" in hint
    return gone_then


def test_without_the_images_answers_go_on(tmp_path: Path) -> None:
    told = without(tmp_path, "images")
    assert "there is no image" in told.pop("import again")
    assert told == {"decide": "done", "settings": "done", "add a class": "done", "lines": 2}


def test_without_the_workspace_nothing_is_acknowledged(tmp_path: Path) -> None:
    told = without(tmp_path, "workspace")
    assert told.pop("lines") == 0
    what, hint = told.pop("decide").splitlines()
    assert what.endswith("journal.jsonl: the decision was not saved: No such file or directory")
    assert "mount its disk again" in hint
    assert told.keys() == {"settings", "add a class", "import again"}
    for refused in told.values():
        assert "workspace.json is missing" in refused or "settings.json: No such file or directory" in refused


def test_a_database_is_not_made_where_its_disk_was(tmp_path: Path) -> None:
    database = Mongod(tmp_path / "photos" / ".logicmix" / "db", environ={})
    with pytest.raises(StudioError, match="cannot write"):
        database.ensure()
    assert list(tmp_path.iterdir()) == []
