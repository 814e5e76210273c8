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


def test_a_silent_reporter_writes_nothing(tmp_path, capsys):
    reporter = Reporter(RunFolder(tmp_path), is_silent=True)
    reporter.stage("training", 0.0, 1.0)
    reporter.event("step")
    reporter.message("careful", "warning")
    reporter.end("finished", "done")

    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_messages_and_the_end(tmp_path, reporter):
    reporter.message("careful", "warning")
    reporter.state("finished", "done")

    assert read_events(RunFolder(tmp_path).events_file)[0][0]["level"] == "warning"
    state = RunFolder(tmp_path).state()
    assert (state.status, state.fraction, state.eta_s) == ("finished", 1.0, None)


def test_the_log_holds_stages_warnings_and_epochs(tmp_path, reporter, capsys):
    reporter.stage("embedding the images", 0.0, 1.0)
    reporter.message("3 of 40 images are left out", "warning")
    reporter.event("epoch", epoch=1, epochs=6, loss_original=0.25, map=float("nan"))
    reporter.event("step", step=1)
    reporter.end("finished", "done")

    lines = [line.partition(" ")[2] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "embedding the images",
        "warning: 3 of 40 images are left out",
        "epoch 1 of 6: loss 0.25",
        "done",
    ]


def test_warnings_stay_with_the_run_when_it_goes_on(tmp_path, reporter):
    reporter.message("careful", "warning")
    reporter.end("paused", "on request")
    again = Reporter(RunFolder(tmp_path))
    again.message("careful", "warning")
    again.message("slower", "warning")
    again.end("finished", "done")

    assert RunFolder(tmp_path).state().warnings == ("careful", "slower")
