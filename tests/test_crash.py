"""The whole chain under kill -9: server, mongod and trainer, as `logicmix-studio launch` starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logicmix_studio.store import Ledger, load_table, locate_workspace, read_journal, server_of
from logicmix_studio.store.fiftyone.attach import identity_of
from logicmix_studio.store.fiftyone.sync_worker import Mirror
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.store.workspace import read_json
from tests.workspaces import make_workspace

PATIENCE = 120.0
LOOK = 0.05


class Launched:
    """`logicmix-studio launch` in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.workspace = locate_workspace(root)
        environ = {
            name: value for name, value in os.environ.items() if not name.startswith("FIFTYONE_DATABASE")
        }
        environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
        command = [
            sys.executable,
            "-m",
            "logicmix_studio",
            "launch",
            str(root),
            "--no-browser",
            "--port",
            "0",
        ]
        self.process = subprocess.Popen(
            command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        wait_for(lambda: self.process.poll() is not None or self._url(), "the server to listen")
        assert self.process.poll() is None, self.process.communicate()[0]

    def _url(self) -> str:
        server = server_of(self.workspace)
        return server.url if server is not None and server.pid == self.process.pid else ""

    def post(self, path: str, content: dict[str, Any]) -> dict[str, Any]:
        server = server_of(self.workspace)
        assert server is not None
        request = urllib.request.Request(
            server.url.rstrip("/") + path,
            data=json.dumps(content).encode(),
            headers={"Content-Type": "application/json", "X-LogicMix-Token": server.token},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))

    def get(self, path: str) -> dict[str, Any]:
        server = server_of(self.workspace)
        assert server is not None
        request = urllib.request.Request(
            server.url.rstrip("/") + path, headers={"X-LogicMix-Token": server.token}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=PATIENCE)


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(LOOK)


@pytest.fixture
def launch(tmp_path) -> Iterator[Callable[[Path], Launched]]:
    started: list[Launched] = []

    def start(root: Path) -> Launched:
        started.append(Launched(root))
        return started[-1]

    yield start
    for server in started:
        server.close()


def answers(root: Path, server: Launched, how_many: int, start: int = 0) -> dict[tuple[str, str], int]:
    """Answer cells one by one; return what was acknowledged."""
    table = load_table(locate_workspace(root).labels_file)
    acknowledged = {}
    for number in range(start, start + how_many):
        image_id = table.image_ids[number % table.num_images]
        name = table.class_names[number // table.num_images % table.num_classes]
        state = 1 if number % 3 else -1
        cells = [[image_id, name, state, "set", None]]
        told = server.post("/api/cells/decide", {"id": uuid.uuid4().hex, "origin": "stream", "cells": cells})
        assert told["seq"]
        acknowledged[image_id, name] = state
    return acknowledged


def assert_all_there(root: Path, acknowledged: dict[tuple[str, str], int]) -> Ledger:
    workspace = locate_workspace(root)
    ledger = Ledger(load_table(workspace.labels_file), read_journal(workspace.journal_file))
    for (image_id, name), state in acknowledged.items():
        assert ledger.states[ledger.position(image_id, name)] == state
    ids = [line.id for line in ledger.lines]
    assert len(ids) == len(set(ids))
    return ledger


def assert_data_set_equals(root: Path, ledger: Ledger) -> None:
    """Read the closed studio's data set back through a mongod of our own."""
    workspace = locate_workspace(root)
    with Mongod(workspace.database, environ={}) as mongod:
        identity = identity_of(workspace)
        mirror = Mirror(mongod.ensure(), identity.id, ledger.table, database=identity.database)
        assert (mirror.read_states() == ledger.states).all()
        mirror.close()


def is_ready(server: Launched) -> bool:
    mirror = server.get("/api/session/pulse")["mirror"]
    assert mirror["state"] != "down" or "does not answer" in mirror["message"], mirror
    return mirror["state"] == "ready"


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_when_server_mongod_and_trainer_are_killed(tmp_path, launch):
    root = make_workspace(tmp_path / "photos", num_images=24, runs=0).root
    workspace = locate_workspace(root)

    server = launch(root)
    acknowledged = answers(root, server, 20)
    server.kill()  # the data set has not even been made: every line is between journal and data set
    assert_all_there(root, acknowledged)

    server = launch(root)
    wait_for(lambda: is_ready(server), "the data set to be written")
    acknowledged |= answers(root, server, 40, start=20)
    server.kill()  # the data set is some lines behind

    server = launch(root)
    mongod_pid = read_json(workspace.database / "studio.json")["pid"]
    acknowledged |= answers(root, server, 10, start=60)
    os.kill(mongod_pid, signal.SIGKILL)
    acknowledged |= answers(root, server, 30, start=70)  # acknowledged while there is no database
    wait_for(
        lambda: read_json(workspace.database / "studio.json")["pid"] != mongod_pid, "mongod to come back"
    )
    wait_for(lambda: is_ready(server), "the data set to catch up")

    run = server.post("/api/train/start", {"recipe": "quick"})["run"]
    state_file = workspace.runs / f"{run:04d}" / "state.json"
    wait_for(lambda: (read_json(state_file) or {}).get("status") == "running", "the trainer to run")
    os.killpg(read_json(state_file)["pid"], signal.SIGKILL)
    acknowledged |= answers(root, server, 10, start=100)
    wait_for(
        lambda: server.get("/api/session/pulse")["running"] == [], "the studio to see that the trainer died"
    )

    server.process.terminate()
    server.process.communicate(timeout=PATIENCE)
    assert server.process.returncode == 0
    mongod_record = workspace.database / "studio.json"
    assert not mongod_record.exists(), "mongod ends with the studio"
    assert_data_set_equals(root, assert_all_there(root, acknowledged))
