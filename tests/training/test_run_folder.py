import json
import subprocess
import sys

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.training.run_folder import (
    EventWriter,
    RunFolder,
    RunState,
    Snapshot,
    read_events,
)


def test_read_events_goes_on_where_it_left(tmp_path):
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path, clock=lambda: 5.0)
    writer.write("start", recipe="quick")
    first, offset = read_events(path)
    writer.write("end", status="finished")
    second, end = read_events(path, offset)
    writer.close()

    assert first == [{"event": "start", "time": 5.0, "recipe": "quick"}]
    assert [event["event"] for event in second] == ["end"]
    assert read_events(path, end) == ([], end)


def test_read_events_waits_for_a_whole_line(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "start"}\n{"event": "st')

    events, offset = read_events(path)
    with path.open("a") as file:
        file.write('ep"}\n')

    assert [event["event"] for event in events] == ["start"]
    assert [event["event"] for event in read_events(path, offset)[0]] == ["step"]


def test_a_half_line_of_a_killed_process_costs_only_itself(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": "start"}\n{"event": "st')

    writer = EventWriter(path)
    writer.write("step", loss=float("nan"), ap={"a": np.float32(0.5)})
    writer.close()

    events, _ = read_events(path)
    assert [event["event"] for event in events] == ["start", "step"]
    assert events[1]["loss"] is None
    assert events[1]["ap"] == {"a": 0.5}


def test_read_events_of_a_missing_file(tmp_path):
    assert read_events(tmp_path / "events.jsonl") == ([], 0)


def test_state_comes_back(tmp_path):
    folder = RunFolder(tmp_path)

    assert folder.state() == RunState()
    folder.write_state(RunState("running", "training", 0.25, 3.0, 12, 34.5))
    state = folder.state()

    assert (state.status, state.message, state.fraction, state.pid) == ("running", "training", 0.25, 12)
    assert state.updated > 0


def test_wanted(tmp_path):
    folder = RunFolder(tmp_path)

    assert folder.wanted() is None
    folder.ask("pause")
    assert folder.wanted() == "pause"
    folder.control_file.write_text('{"want": "dance"}')
    assert folder.wanted() is None
    folder.ask(None)
    assert not folder.control_file.exists()


def test_snapshot_comes_back(tmp_path, snapshot):
    snapshot.save(tmp_path / "snapshot.npz")
    loaded = Snapshot.load(tmp_path / "snapshot.npz")

    np.testing.assert_array_equal(loaded.states, snapshot.states)
    np.testing.assert_array_equal(loaded.paths, snapshot.paths)
    assert loaded.states.dtype == np.int8


def test_snapshot_refuses_arrays_that_do_not_fit(snapshot):
    with pytest.raises(StudioError, match="states are 40 x 3, but there are 40 image ids, 39 paths"):
        Snapshot(snapshot.states, snapshot.image_ids, snapshot.paths[1:], snapshot.class_names, snapshot.splits)


def test_snapshot_refuses_pickled_arrays(tmp_path):
    np.savez(tmp_path / "snapshot.npz", states=np.array([{}], dtype=object))

    with pytest.raises(StudioError, match="is no snapshot"):
        Snapshot.load(tmp_path / "snapshot.npz")


def test_a_broken_state_file_is_told(tmp_path):
    folder = RunFolder(tmp_path)
    folder.state_file.write_text("{")

    with pytest.raises(StudioError, match="not valid JSON"):
        folder.state()


def test_the_public_face_imports_no_torch():
    code = (
        "import sys, logicmix_studio.training, logicmix_studio.runs;"
        "print([name for name in ('torch', 'fiftyone', 'gradio') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout.replace("'", '"')) == []
