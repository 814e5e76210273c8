import json

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.registry import UNSCORED, RunRegistry, load_run_scores
from logicmix_studio.store import Settings, load_table
from tests.workspaces import add_run, make_workspace

OLD = LabelTable.build(["a.jpg", "b.jpg"], ("dog", "cat"), np.zeros((2, 2), np.int8), ["", ""])
SCORES = np.array([[0.125, 0.25], [0.5, 0.75]], dtype=np.float16)


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path / "photos", num_images=12, runs=1, trial=True)


@pytest.fixture
def registry(workspace):
    return RunRegistry(Jobs(workspace.runs), Settings(workspace.settings_file), load_table(workspace.labels_file))


def add_finished(workspace, run: int, comparison: dict[str, object] | None = None) -> None:
    table = load_table(workspace.labels_file)
    folder = add_run(workspace, table, load_table(workspace.complete_file).states, run=run)
    result = json.loads(folder.result_file.read_text())
    folder.result_file.write_text(json.dumps({**result, "comparison": comparison}))


def test_without_runs_there_is_no_choice(tmp_path):
    empty = make_workspace(tmp_path / "photos", num_images=3, runs=0)
    registry = RunRegistry(Jobs(empty.runs), Settings(empty.settings_file), load_table(empty.labels_file))
    assert registry.choice() == (None, "no run has finished yet")
    assert registry.numbers() == []


def test_the_only_run_is_the_latest(registry):
    assert registry.choice()[0] == 1
    assert registry.numbers() == [1]
    assert registry.scores(1).run == 1


def test_a_new_run_is_seen_at_the_next_look(registry, workspace):
    version = registry.version
    assert not registry.refresh()
    add_finished(workspace, 2)
    assert registry.choice()[0] == 1
    assert registry.refresh()
    assert registry.version > version
    assert registry.choice()[0] == 2
    assert registry.numbers() == [1, 2]


def test_a_broken_run_has_no_facts_but_is_not_gone(registry, workspace):
    add_finished(workspace, 2)
    registry.refresh()
    assert registry.facts()[2]["recipe"] == "fast"
    (workspace.runs / "0002" / "logits.npy").unlink()
    registry.refresh()
    assert registry.facts()[2] == {}
    assert registry.facts()[1]["recipe"] == "fast"


def test_the_better_of_two_makes_the_pseudo_labels_and_it_is_said_why(registry, workspace):
    add_finished(workspace, 2, {"better": 1, "why": "mAP 0.7 against 0.6"})
    registry.refresh()
    assert registry.choice() == (1, "run 1 is better than the latest: mAP 0.7 against 0.6")


def unclear(run: int, standing: int, taken: int) -> dict[str, object]:
    why = f"run {run} can't be told from run {standing} on 482 shared held-out cells (+0.012, −0.020 to +0.041): …"
    return {"verdict": "unclear", "best_run": standing, "better": taken, "why": why}


def test_where_it_cannot_be_told_the_earlier_run_stays_and_it_is_said_why(registry, workspace):
    add_finished(workspace, 2, unclear(2, 1, 1))
    add_finished(workspace, 3, told := unclear(3, 1, 1))
    registry.refresh()
    assert registry.choice() == (1, told["why"])
    registry.choose(3)
    assert registry.choice() == (3, "run 3 was chosen by a person")


def test_a_run_that_knows_more_is_taken_and_it_is_said_why(registry, workspace):
    add_finished(workspace, 2, told := unclear(2, 1, 2))
    registry.refresh()
    assert registry.choice() == (2, told["why"])


def test_a_run_stands_alone_when_the_one_it_was_compared_with_is_gone(registry, workspace):
    add_finished(workspace, 2, unclear(2, 1, 1))
    add_finished(workspace, 3, unclear(3, 2, 3))
    registry.refresh()
    assert registry.choice(without=1) == (
        3,
        "run 3 can't be told from run 2 on 482 shared held-out cells (+0.012, −0.020 to +0.041): …",
    )
    assert registry.choice(without=2) == (3, "run 3 is the latest")


def test_a_persons_choice_wins_until_it_is_taken_back(registry, workspace):
    add_finished(workspace, 2)
    registry.refresh()
    registry.choose(1)
    assert registry.choice() == (1, "run 1 was chosen by a person")
    registry.choose(None)
    assert registry.choice()[0] == 2


def test_without_a_run_the_choice_is_made_among_the_others(registry, workspace):
    add_finished(workspace, 2, {"better": 1, "why": "mAP 0.7 against 0.6"})
    add_finished(workspace, 3)
    registry.refresh()
    assert [registry.choice(without=run)[0] for run in (None, 1, 2, 3)] == [3, 3, 3, 1]


def test_a_better_run_that_is_gone_is_not_chosen(registry, workspace):
    add_finished(workspace, 2, {"better": 7, "why": "it was"})
    registry.refresh()
    assert registry.choice()[0] == 2


def test_an_unfinished_run_cannot_be_chosen(registry):
    with pytest.raises(StudioError, match="run 5 has left no scores"):
        registry.choose(5)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "scores.npy", SCORES)
    np.save(tmp_path / "heldout.npy", np.array([[True, False], [False, True]]))
    names = {"image_ids": np.array(OLD.image_ids), "class_names": np.array(OLD.class_names)}
    np.savez(tmp_path / "snapshot.npz", states=OLD.states, splits=np.array(OLD.splits), **names)
    (tmp_path / "result.json").write_text(json.dumps({"map": 0.5}))
    return tmp_path


def test_same_images_and_classes_pass_through(folder):
    loaded = load_run_scores(folder, 3, OLD)
    np.testing.assert_allclose(loaded.scores, SCORES, atol=1e-3)
    assert loaded.result == {"map": 0.5}
    assert loaded.is_scored.all()


def test_new_images_and_classes_claim_nothing(folder):
    today = LabelTable.build(
        ["new.jpg", "b.jpg", "a.jpg"], ("leash", "cat", "dog"), np.zeros((3, 3), np.int8), ["", "", ""]
    )
    loaded = load_run_scores(folder, 3, today)
    expected = [[UNSCORED] * 3, [UNSCORED, 0.75, 0.5], [UNSCORED, 0.25, 0.125]]
    np.testing.assert_allclose(loaded.scores, expected, atol=1e-3)
    assert loaded.heldout.tolist() == [[False] * 3, [False, True, False], [False, False, True]]
    assert not loaded.is_scored[0, 1]
    assert not loaded.is_scored[1, 0]
    assert loaded.is_scored[1, 1]


def test_images_and_classes_that_are_gone_are_left_out(folder):
    today = LabelTable.build(["b.jpg"], ("cat",), np.zeros((1, 1), np.int8), [""])
    assert load_run_scores(folder, 3, today).scores.tolist() == [[pytest.approx(0.75, abs=1e-3)]]


def test_calibration_is_applied(folder):
    line = {"slope": 2.0, "intercept": 0.0}
    (folder / "calibration.json").write_text(json.dumps({"positive": line, "negative": line}))
    raised = load_run_scores(folder, 3, OLD).scores[1, 1]
    assert raised == pytest.approx(0.9, abs=1e-3)


def test_scores_of_another_shape_are_refused(folder):
    np.save(folder / "scores.npy", SCORES[:1])
    with pytest.raises(StudioError, match=r"have the shape \(1, 2\), its snapshot \(2, 2\)"):
        load_run_scores(folder, 3, OLD)


def test_missing_scores_are_said(tmp_path):
    with pytest.raises(StudioError, match="run 3 left no usable scores"):
        load_run_scores(tmp_path, 3, OLD)
