import os
import signal
import subprocess
import sys

import pytest

from logicmix_studio.processes import end_group, is_alive, start_time, wait_until_gone


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    yield process
    process.kill()
    process.communicate()


def test_this_process_runs():
    assert start_time() == start_time(os.getpid())
    assert is_alive(os.getpid(), start_time())


def test_a_pid_used_again_is_another_process():
    assert not is_alive(os.getpid(), 1.0)
    assert not is_alive(None, 1.0)
    assert not is_alive(os.getpid(), None)


def test_one_that_ended_and_was_not_reaped_is_gone(child):
    started = start_time(child.pid)
    child.send_signal(signal.SIGKILL)
    assert wait_until_gone(child.pid, started, 20)
    assert start_time(child.pid) is None


def test_a_group_is_ended(child):
    started = start_time(child.pid)
    end_group(child.pid, 1.0, signal.SIGKILL)  # another process of this pid
    assert not wait_until_gone(child.pid, started, 0)
    end_group(child.pid, started, signal.SIGTERM)
    assert wait_until_gone(child.pid, started, 20)
