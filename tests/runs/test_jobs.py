import os
import signal

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable, image_id
from logicmix_studio.runs import Jobs, RunInfo
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import RunFolder


def wait_for_word(jobs, run):
    """Wait until the trainer says that it works."""
    jobs.wait(run, timeout_s=0)
    seen = {}

    class SeenError(Exception):
        pass

    def watch(info):
        if info.status == "running":
            seen["info"] = info
            raise SeenError

    with pytest.raises(SeenError):
        jobs.wait(run, watch, timeout_s=60)
    return seen["info"]


def test_create_writes_configuration_and_snapshot(tmp_path):
    jobs = Jobs(tmp_path / "runs")
    table = LabelTable(
        (image_id("a.png"), image_id("b.png")), ("a.png", "b.png"), ("cat",), np.zeros((2, 1), np.int8), ("train", "")
    )
    states = np.array([[1], [-1]], np.int8)
    run = jobs.create(RunConfig.create("quick"), root=tmp_path, table=table, states=states)
    folder = RunFolder(jobs.folder(run))

    assert run == 1
    assert folder.config().class_names == ("cat",)
    assert folder.config().root == str(tmp_path)
    np.testing.assert_array_equal(folder.snapshot().states, states)
    assert [(info.run, info.status, info.recipe) for info in jobs.list()] == [(1, "queued", "quick")]


def test_create_refuses_a_run_to_start_from_that_is_not_there(tmp_path):
    table = LabelTable((image_id("a"),), ("a",), ("cat",), np.ones((1, 1), np.int8), ("",))

    with pytest.raises(StudioError, match="there is no run 0009 to start from"):
        Jobs(tmp_path / "runs").create(
            RunConfig.create("quick", init_from=9), root=tmp_path, table=table, states=table.states
        )


def test_a_run_that_finishes(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs, "finish")
    jobs.start(run)
    info = jobs.wait(run, timeout_s=60)

    assert (info.status, info.message, info.map) == ("finished", "done", 0.5)
    assert not info.is_active
    assert "a last word" in (jobs.folder(run) / "log.txt").read_text()
    with pytest.raises(StudioError, match="has finished"):
        jobs.resume(run)


def test_a_trainer_that_is_gone_without_a_word_has_died(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs, "crash")
    jobs.start(run)
    info = jobs.wait(run, timeout_s=60)

    assert info.status == "died"
    assert info.message == "the trainer ended without a word: a last word"
    assert info.is_resumable


def test_kill_9_is_seen_and_the_run_can_be_started_again(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    jobs.start(run)
    os.kill(wait_for_word(jobs, run).pid, signal.SIGKILL)

    assert jobs.wait(run, timeout_s=60).status == "died"
    (jobs.folder(run) / "behaviour").write_text("finish")
    jobs.resume(run)
    assert jobs.wait(run, timeout_s=60).status == "finished"


def test_a_run_that_is_being_resumed_has_not_died(fake_jobs, new_run, monkeypatch):
    jobs, other_server = fake_jobs(), fake_jobs()
    run = new_run(jobs, "crash")
    jobs.start(run)
    assert jobs.wait(run, timeout_s=60).status == "died"
    seen, spawn = [], jobs._spawn

    def look_and_spawn(folder):
        seen.append(other_server.info(run).status)
        return spawn(folder)

    monkeypatch.setattr(jobs, "_spawn", look_and_spawn)
    (jobs.folder(run) / "behaviour").write_text("finish")
    jobs.resume(run)

    assert seen == ["queued"]
    assert jobs.wait(run, timeout_s=60).status == "finished"


def test_cancel_lets_the_trainer_leave(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    jobs.start(run)
    wait_for_word(jobs, run)
    jobs.cancel(run)
    info = jobs.wait(run, timeout_s=60)

    assert (info.status, info.message) == ("cancelled", "on request")


def test_cancel_kills_a_trainer_that_does_not_listen(fake_jobs, new_run):
    jobs = fake_jobs(grace_s=0.1)
    run = new_run(jobs, "deaf")
    jobs.start(run)
    wait_for_word(jobs, run)
    jobs.cancel(run)
    jobs.wait(run, timeout_s=60)

    assert jobs.info(run).status in ("cancelled", "died")
    assert jobs.info(run).pid is None


def test_cancel_of_a_run_that_was_never_started(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    jobs.cancel(run)

    assert jobs.info(run).status == "cancelled"


def test_pause_and_resume(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    jobs.start(run)
    wait_for_word(jobs, run)
    jobs.pause(run)
    assert jobs.wait(run, timeout_s=60).status == "paused"

    jobs.resume(run)
    assert wait_for_word(jobs, run).status == "running"
    assert not (jobs.folder(run) / "control.json").exists()
    with pytest.raises(StudioError, match="is being trained already"):
        jobs.start(run)


def test_a_restarted_server_finds_the_trainer_at_work(fake_jobs, new_run):
    before, after = fake_jobs(), fake_jobs()
    run = new_run(before)
    before.start(run)
    pid = wait_for_word(before, run).pid

    assert [(info.run, info.pid) for info in after.list() if info.is_active] == [(run, pid)]
    with pytest.raises(StudioError, match="is being trained already"):
        after.start(run)
    after.cancel(run)
    assert after.wait(run, timeout_s=60).status == "cancelled"
    before.wait(run, timeout_s=60)


def test_a_pid_used_again_is_not_the_trainer(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    folder = RunFolder(jobs.folder(run))
    folder.state_file.write_text(f'{{"status": "running", "pid": {os.getpid()}, "process_started": 1.0}}')

    assert jobs.info(run).status == "died"


def test_delete_frees_bytes_and_its_number_is_not_given_again(fake_jobs, new_run):
    jobs = fake_jobs()
    first, second = new_run(jobs), new_run(jobs)
    size = jobs.size(second)

    assert jobs.delete(second) == size > 0
    assert [info.run for info in jobs.list()] == [first]
    assert new_run(jobs) == 3
    with pytest.raises(StudioError, match="there is no run 2"):
        jobs.info(second)


def test_a_run_at_work_is_not_deleted(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    jobs.start(run)
    wait_for_word(jobs, run)

    with pytest.raises(StudioError, match="is being trained"):
        jobs.delete(run)
    with pytest.raises(StudioError, match="not being trained"):
        jobs.pause(new_run(jobs))


def test_annotate_keeps_what_is_not_given(fake_jobs, new_run):
    jobs = fake_jobs()
    run = new_run(jobs)
    jobs.annotate(run, name="first try", star=True)
    info = jobs.annotate(run, note="too few dogs")

    assert (info.name, info.note, info.star) == ("first try", "too few dogs", True)
    assert isinstance(info, RunInfo)


def test_a_folder_without_runs(tmp_path):
    jobs = Jobs(tmp_path / "nothing")

    assert jobs.list() == []
    with pytest.raises(StudioError, match="there is no run 1"):
        jobs.info(1)
