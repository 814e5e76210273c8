"""Whatever is broken in a workspace: everything else works, and a person is told what and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio.cli.commands import collect_status, describe_status
from logicmix_studio.errors import StudioError
from logicmix_studio.review.audit import Scope
from logicmix_studio.store import Decision, Workspace, load_table, write_json
from logicmix_studio.studio import Studio
from logicmix_studio.training.calibrate import fit_calibration
from logicmix_studio.training.outcome import Outcome, compare_with_earlier
from logicmix_studio.training.run_folder import EventWriter, RunFolder
from tests.workspaces import add_run, make_workspace

SERVICES = ("review", "audits", "bulk", "overview", "images", "labelling", "blends", "runs")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "photos", num_images=24, runs=2)


def use_everything(studio: Studio) -> None:
    """Make every service and ask each for what its tab shows first."""
    assert all(getattr(studio, name) for name in SERVICES)
    studio.overview.speed()
    studio.overview.rounds()
    studio.overview.next_steps()
    studio.overview.curve()
    studio.review.history()
    studio.review.piles()
    studio.audits.table()
    studio.labelling.next(who="ann")
    studio.runs.table()
    studio.runs.readiness()
    studio.runs.preview()
    studio.runs.forecast("quick")
    studio.proposed.previous  # noqa: B018
    for info in studio.jobs.list():
        studio.runs.report(info.run)
        studio.runs.facts(info.run)
        studio.runs.deletion(info.run)


# journal ---------------------------------------------------------------------

BAD_LINES = {
    "a run that int16 can't hold": {"run": 100_000},
    "an audit that is no number": {"extra": {"audit": "x", "said": 1}},
    "a state that is none": {"state": 999},
    "an unsure run that int16 can't hold": {"unsure_run": 100_000},
    "no kind": {"kind": None},
    "a time that is none": {"time": "now"},
}


def old_line(studio: Studio, seq: int, *, state: int = 1, unsure_run: int = -1, **changes: object) -> str:
    """Return a journal line as earlier versions wrote it, without a checksum."""
    cell = [studio.image_ids[0], studio.class_names[0], "set", None, [0, 0, -1], [state, 2, unsure_run]]
    line = {"seq": seq, "id": f"old-{seq}", "kind": "decide", "time": "2026-01-01T00:00:00+00:00", "who": "ann"}
    return json.dumps({**line, "origin": "audit", "cells": [cell], "note": "", "extra": {}, **changes}) + "\n"


@pytest.mark.parametrize("bad", BAD_LINES.values(), ids=BAD_LINES)
def test_journal__a_line_that_no_version_should_have_written_is_set_aside(
    workspace: Workspace, bad: dict[str, object]
) -> None:
    with Studio(workspace, who="ann") as studio:
        lines = [old_line(studio, 1), old_line(studio, 2, **bad), old_line(studio, 3, kind="undo", of=2)]  # type: ignore[arg-type]
    workspace.journal_file.write_text("".join(lines))
    with Studio(workspace, who="ann") as studio:
        use_everything(studio)
        assert [line.seq for line in studio.ledger.lines] == [1, 3]
        assert studio.warnings[0].startswith(f"{workspace.journal_file}:2: a line of the journal is set aside: ")
        assert studio.warnings[1:] == ["action 3 is the undo of action 2, which is lost"]
        assert studio.decide(studio.image_ids[1], studio.class_names[1], 1).line.seq == 4
    assert workspace.journal_file.read_text().startswith("".join(lines))
    told = describe_status(collect_status(workspace.root, None))
    assert f"! {workspace.journal_file}:2: a line of the journal is set aside" in told


def test_journal__many_broken_lines_are_told_shortly(workspace: Workspace) -> None:
    workspace.journal_file.write_bytes(b"\0\n" * 100)
    with Studio(workspace, who="ann") as studio:
        assert len(studio.warnings) == 21
        assert studio.warnings[-1] == "and 80 more of this kind"


def test_journal__what_is_refused_leaves_no_trace(workspace: Workspace) -> None:
    with Studio(workspace, who="ann") as studio:
        before = studio.states.copy()
        note = studio.ledger.note("a first line", who="ann", origin="python").line
        assert note is not None
        cell = Decision(studio.image_ids[0], studio.class_names[0], 1)
        for wrong in ({"run": 100_000}, {"extra": {"audit": "x"}}, {"note": "\ud800"}):
            with pytest.raises(StudioError, match="the decision was not saved"):
                studio.ledger.decide([cell], who="ann", origin="python", **wrong)  # type: ignore[arg-type]
        np.testing.assert_array_equal(studio.states, before)
        assert studio.ledger.lines == [note]
    assert Studio(workspace, read_only=True).ledger.lines == [note]


# settings --------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"goal": "x", "thresholds": {"positive": {"circle": 0.7}}}',
        '{"thresholds": {"positive": {"circle": 7}}}',
        '{"thresholds": [], "descriptions": 3, "steps_put_off": "x", "chosen_run": "two", "colour": "red"}',
        '{"goal": NaN}',
        "[]",
        '{"goal": 0.5',
        "",
        '{"descriptions": {"circle": "' + "x" * 20_000 + '"}}',
    ],
)
def test_settings__a_broken_file_takes_no_screen_away_and_is_kept(workspace: Workspace, text: str) -> None:
    workspace.settings_file.write_text(text)
    told = collect_status(workspace.root, None)["warnings"]
    assert told
    assert all(str(workspace.settings_file) in warning for warning in told)
    with Studio(workspace, who="ann") as studio:
        use_everything(studio)
        assert studio.warnings == told
        assert workspace.settings_file.read_text() == text
        studio.overview.set_goal(0.7)
    (kept,) = workspace.folder.glob("settings-broken-*.json")
    assert kept.read_text() == text
    with Studio(workspace, who="ann") as studio:
        assert studio.warnings == []
        assert studio.overview.speed().goal == 0.7


# audits ----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "[]", "{", '{"plan": []}', '{"plan": {"draws": 3}, "number": 1}', "MOVED"])
def test_audits__one_that_cannot_be_read_is_left_out_and_told(workspace: Workspace, text: str) -> None:
    with Studio(workspace, who="ann") as studio:
        scope = Scope(sign=1, threshold=0.5)
        kept = studio.audits.start([scope], who="ann", count=2, seed=1)
        lost = studio.audits.start([scope], who="ann", count=2, seed=2)
    file = workspace.audits / f"{lost.number:04d}.json"
    file.write_text(text.replace("MOVED", (workspace.audits / f"{kept.number:04d}.json").read_text()))
    with Studio(workspace, who="ann") as studio:
        use_everything(studio)
        assert studio.audits.table()["audit"].tolist() == [kept.number]
        (told,) = studio.warnings
        assert told.startswith(f"an audit is left out: {file}:")
        assert studio.audits.start([scope], who="ann", count=2).number == lost.number + 1


# runs ------------------------------------------------------------------------

FILES = (
    "config.json",
    "state.json",
    "result.json",
    "calibration.json",
    "logits.npy",
    "heldout.npy",
    "snapshot.npz",
    "features.npy",
    "meta.json",
    "launch.json",
    "control.json",
    "events.jsonl",
    "log.txt",
)
SOFT = {"features.npy", "meta.json", "launch.json", "control.json", "events.jsonl", "log.txt"}
"""Files without which a run's pseudo-labels are still right."""


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def a_byte_changed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def of_another_kind(path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, np.zeros((3, 2, 1), np.int64))
    elif path.suffix == ".npz":
        np.savez(path, states=np.zeros((3, 2), np.int8))
    else:
        path.write_text("[1, 2]\n")


