"""The whole way with real processes; few tests, since each process imports torch."""

import os
import signal

import pytest
import torch
from safetensors.torch import load_file

from logicmix_studio.runs import Jobs
from logicmix_studio.training.checkpoint import load_checkpoint
from logicmix_studio.training.run_folder import RunFolder, read_events
from tests.tiny_runs import TINY_FULL

pytestmark = pytest.mark.slow

EPOCHS = 12
"""An epoch takes a few tenths of a second: enough of them to be killed between the first and the last."""
FULL = {**TINY_FULL, "schedule.epochs": EPOCHS, "compute.checkpoint_seconds": 0, "warm.should_train_head_first": False}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("MKL_NUM_THREADS", "1")


def time_on_the_device(folder):
    """Return when a run began and when it last said something while it held the device."""
    events = [event for event in read_events(folder / "events.jsonl")[0] if event["event"] != "end"]
    begun = next(place for place, event in enumerate(events) if event["event"] == "start")
    return events[begun]["time"], events[-1]["time"]


def test_kill_9_in_mid_epoch_then_resume_ends_with_the_same_weights(real_jobs, new_run):
    whole, broken = (new_run(real_jobs, recipe="2wayaug-pl", overrides=FULL) for _ in range(2))
    real_jobs.start(whole)
    real_jobs.start(broken)  # whichever comes second waits for the device

    def kill(info):
        checkpoint = RunFolder(info.folder).checkpoint_file
        if info.pid and checkpoint.exists() and load_checkpoint(checkpoint).position.epoch > 0:
            os.kill(info.pid, signal.SIGKILL)

    died = real_jobs.wait(broken, kill, timeout_s=200)
    assert died.status == "died"
    assert real_jobs.wait(whole, timeout_s=200).status == "finished"
    first, second = sorted(time_on_the_device(real_jobs.folder(run)) for run in (whole, broken))
    assert first[1] <= second[0]
    checkpoint = load_checkpoint(RunFolder(died.folder).checkpoint_file)
    assert 0 < checkpoint.position.epoch < EPOCHS

    server_after_restart = Jobs(real_jobs.runs_dir, locks_dir=real_jobs.locks_dir)
    server_after_restart.resume(broken)
    assert server_after_restart.wait(broken, timeout_s=200).status == "finished"

    first, second = (load_file(real_jobs.folder(run) / "model.safetensors") for run in (whole, broken))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_sigterm_cancels_with_a_checkpoint_and_resume_finishes(real_jobs, new_run):
    run = new_run(real_jobs, recipe="2wayaug-pl", overrides={**FULL, "schedule.epochs": 200})
    real_jobs.start(run)
    asked = []

    def cancel(info):
        events, _ = read_events(info.folder / "events.jsonl")
        if not asked and any(event["event"] == "step" for event in events):
            asked.append(info)
            real_jobs.cancel(run)

    info = real_jobs.wait(run, cancel, timeout_s=200)

    assert (info.status, info.message) == ("cancelled", "cancelled on request")
    assert load_checkpoint(RunFolder(info.folder).checkpoint_file).position.epoch < 200
    assert read_events(info.folder / "events.jsonl")[0][-1]["event"] == "end"


def test_a_failure_is_told_in_words(real_jobs, new_run, tmp_path):
    run = new_run(real_jobs)
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    real_jobs.start(run)
    info = real_jobs.wait(run, timeout_s=200)

    assert info.status == "failed"
    assert "images' folder" in info.message
