import json

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.registry import RunRegistry
from logicmix_studio.store import Settings, load_table
from tests.workspaces import add_run, make_workspace


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


def test_the_better_of_two_makes_the_pseudo_labels_and_it_is_said_why(registry, workspace):
    add_finished(workspace, 2, {"better": 1, "why": "mAP 0.7 against 0.6"})
    registry.refresh()
    assert registry.choice() == (1, "run 1 is better than the latest: mAP 0.7 against 0.6")


def test_a_persons_choice_wins_until_it_is_taken_back(registry, workspace):
    add_finished(workspace, 2)
    registry.refresh()
    registry.choose(1)
    assert registry.choice() == (1, "run 1 was chosen by a person")
    registry.choose(None)
    assert registry.choice()[0] == 2


def test_a_better_run_that_is_gone_is_not_chosen(registry, workspace):
    add_finished(workspace, 2, {"better": 7, "why": "it was"})
    registry.refresh()
    assert registry.choice()[0] == 2


def test_an_unfinished_run_cannot_be_chosen(registry):
    with pytest.raises(StudioError, match="run 5 has left no scores"):
        registry.choose(5)
