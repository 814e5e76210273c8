import json

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.importing import load_complete
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.registry import RunRegistry
from logicmix_studio.store import Settings, load_table
from tests.workspaces import add_run, make_workspace


@pytest.fixture
def workspace(tmp_path):
    return make_workspace(tmp_path / "photos", num_images=12, runs=1, trial=True)


@pytest.fixture
def board(workspace):
    return RunRegistry(
        Jobs(workspace.runs), Settings(workspace.settings_file), load_table(workspace.labels_file)
    )


def add_finished(workspace, run: int, comparison: dict[str, object] | None = None) -> None:
    table = load_table(workspace.labels_file)
    complete = load_complete(workspace, table)
    folder = add_run(workspace, table, complete.states, run=run)
    result = json.loads(folder.result_file.read_text())
    folder.result_file.write_text(json.dumps({**result, "comparison": comparison}))


def test_without_runs_there_is_no_choice(tmp_path):
    place = make_workspace(tmp_path / "photos", num_images=3, runs=0)
    board = RunRegistry(Jobs(place.runs), Settings(place.settings_file), load_table(place.labels_file))
    assert board.choice() == (None, "no run has finished yet")
    assert board.current is None
    assert board.previous is None


def test_the_only_run_is_the_latest(board):
    assert board.choice()[0] == 1
    assert board.current.run == 1
    assert board.previous is None


def test_a_new_run_is_seen_at_the_next_look(board, workspace):
    version = board.version
    assert not board.refresh()
    add_finished(workspace, 2)
    assert board.choice()[0] == 1
    assert board.refresh()
    assert board.version > version
    assert (board.current.run, board.previous.run) == (2, 1)


def test_the_better_of_two_makes_the_pseudo_labels_and_it_is_said_why(board, workspace):
    add_finished(workspace, 2, {"better": 1, "why": "mAP 0.7 against 0.6"})
    board.refresh()
    assert board.choice() == (1, "run 1 is better than the latest: mAP 0.7 against 0.6")


def test_a_persons_choice_wins_until_it_is_taken_back(board, workspace):
    add_finished(workspace, 2)
    board.refresh()
    board.choose(1)
    assert board.choice() == (1, "run 1 was chosen by a person")
    board.choose(None)
    assert board.choice()[0] == 2


def test_a_better_run_that_is_gone_is_not_chosen(board, workspace):
    add_finished(workspace, 2, {"better": 7, "why": "it was"})
    board.refresh()
    assert board.choice()[0] == 2


def test_an_unfinished_run_cannot_be_chosen(board):
    with pytest.raises(StudioError, match="run 5 has left no scores"):
        board.choose(5)
