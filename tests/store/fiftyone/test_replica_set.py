"""A replica set as the database: its primary is killed, and the data set has every decision all the same."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pymongo
import pytest

from logicmix_studio.store.fiftyone.attach import identity_of
from logicmix_studio.store.fiftyone.mongod import URI_VARIABLE, accepts, find_mongod
from logicmix_studio.store.fiftyone.own_service import database_of
from logicmix_studio.store.fiftyone.stored import differences
from logicmix_studio.store.fiftyone.sync_worker import connect
from logicmix_studio.studio import Studio
from logicmix_studio.verify import verify
from tests.ports import reserved_port
from tests.workspaces import make_workspace

pytestmark = pytest.mark.slow
DEADLINE_S = 120.0
NAME = "rs0"
SMALL = ("--wiredTigerCacheSizeGB", "0.25", "--oplogSize", "16", "--nounixsocket", "--quiet")
QUICK = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}


def until(found: Callable[[], object]) -> None:
    """Wait until something is found."""
    deadline = time.monotonic() + DEADLINE_S
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def members(tmp_path: Path) -> Iterator[dict[int, subprocess.Popen[bytes]]]:
    """Three members of a replica set on this machine, by their ports; killed at the end."""
    started: dict[int, subprocess.Popen[bytes]] = {}
    places = [reserved_port() for _ in range(3)]
    try:
        for place in places:
            port, folder = place.getsockname()[1], tmp_path / f"member-{place.getsockname()[1]}"
            folder.mkdir()
            command = [str(find_mongod()), "--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1"]
            with (folder / "log").open("wb") as log:
                started[port] = subprocess.Popen([*command, "--replSet", NAME, *SMALL], stdout=log, stderr=log)
        until(lambda: all(accepts(port, 1.0) for port in started))
        hosts = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(started)]
        wanted = {"_id": NAME, "members": hosts, "settings": QUICK}
        with pymongo.MongoClient(hosts[0]["host"], directConnection=True) as client:
            client.admin.command("replSetInitiate", wanted)
        yield started
    finally:
        for process in started.values():
            process.kill()
            process.wait()
        for place in places:
            place.close()


def test_a_killed_primary_costs_no_decision(members, tmp_path, monkeypatch):
    uri = f"mongodb://{','.join(f'127.0.0.1:{port}' for port in members)}/?replicaSet={NAME}"
    monkeypatch.setenv(URI_VARIABLE, uri)
    workspace = make_workspace(tmp_path / "photos", num_images=12)
    with pymongo.MongoClient(uri) as watching, Studio(workspace, who="ada") as studio:
        until(lambda: watching.primary)
        sync = studio.follow()
        until(lambda: sync.status.state == "ready")
        unknown = [
            (studio.image_ids[row], studio.class_names[column]) for row, column in np.argwhere(studio.states == 0)
        ]
        for cell in unknown[:10]:
            studio.decide(*cell, 1)
        host, port = watching.primary
        members[port].kill()
        for cell in unknown[10:20]:
            studio.decide(*cell, -1)
        until(lambda: watching.primary not in (None, (host, port)))
        for cell in unknown[20:30]:
            studio.decide(*cell, 1)
        assert sync.wait_until_written(DEADLINE_S)
        with connect(database_of(workspace).ensure()) as client:
            identity = identity_of(workspace)
            assert differences(client[identity.database], identity.id, studio.ledger) == []
        until(lambda: sync.status.state == "ready")
    assert not workspace.database.exists()  # it is nobody's but theirs
    assert {check.verdict for check in verify(workspace)} == {"good"}
