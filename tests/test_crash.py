"""The whole chain under kill -9: server, mongod and trainer, as `logicmix-studio launch` starts them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from logicmix_studio.files import read_json
from logicmix_studio.store import Ledger, load_table, locate_workspace, read_journal
from logicmix_studio.store.fiftyone.attach import identity_of
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.store.fiftyone.sync_state import SyncStates
from logicmix_studio.store.fiftyone.sync_worker import connect
from tests.launched import LaunchedStudio, action_id, wait_until
from tests.store.stored_states import stored_states
from tests.workspaces import make_workspace

PATIENCE = 180.0


@pytest.fixture
def launch() -> Iterator[Callable[[Path], LaunchedStudio]]:
    started: list[LaunchedStudio] = []

    def start(root: Path) -> LaunchedStudio:
        started.append(LaunchedStudio.launch(root))
        return started[-1].start()

    yield start
    for studio in started:
        studio.stop()


def answers(root: Path, studio: LaunchedStudio, how_many: int, start: int = 0) -> dict[tuple[str, str], int]:
    """Answer cells one by one; return what was acknowledged."""
    table = load_table(locate_workspace(root).labels_file)
    acknowledged = {}
    for number in range(start, start + how_many):
        image_id = table.image_ids[number % table.num_images]
        name = table.class_names[number // table.num_images % table.num_classes]
        state = 1 if number % 3 else -1
        told = studio.ask(
            "decide", cells=[[image_id, name, state, "set", None]], origin="stream", action_id=action_id()
        )
        assert told["line"]
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
    identity = identity_of(workspace)
    with Mongod(workspace.database, environ={}) as mongod, connect(mongod.ensure()) as client:
        stored = stored_states(client[identity.database], identity.id, ledger.table)
    assert (stored == ledger.states).all()


def has_caught_up(root: Path) -> bool:
    """Return whether the data set of a studio that runs holds every line of the journal."""
    workspace = locate_workspace(root)
    record = read_json(workspace.database / "studio.json")
    lines = sum(1 for _ in read_journal(workspace.journal_file))
    identity = identity_of(workspace)
    with connect(f"mongodb://127.0.0.1:{record['port']}") as client:
        state = SyncStates(client[identity.database], identity.id).load()
    return state is not None and state.applied_seq == lines


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost_when_server_mongod_and_trainer_are_killed(tmp_path, launch):
    root = make_workspace(tmp_path / "photos", num_images=24, runs=0).root
    workspace = locate_workspace(root)
    record_file = workspace.database / "studio.json"

    studio = launch(root)
    acknowledged = answers(root, studio, 20)
    studio.kill()  # the data set has not even been made: every line is between journal and data set
    assert_all_there(root, acknowledged)

    studio = launch(root)
    wait_until(lambda: has_caught_up(root), PATIENCE, "the data set was not written")
    acknowledged |= answers(root, studio, 40, start=20)
    studio.kill()  # the data set is some lines behind

    studio = launch(root)
    mongod_pid = read_json(record_file)["pid"]
    acknowledged |= answers(root, studio, 10, start=60)
    os.kill(mongod_pid, signal.SIGKILL)
    acknowledged |= answers(root, studio, 30, start=70)  # acknowledged while there is no database
    wait_until(lambda: read_json(record_file)["pid"] != mongod_pid, PATIENCE, "mongod did not come back")
    wait_until(lambda: has_caught_up(root), PATIENCE, "the data set did not catch up")

    run = studio.ask("train", recipe="quick")
    state_file = workspace.runs / f"{run:04d}" / "state.json"
    is_running = lambda: (read_json(state_file) or {}).get("status") == "running"  # noqa: E731
    wait_until(is_running, PATIENCE, "the trainer did not run")
    os.killpg(read_json(state_file)["pid"], signal.SIGKILL)
    acknowledged |= answers(root, studio, 10, start=100)
    has_died = lambda: studio.ask("runs")[0]["status"] == "died"  # noqa: E731
    wait_until(has_died, PATIENCE, "the studio did not see that the trainer died")

    with httpx.stream("GET", f"{studio.url}/gradio_api/heartbeat/page") as alive:  # as an open page has it
        next(alive.iter_raw())
        assert studio.stop() == 0
    assert "Traceback" not in studio.printed()
    assert not record_file.exists(), "mongod ends with the studio"
    assert_data_set_equals(root, assert_all_there(root, acknowledged))
