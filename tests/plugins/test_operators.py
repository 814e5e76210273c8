"""The plugin's operators in a real FiftyOne, without a browser: first with no server, then with a real one."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from logicmix_studio.environment import prepare_environment
from logicmix_studio.runs import Jobs
from logicmix_studio.store import load_table, read_journal, save_table
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.training.config import RECIPES
from tests.workspaces import make_workspace

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SESSION = Path(__file__).with_name("operators_session.py")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    root = tmp_path_factory.mktemp("photos") / "pets"
    names = ["a.jpg", "b.jpg", "c.jpg"]
    workspace = make_workspace(root, num_images=3, class_names=["dog", "cat"], paths=names, runs=0)
    states = np.array([[0, 0], [0, 0], [0, -1]], dtype=np.int8)
    table = replace(load_table(workspace.labels_file), states=states)
    save_table(workspace.labels_file, table)
    with Mongod(workspace.database, environ={}) as mongod:
        worker = attach(workspace, table, mongod)
        worker.start()
        proposals = np.array([[1, -1], [1, 1], [-1, 0]], dtype=np.int8)
        scores = np.array([[0.96, 0.01], [0.97, 0.98], [0.01, 0.5]])
        worker.write_proposals(3, proposals, scores)
        assert worker.close(20)
        environ = {**os.environ, "PYTHONPATH": os.getcwd()}
        prepare_environment(environ, database_uri=mongod.ensure())
        command = [sys.executable, str(SESSION), mongod.ensure(), str(root)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    jobs = Jobs(workspace.runs)
    for info in jobs.list():
        jobs.cancel(info.run)
        jobs.wait(info.run, timeout_s=60)
    lines = list(read_journal(workspace.journal_file))
    return SimpleNamespace(**answer, ids=table.image_ids, lines=lines, runs=jobs.list())


def test_the_plugin_is_found_by_its_folder(session):
    names = ("accept_pseudo_labels", "logicmix_status", "reject_pseudo_labels", "train", "unknown_of_class")
    assert session.operators == [f"@logicmix/studio/{name}" for name in names]


def test_accept_takes_the_selected_images_and_the_class(session):
    a, b, c = session.ids
    assert session.before == {a: ["cat", "dog"], b: ["cat", "dog"], c: ["dog"]}
    assert session.accepted["cells"] == 2
    assert session.after_accept == {a: ["cat"], b: ["cat"], c: ["dog"]}
    assert (session.known[a]["dog"], session.known[b]["dog"]) == ("positive", "positive")


def test_without_a_selection_nothing_is_answered(session):
    assert "Select some images first" in session.nothing


def test_reject_sets_the_opposite_from_a_confidence_on(session):
    a, b, c = session.ids
    assert session.rejected["cells"] == 2
    assert session.after_reject == {a: [], b: ["cat"], c: []}
    assert (session.known[a]["cat"], session.known[c]["dog"]) == ("positive", "positive")


def test_answers_stand_in_the_journal_as_one_action_each(session):
    facts = [(line.origin, line.run, len(line.cells)) for line in session.lines]
    assert facts == [("fiftyone", 3, 2), ("fiftyone", 3, 2), ("fiftyone", 3, 1)]
    accepted = session.lines[0].cells
    assert [(cell.class_name, cell.answer, cell.after.state) for cell in accepted] == [("dog", "accept", 1)] * 2
    assert sorted(cell.score for cell in accepted) == [0.96, 0.97]
    assert {cell.score for cell in session.lines[1].cells} == {0.01}


def test_unknown_of_class_shows_a_view(session):
    assert session.unknown["images"] == 1
    assert any("set_view" in uri for uri in session.unknown_requests)
    assert "class_name" in session.missing_class


def test_the_panel_counts(session):
    assert "5 of 6 cells known" in session.panel
    assert "run 3" in session.panel


def test_recipes_have_the_names_of_the_page(session):
    assert session.recipes == [recipe.title for recipe in RECIPES.values()]


def test_a_running_server_is_asked_instead(session):
    assert session.through_server["cells"] == 1
    (cell,) = session.lines[2].cells
    assert (cell.image_id, cell.class_name, cell.answer, cell.score) == (
        session.ids[1],
        "cat",
        "accept",
        0.98,
    )
    assert session.trained["run"] == 1
    assert [info.recipe for info in session.runs] == ["quick"]


def test_a_wrong_form_is_refused(session):
    assert "min_confidence" in session.refusal
