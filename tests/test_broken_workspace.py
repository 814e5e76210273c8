"""Whatever is broken in a workspace: everything else works, and a person is told what and why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio.cli.commands import collect_status, describe_status
from logicmix_studio.errors import StudioError
from logicmix_studio.store import Decision, Workspace
from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace

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