def of_other_values(path: Path) -> None:
    if path.suffix == ".npy":
        np.save(path, np.load(path)[:-1])
    elif path.suffix == ".npz":
        with np.load(path) as arrays:
            parts = dict(arrays)
        np.savez(path, **{**parts, "states": parts["states"][:-1]})
    else:
        names = json.loads(path.read_text()) if path.suffix == ".json" else ("event", "step", "epoch", "loss_original")
        path.write_text(json.dumps({name: {"x": ["y"]} for name in names}) + "\n")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = (missing, empty, truncated, a_byte_changed, of_another_kind, of_other_values, a_folder)


def finish_files(folder: RunFolder) -> None:
    """Write what the trainer and the studio write beside what `add_run` lays down."""
    line = {"slope": 1.0, "intercept": 0.0}
    write_json(folder.calibration_file, {"positive": line, "negative": line})
    write_json(folder.meta_file, {"name": "the best", "note": "", "star": True})
    write_json(folder.control_file, {"want": None})
    write_json(folder.path / "launch.json", {"pid": 1, "process_started": 2.0})
    folder.log_file.write_text("epoch 1\n")
    events = EventWriter(folder.events_file, clock=lambda: 1.0)
    events.write("epoch", epoch=1, loss=0.5, map=0.4)
    events.write("step", step=2, loss_original=0.5)
    events.close()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES, ids=[one.__name__ for one in DAMAGES])
