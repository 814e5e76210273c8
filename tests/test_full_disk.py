"""A full disk: every refusal in one clear line, nothing half done, pictures all the same; and as before with space again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import full_disk

ATTEMPTS = {"decide", "settings", "train", "export", "back up", "add a class"}


def test_a_full_disk_loses_nothing_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    private = [shutil.which("unshare") or "unshare", "-rm"]  # mounts of its own, gone with the process
    if subprocess.run([*private, "true"], check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs mount namespaces (Linux: unshare -rm)")
    environ = {**os.environ, "PYTHONPATH": str(Path(full_disk.__file__).parents[1])}
    command = [*private, sys.executable, "-m", "tests.full_disk", str(tmp_path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environ)
    told = json.loads(done.stdout.splitlines()[-1])
    for name in ATTEMPTS:
        what, hint = told["full"].pop(name).splitlines()
        assert "No space left on device" in what
        assert "space" in hint
    nothing = {"journal": 0, "classes": 6, "runs": ["0001"], "left": ["filler", "photos"], "pictures": [200, 200]}
    assert told["full"] == nothing
    done_later = {"journal": 2, "classes": 7, "runs": ["finished", "paused"]}
    assert told["again"] == dict.fromkeys(ATTEMPTS, "done") | done_later
