from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from logicmix_studio.runs.compare import RunChange, RunComparison, precision_difference
from logicmix_studio.runs.registry import snapshot_states
from logicmix_studio.studio import Studio
from logicmix_studio.training.figures import match
from logicmix_studio.training.metrics import average_precisions
from logicmix_studio.training.run_folder import RunFolder, RunState
from tests.workspaces import add_run


@pytest.fixture
def two_runs(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio with two finished runs."""
    return open_studio("two", runs=2)


def folder(studio: Studio, run: int) -> RunFolder:
    return RunFolder(studio.jobs.folder(run))


def proposals(studio: Studio, run: int) -> np.ndarray:
    scores = studio.proposed.scores(run)
    assert scores is not None
    return studio.proposed.of(scores)


def test_change__line_in_words() -> None:
    assert RunChange(312, 0, 14, 6, 9, 300, 26, 1).line == ("+312 pseudo-labels in 9 classes, 14 flipped, 6 conflicts")
    assert RunChange(1, 2, 0, 1, 1, 1, 0, 1).line == "+1 pseudo-label in 1 class, 2 withdrawn, 1 conflict"
    assert RunChange(0, 0, 0, 0, 0, 0, 0, None).line == "no new pseudo-label"


def test_change__counts_against_the_run_before(two_runs: Studio) -> None:
    comparison = RunComparison(two_runs.dataset, two_runs.proposed, two_runs.jobs)
    states, is_test = np.asarray(two_runs.states), two_runs.table.is_test
    first, second = proposals(two_runs, 1), proposals(two_runs, 2)
    change = comparison.change(2, 1)
    assert change.new == int(((first == 0) & (second != 0)).sum())
    assert change.flipped == int((first * second == -1).sum())
    assert change.positive + change.negative == int((second != 0).sum())
    assert not ((states != 0) | is_test[:, None])[second != 0].any()
    assert comparison.change(1, None).new == int((first != 0).sum())


def test_settings_that_differ(two_runs: Studio) -> None:
    assert two_runs.runs.compare(1, 2).settings.empty
    config = json.loads(folder(two_runs, 2).config_file.read_text())
    config["settings"]["head"]["epochs"] = 7
    folder(two_runs, 2).config_file.write_text(json.dumps({**config, "init_from": "0001"}))
    assert two_runs.runs.compare(1, 2).settings.to_numpy().tolist() == [
        ["started from", "–", "1"],
        ["Last layer: epochs", "60", "7"],
    ]


def test_precision_by_the_largest_difference() -> None:
    first, second = {"ap": {"dog": 0.5, "cat": 0.5, "cow": None}}, {"ap": {"dog": 0.6, "cat": 0.1}}
    table = precision_difference(("cow", "dog", "cat"), first, second)
    assert table["class"].tolist() == ["cat", "dog", "cow"]
    assert table.iloc[0, 1:].tolist() == pytest.approx([0.5, 0.1, -0.4])
    assert np.isnan(table.iloc[2, 1:].to_numpy(dtype=float)).all()


def many(open_studio: Callable[..., Studio], **options: Any) -> Studio:
    return open_studio("many", runs=2, num_images=400, known_proportion=0.8, **options)


def test_both_runs_are_measured_on_the_same_held_out_cells(open_studio: Callable[..., Studio]) -> None:
    studio = many(open_studio)
    # The first run had trained on some cells that the second holds out: they do not count.
    heldout_file = folder(studio, 1).heldout_file
    fewer = np.load(heldout_file)
    fewer[::2] = False
    np.save(heldout_file, fewer)
    states = np.where(fewer & ~studio.table.is_test[:, None], studio.table.states, 0).astype(np.int8)
    logits = [folder(studio, run).logits().astype(np.float32) for run in (1, 2)]
    compared = studio.runs.compare(1, 2)
    found = compared.matches[-1]
    assert found == match(logits[1], logits[0], states)
    assert studio.runs.compare(2, 1).matches[-1] == match(logits[0], logits[1], states)
    words = f"run 2 can't be told from run 1 on {found.num_cells:,} shared held-out cells ("
    assert words in compared.words
    assert f" of {found.num_images:,} images, {found.num_positive:,} positive" in compared.words


def test_images_of_split_test_come_first(open_studio: Callable[..., Studio]) -> None:
    studio = many(open_studio)
    is_test = studio.table.is_test
    assert is_test.any()
    states = np.where(is_test[:, None], studio.table.states, 0).astype(np.int8)
    logits = [folder(studio, run).logits().astype(np.float32) for run in (1, 2)]
    found = studio.runs.compare(1, 2)
    assert [one.place for one in found.matches] == ["test", "held-out"]
    assert found.matches[0] == match(logits[1], logits[0], states, "test")
    assert found.map == (found.matches[0].other_map, found.matches[0].map)
    assert found.words.index("shared test cells") < found.words.index("shared held-out cells")
    table = found.precision.set_index("class")
    measured = average_precisions(logits[0], states)
    assert table.loc[list(studio.class_names), "first"].to_numpy() == pytest.approx(measured, nan_ok=True)


def test_few_shared_positives_make_no_figure(two_runs: Studio) -> None:
    compared = two_runs.runs.compare(1, 2)
    assert compared.map == (None, None)
    assert "run 2 can't be told from run 1: " in compared.words
    assert "more known positives are needed among the shared held-out cells" in compared.words
    assert compared.precision["difference"].isna().all()


def test_pseudo_labels(two_runs: Studio) -> None:
    comparison = two_runs.runs.compare(1, 2)
    assert comparison.pseudo_labels is not None
    one, other = proposals(two_runs, 1), proposals(two_runs, 2)
    assert comparison.pseudo_labels.drop(columns="class").sum().to_dict() == {
        "same": int(((one != 0) & (one == other)).sum()),
        "only_first": int(((one != 0) & (other == 0)).sum()),
        "only_second": int(((one == 0) & (other != 0)).sum()),
        "opposite": int((one * other == -1).sum()),
    }
    is_opposite = [example.is_opposite for example in comparison.examples]
    assert is_opposite
    assert is_opposite == sorted(is_opposite, reverse=True)


def test_with_an_unfinished_run(studio: Studio) -> None:
    made = add_run(studio.workspace, studio.table, np.asarray(studio.states), run=2)
    made.result_file.unlink()
    made.write_state(RunState("paused", "epoch 3 of 60", 0.4))
    comparison = studio.runs.compare(1, 2)
    assert comparison.pseudo_labels is None
    assert comparison.examples == ()
    assert comparison.map[1] is None
    assert comparison.matches == ()


def test_states_of_a_snapshot_follow_a_class_that_was_renamed(studio: Studio) -> None:
    before = snapshot_states(studio.jobs.folder(1), studio.dataset)
    studio.rename_class("star", "<b>stern</b>")
    np.testing.assert_array_equal(snapshot_states(studio.jobs.folder(1), studio.dataset), before)
    assert "<b>stern</b>" in studio.runs.precision(1)["class"].tolist()
