import os

import pytest

from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_folder import RunFolder, read_events


@pytest.fixture
def clock():
    return [100.0]


@pytest.fixture
def reporter(tmp_path, clock):
    reporter = Reporter(RunFolder(tmp_path), clock=lambda: clock[0])
    yield reporter
    reporter.close()


def test_progress_is_a_share_of_the_whole_run(tmp_path, reporter, clock):
    reporter.stage("embedding", 0.2, 0.8)
    clock[0] += 10
    reporter.progress(1, 2, "embedding 1 of 2")
    state = RunFolder(tmp_path).state()

    assert (state.status, state.message, state.fraction) == ("running", "embedding 1 of 2", 0.5)
    assert state.pid == os.getpid()


def test_progress_is_written_now_and_then(tmp_path, reporter, clock):
    reporter.stage("embedding", 0.0, 1.0)
    reporter.progress(1, 2)

    assert RunFolder(tmp_path).state().fraction == 0.0
    clock[0] += 1
    reporter.progress(1, 2)
    assert RunFolder(tmp_path).state().fraction == 0.5


def test_the_time_left_follows_from_the_pace(tmp_path, reporter, clock):
    reporter.stage("training", 0.0, 1.0)
    reporter.progress(1, 10)
    clock[0] += 20
    reporter.progress(3, 10)

    # A fifth of the run in 20 s; seven tenths are left.
    assert RunFolder(tmp_path).state().eta_s == pytest.approx(70.0)


def test_a_silent_reporter_writes_nothing(tmp_path):
    reporter = Reporter(RunFolder(tmp_path), is_silent=True)
    reporter.stage("training", 0.0, 1.0)
    reporter.event("step")
    reporter.close()

    assert list(tmp_path.iterdir()) == []


def test_messages_and_the_end(tmp_path, reporter):
    reporter.message("careful", "warning")
    reporter.state("finished", "done")

    assert read_events(RunFolder(tmp_path).events_file)[0][0]["level"] == "warning"
    state = RunFolder(tmp_path).state()
    assert (state.status, state.fraction, state.eta_s) == ("finished", 1.0, None)