def test_run__one_broken_file_is_one_broken_run(
    workspace: Workspace, file: str, damage: Callable[[Path], None]
) -> None:
    folder = RunFolder(workspace.runs / "0002")
    finish_files(folder)
    write_json(folder.result_file, {**(folder.result() or {}), "comparison": None, "epochs": 3})
    damage(folder.path / file)
    with Studio(workspace, who="ann") as studio:
        use_everything(studio)
        info = studio.jobs.info(2)
        if file not in SOFT and (damage, Path(file).suffix) != (a_byte_changed, ".npy"):  # no checksum stands there
            assert info.status == "broken"
            assert info.message
            assert studio.registry.choice() == (1, "run 1 is the latest")
            assert studio.runs.table()["state"].tolist() == ["broken", "finished"]
            assert studio.runs.table()["changed"][0] == info.message
            with pytest.raises(StudioError, match="has left no scores"):
                studio.registry.choose(2)
            with pytest.raises(StudioError, match="run 2 is broken"):
                studio.jobs.resume(2)
            assert f"run 2 (): broken: {info.message.rstrip('.')}" in describe_status(
                collect_status(workspace.root, None)
            )
        assert studio.proposals()
        assert studio.runs.delete(2) > 0
        assert studio.registry.numbers() == [1]


def test_run__is_whole_again_when_its_file_is(workspace: Workspace) -> None:
    logits = RunFolder(workspace.runs / "0002").logits_file
    data = logits.read_bytes()
    truncated(logits)
    with Studio(workspace, who="ann") as studio:
        assert studio.registry.choice()[0] == 1
        logits.write_bytes(data)
        studio.registry.refresh()
        assert studio.registry.choice()[0] == 2


def test_run__without_any_that_is_whole_there_are_no_pseudo_labels(workspace: Workspace) -> None:
    for run in ("0001", "0002"):
        (workspace.runs / run / "heldout.npy").unlink()
    with Studio(workspace, who="ann") as studio:
        use_everything(studio)
        assert studio.registry.choice() == (None, "no run has finished yet")
        assert not studio.proposals()


def test_run__a_new_one_is_compared_with_the_whole_ones(workspace: Workspace) -> None:
    folder = RunFolder(workspace.runs / "0002")
    a_byte_changed(folder.snapshot_file)
    empty(workspace.runs / "0001" / "result.json")
    table = load_table(workspace.labels_file)
    newer = add_run(workspace, table, table.states, run=3)
    nothing = np.zeros(table.states.shape)
    fitted = fit_calibration(nothing.astype(np.float32), table.states)
    outcome = Outcome(nothing.astype(np.float32), nothing.astype(np.float16), nothing > 0, table.states, fitted, {})
    assert compare_with_earlier(newer, newer.snapshot(), outcome) is None
