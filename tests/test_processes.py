import os
import signal
import subprocess
import sys
from pathlib import Path

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


_GROUP = Path("/proc/self/autogroup")
_NICE = f"""
import os
from logicmix_studio.processes import be_nice
be_nice(19)
print(os.nice(0), open({str(_GROUP)!r}).read().split("nice")[-1])
"""


def _told_by_a_session(program):
    command = [sys.executable, "-c", program]
    return subprocess.run(command, start_new_session=True, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not _GROUP.exists(), reason="needs Linux with groups of sessions")
def test_a_nice_process_gives_way_to_other_sessions_and_leaves_its_own_alone():
    (before,) = _told_by_a_session(f"print(open({str(_GROUP)!r}).read().split('nice')[-1])") or pytest.skip(
        "a new session gets no group of its own here"
    )
    assert _told_by_a_session(_NICE) == ["19", "19"]
    member = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_NICE!r}], check=True)"
    assert _told_by_a_session(member) == ["19", before]


def test_what_outlives_a_long_collection_is_not_walked_through_again():
    program = """
import gc
from logicmix_studio.processes import keep_pauses_short
keep_pauses_short()
at_first = gc.get_freeze_count()
kept = [[number] for number in range(3_000_000)]
gc.collect()
print(at_first > 0, gc.get_freeze_count() - at_first > len(kept) / 2)
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["True", "True"]
