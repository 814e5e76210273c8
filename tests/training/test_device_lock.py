import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from logicmix_studio.training.device_lock import DeviceLock, locks_folder

HOLDER = """
import sys, time
from pathlib import Path
from logicmix_studio.training.device_lock import DeviceLock
lock = DeviceLock("cuda:0", Path(sys.argv[1]))
print(lock.acquire("run 7"), flush=True)
time.sleep(60)
"""


def test_one_holder_at_a_time(tmp_path):
    first, second, other = (DeviceLock(name, tmp_path) for name in ("cpu", "cpu", "cuda:1"))

    with first:
        assert first.acquire("run 1")
        assert first.acquire("run 1")
        assert not second.acquire("run 2")
        assert second.holder() == "run 1"
        assert other.acquire("run 3")
    other.release()
    assert second.acquire("run 2")
    assert second.is_held
    second.release()
    assert not second.is_held


def test_kill_9_frees_the_lock(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().strip() == "True"
    lock = DeviceLock("cuda:0", tmp_path)
    assert not lock.acquire("run 8")
    assert lock.holder() == "run 7"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    assert lock.acquire("run 8")
    lock.release()


def test_the_folder_can_be_named():
    assert locks_folder({"LOGICMIX_LOCKS": "/some/where"}) == Path("/some/where")
    assert locks_folder({}).name == f"logicmix-studio-locks-{os.getuid()}"


def test_waiting_is_told_and_can_be_cancelled(tmp_path, make_run, run_context, monkeypatch):
    import torch

    from logicmix_studio.training.control import Stopped
    from logicmix_studio.training.device import wait_for_device
    from logicmix_studio.training.distributed import ProcessGroup

    monkeypatch.setenv("LOGICMIX_LOCKS", str(tmp_path / "locks"))
    folder = make_run()
    context = run_context(folder)
    with DeviceLock("cpu") as held:
        assert held.acquire("run 3 in elsewhere")
        looks = iter([None, "cancel"])
        monkeypatch.setattr(context.control, "want", lambda: next(looks))
        monkeypatch.setattr(time, "sleep", lambda seconds: None)
        with pytest.raises(Stopped):
            wait_for_device(torch.device("cpu"), "run 1", context.reporter, context.control, ProcessGroup())

    assert folder.state().status == "queued"
    assert folder.state().message == "waiting for run 3 in elsewhere to leave cpu"
