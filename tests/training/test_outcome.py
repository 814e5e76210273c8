import dataclasses

import numpy as np
import pytest

from logicmix_studio.files import read_json, write_json
from logicmix_studio.labels import image_id
from logicmix_studio.training.calibrate import fit_calibration
from logicmix_studio.training.heldout import choose_heldout
from logicmix_studio.training.outcome import Outcome, standing_run, write_outcome
from logicmix_studio.training.run_folder import RunFolder, Snapshot

SHARE = 0.15


def make_snapshot(num_images=600, classes=("a", "b", "c"), splits=("train",), known=1.0, seed=0):
    generator = np.random.default_rng(seed)
    states = np.where(generator.random((num_images, 4)) < 0.4, 1, -1)[:, : len(classes)]
    states[generator.random(states.shape) >= known] = 0
    paths = [f"{number:04d}.jpg" for number in range(num_images)]
    return Snapshot(
        states.astype(np.int8),
        np.array([image_id(path) for path in paths]),
        np.array(paths),
        np.array(classes),
        np.array([splits[number % len(splits)] for number in range(num_images)]),
    )


@pytest.fixture
def finish(make_run):
    """Write a run whose logits follow the truth with some noise, and return its result."""

    def write(number=1, of=None, noise=1.0, seed=1):
        snapshot = of or make_snapshot()
        folder = make_run(number=number, of=snapshot)
        truth = make_snapshot(len(snapshot.states), snapshot.class_names.tolist()).states
        drawn = np.random.default_rng(seed).normal(0, noise, (len(truth), 4))[:, : truth.shape[1]]
        heldout = choose_heldout(snapshot, SHARE)
        checked = np.where(heldout, snapshot.states, 0).astype(np.int8)
        logits = (truth + drawn).astype(np.float32)
        fitted = fit_calibration(logits, checked)
        features = np.zeros((len(truth), 2), np.float16)
        write_outcome(folder, snapshot, Outcome(logits, features, heldout, checked, fitted, {"epochs": 3}))
        return folder.result()

    return write


def test_a_result_names_the_cells_it_was_measured_on(finish):
    snapshot = make_snapshot()
    result, heldout = finish(of=snapshot), choose_heldout(snapshot, SHARE)

    assert result["map_low"] < result["map"] < result["map_high"]
    assert result["num_cells"] == heldout.sum()
    assert result["num_positive"] == (snapshot.states[heldout] > 0).sum()
    assert (result["num_measured_classes"], result["num_without_positive"], result["missing_positives"]) == (3, 0, 0)
    assert (result["num_images"], result["epochs"]) == (600, 3)
    assert result["num_measured_images"] == heldout.any(axis=1).sum()
    assert result["map"] == pytest.approx(np.mean(list(result["ap"].values())), abs=1e-6)
    assert "test" not in result


def test_few_positives_make_no_figure(finish):
    snapshot = make_snapshot(60)
    few = snapshot.states.copy()
    few[choose_heldout(snapshot, SHARE)] = -1
    result = finish(of=dataclasses.replace(snapshot, states=few))

    assert (result["map"], result["map_low"], result["missing_positives"]) == (None, None, 10)
    assert set(result["ap"].values()) == {None}


def test_images_of_split_test_measure_and_never_choose(finish):
    snapshot = make_snapshot(splits=("train", "train", "test"))
    first = finish(1, of=snapshot)
    flipped = np.where((snapshot.splits == "test")[:, None], -snapshot.states, snapshot.states).astype(np.int8)
    second = finish(2, of=dataclasses.replace(snapshot, states=flipped))

    is_test = snapshot.splits == "test"
    assert (first["test"]["num_cells"], first["test"]["num_measured_images"]) == (3 * is_test.sum(), is_test.sum())
    assert first["test"]["place"] == "test"
    assert {"map", "ap", "ece", "map_low", "num_positive"} <= first["test"].keys()
    assert second["test"]["map"] < first["test"]["map"]
    assert {**first, "test": None, "comparison": None} == {**second, "test": None, "comparison": None}
    assert second["comparison"]["difference"] == 0.0


def test_a_better_run_is_taken_and_a_worse_one_is_not(finish):
    assert finish(1, noise=2.0)["comparison"] is None
    better = finish(2, noise=0.5)["comparison"]
    assert (better["verdict"], better["better"], better["best_run"]) == ("better", 2, 1)
    assert better["why"].startswith(f"run 2 is better than run 1 on {better['num_cells']} shared held-out cells (+")
    worse = finish(3, noise=2.0)["comparison"]
    assert (worse["verdict"], worse["better"], worse["best_run"]) == ("worse", 2, 2)
    assert worse["why"].endswith("): run 2 stays")


