import dataclasses
import signal

import pytest

from logicmix_studio.files import take_lock
from logicmix_studio.training.__main__ import main
from logicmix_studio.training.figures import figure_words
from logicmix_studio.training.run_folder import RunState, read_events
from logicmix_studio.training.runner import run_here


@pytest.fixture(autouse=True)
def own_process(monkeypatch, tmp_path):
    monkeypatch.setenv("LOGICMIX_LOCKS", str(tmp_path / "locks"))
    for name in ("prepare_process", "keep_memory", "os.nice"):  # which would change the tests' own process
        monkeypatch.setattr(f"logicmix_studio.training.__main__.{name}", lambda *_: 0)
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def test_a_quick_round_end_to_end(make_run):
    folder = make_run()

    assert run_here(folder) == 0
    state = folder.state()
    assert (state.status, state.fraction) == ("finished", 1.0)
    assert state.message == f"finished, {figure_words(folder.result())}"
    assert state.message.endswith("more known positives are needed among the held-out cells")
    events = [event["event"] for event in read_events(folder.events_file)[0]]
    assert events[0] == "stage"
    assert "start" in events
    assert events[-1] == "end"


def test_a_request_leaves_as_asked_and_is_forgotten_next_time(make_run):
    folder = make_run()
    folder.ask("pause")

    assert run_here(folder) == 0
    assert folder.state().status == "paused"
    assert run_here(folder) == 0
    assert folder.state().status == "finished"


def test_a_mistake_is_told_without_traceback(make_run, capsys):
    folder = make_run(overrides={"compute.device": "cuda:99"})

    assert run_here(folder) == 1
    assert folder.state().status == "failed"
    assert "no device" in folder.state().message or "GPUs" in folder.state().message
    assert "Traceback" not in capsys.readouterr().err


def test_a_defect_is_logged_and_told(make_run, monkeypatch, capsys):
    def broken(*_):
        raise ZeroDivisionError("nobody thought of this")

    monkeypatch.setattr("logicmix_studio.training.runner.run_quick", broken)
    folder = make_run()

    assert run_here(folder) == 1
    assert folder.state().message == "ZeroDivisionError: nobody thought of this"
    assert "Traceback" in capsys.readouterr().err


def test_other_classes_in_the_snapshot_are_refused(make_run, snapshot):
    folder = make_run()
    dataclasses.replace(snapshot, class_names=snapshot.class_names[::-1]).save(folder.snapshot_file)

    assert run_here(folder) == 1
    assert "name different classes" in folder.state().message


def test_a_run_by_itself_keeps_its_cache_in_its_folder(make_run, tmp_path):
    folder = make_run()
    alone = type(folder)(folder.path.rename(tmp_path / "carried"))
    alone.write_state(RunState())

    assert run_here(alone) == 0
    assert (alone.path / "cache" / "features").is_dir()


def test_a_quick_run_leaves_the_other_devices_alone(make_run):
    folder = make_run(overrides={"compute.devices": 3})

    assert main([str(folder.path)]) == 0
    said = [event["text"] for event in read_events(folder.events_file)[0] if event["event"] == "message"]
    assert "a fast run works on one device, not on the 3 that were asked for" in said


def test_more_devices_than_gpus_are_refused_before_anything_starts(make_run, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("os.execv", lambda *_: pytest.fail("nothing may start"))
    folder = make_run("2wayaug-pl", overrides={"compute.device": "auto", "compute.devices": 4})

    assert main([str(folder.path)]) == 1
    assert folder.state().status == "failed"
    assert "asks for 4 GPUs, this machine has 2" in folder.state().message


def test_a_second_process_leaves_a_run_to_the_first(make_run, capsys):
    folder = make_run()
    first = take_lock(folder.lock_file)
    before = folder.state()

    assert main([str(folder.path)]) == 1
    assert capsys.readouterr().out == f"another process works on run {folder.number}\n"
    assert folder.state() == before
    first.release()
    assert main([str(folder.path)]) == 0