def test_where_it_cannot_be_told_the_earlier_run_stays_also_for_the_ones_after(finish):
    finish(1)
    for number in (2, 3):
        told = finish(number)["comparison"]
        assert (told["verdict"], told["better"], told["best_run"]) == ("unclear", 1, 1)
        assert told["why"].startswith(f"run {number} can't be told from run 1 on {told['num_cells']} shared")
        assert told["why"].endswith(f": run 1 stays; choose run {number} by hand in Train")


def known_of(snapshot, num_images):
    states = np.where(np.arange(len(snapshot.states))[:, None] < num_images, snapshot.states, 0).astype(np.int8)
    return dataclasses.replace(snapshot, states=states)


@pytest.mark.parametrize(("num_before", "taken"), [(450, 2), (520, 1)])
def test_a_run_that_learned_from_many_more_cells_is_taken_where_it_cannot_be_told(finish, num_before, taken):
    finish(1, of=known_of(make_snapshot(), num_before))
    told = finish(2)["comparison"]

    assert (told["verdict"], told["better"]) == ("unclear", taken)
    assert (told["num_known"] >= 1.2 * told["num_known_before"]) == (taken == 2)
    more = (
        f"): run 2 is taken, it learned from {told['num_known']:,} known cells, run 1 from {told['num_known_before']:,}"
    )
    assert told["why"].endswith(more) == (taken == 2)


@pytest.mark.parametrize(("sign", "taken"), [(1, 2), (-1, 1)])
def test_a_run_that_learned_from_many_more_positives_is_taken_where_it_cannot_be_told(finish, sign, taken):
    snapshot = make_snapshot()
    is_hidden = (snapshot.states == sign) & (np.arange(len(snapshot.states)) % 4 == 0)[:, None]
    finish(1, of=dataclasses.replace(snapshot, states=np.where(is_hidden, 0, snapshot.states).astype(np.int8)))
    told = finish(2)["comparison"]

    assert (told["verdict"], told["better"]) == ("unclear", taken)
    assert told["num_known"] < 1.2 * told["num_known_before"]
    assert (" positives, run 1 from " in told["why"]) == (taken == 2)


def test_a_run_that_is_worse_is_not_taken_whatever_it_learned_from(finish):
    finish(1, of=known_of(make_snapshot(), 400), noise=0.3)
    assert finish(2, noise=3.0)["comparison"]["better"] == 1


def test_a_run_that_knows_another_class_is_taken_where_it_cannot_be_told(finish):
    finish(1, of=make_snapshot(classes=("a", "b")))
    few = make_snapshot(classes=("a", "b", "c"))
    few.states[30:, 2] = 0
    told = finish(2, of=few)["comparison"]

    assert (told["verdict"], told["better"]) == ("unclear", 2)
    assert told["why"].endswith("run 2 is taken, it knows 1 class that run 1 doesn't")


def test_with_too_few_shared_positives_the_earlier_run_stays_and_it_is_said(finish):
    small = make_snapshot(30)
    finish(1, of=small)
    told = finish(2, of=small, noise=0.01)["comparison"]

    assert (told["verdict"], told["better"], told["map"]) == ("unclear", 1, None)
    assert "more known positives are needed among the shared held-out cells" in told["why"]


def test_cells_that_the_earlier_run_was_trained_on_do_not_count(finish):
    finish(1)
    validated = make_snapshot(splits=("train", "val"))
    told = finish(2, of=validated)
    mine, theirs = choose_heldout(validated, SHARE), choose_heldout(make_snapshot(), SHARE)

    assert told["comparison"]["num_cells"] == (mine & theirs).sum() < mine.sum()


def test_broken_runs_compare_with_nothing(finish, tmp_path):
    finish(1)
    RunFolder(tmp_path / "work" / "runs" / "0001").logits_file.unlink()
    assert finish(2)["comparison"] is None


def test_the_run_that_stands():
    assert standing_run({}) is None
    assert standing_run({1: {}}) == 1
    assert standing_run({1: {}, 2: {"comparison": {"better": 1}}}) == 1
    assert standing_run({1: {}, 2: {"comparison": {"better": 1}}, 3: {"comparison": None}}) == 3
    assert standing_run({2: {"comparison": {"better": 1}}}) == 2


def test_results_of_earlier_versions_are_followed(finish, tmp_path):
    finish(1, noise=0.8)
    finish(2, noise=0.8)
    file = RunFolder(tmp_path / "work" / "runs" / "0002").result_file
    old = {"map": 0.6, "comparison": {"best_run": 1, "map": 0.6, "best_map": 0.5, "better": 2, "why": "mAP 0.6"}}
    write_json(file, old)
    assert read_json(file) == old
    assert finish(3, noise=0.8)["comparison"]["best_run"] == 2
