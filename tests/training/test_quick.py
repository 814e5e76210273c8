import dataclasses

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.training import quick
from logicmix_studio.training.control import Stopped
from logicmix_studio.training.feature_cache import Features
from logicmix_studio.training.heldout import choose_heldout
from logicmix_studio.training.quick import run_quick
from logicmix_studio.training.run_folder import read_events


def run(folder, run_context):
    return run_quick(folder.config(), folder.snapshot(), run_context(folder))


def test_a_round_writes_every_file_of_the_contract(make_run, run_context, snapshot):
    folder = make_run()
    result = run(folder, run_context)

    scores, heldout = folder.logits(), np.load(folder.heldout_file)
    assert scores.shape == snapshot.states.shape
    assert scores.dtype == np.float16
    assert np.load(folder.features_file).shape[0] == 40
    np.testing.assert_array_equal(heldout, choose_heldout(snapshot, 0.15))
    assert result["num_heldout"] == heldout.sum() > 0
    assert folder.model_file.is_file()
    assert folder.calibration_file.is_file()
    assert folder.result()["num_embedded"] == 40
    events, _ = read_events(folder.events_file)
    assert {"stage", "epoch"} <= {event["event"] for event in events}
    assert set([event for event in events if event["event"] == "epoch"][-1]["ap"]) == {"red", "green", "blue"}


@pytest.mark.parametrize("enough", [1, 400], ids=["half the held-out cells choose", "a fold chooses"])
def test_cells_that_choose_the_epoch_neither_report_nor_calibrate(run_context, make_run, snapshot, monkeypatch, enough):
    seen = {}

    def spy(data, *_):
        seen["data"] = data

    monkeypatch.setattr(quick, "ENOUGH_HELDOUT_POSITIVES", enough)
    monkeypatch.setattr(quick, "fit_head", spy)
    folder = make_run("quick")
    values = np.zeros((len(snapshot.states), 2), np.float16)
    features = Features(values, np.ones(len(values), bool), 0)
    heldout = choose_heldout(snapshot, 0.5)
    _, reporting = quick.train_on_features(
        snapshot, features, heldout, folder.config().settings.head, 1, run_context(folder)
    )
    choosing = seen["data"].choosing != 0

    assert choosing.any()
    assert reporting.any()
    assert not (choosing & (reporting != 0)).any()
    assert (choosing & heldout).any() == (enough == 1)
    if enough == 400:
        assert (reporting != 0)[heldout & (snapshot.states != 0)].all()


def test_it_learns_the_colours(make_run, run_context, snapshot):
    folder = make_run()
    run(folder, run_context)
    train = snapshot.splits != "test"
    scores = folder.logits().astype(float)
    known = snapshot.states != 0

    positive = scores[train[:, None] & known & (snapshot.states > 0)]
    negative = scores[train[:, None] & known & (snapshot.states < 0)]
    assert positive.mean() > negative.mean() + 0.05


def test_same_seed_same_scores(make_run, run_context):
    first, second = make_run(number=1), make_run(number=2)
    run(first, run_context)
    run(second, run_context)

    np.testing.assert_array_equal(first.logits(), second.logits())
    assert second.result()["num_embedded"] == 0


def test_the_test_split_changes_nothing(make_run, run_context, snapshot):
    other = snapshot.states.copy()
    other[snapshot.splits == "test"] *= -1
    first, second = make_run(number=1), make_run(number=2, of=dataclasses.replace(snapshot, states=other))
    run(first, run_context)
    run(second, run_context)

    np.testing.assert_array_equal(first.logits(), second.logits())


def test_new_images_and_a_new_class_between_rounds(make_run, run_context, snapshot, tmp_path, paint):
    first = make_run(number=1)
    run(first, run_context)
    more = paint(tmp_path / "images", 10, seed=1)
    joined = {
        name: np.concatenate([getattr(snapshot, name), getattr(more, name)])
        for name in ("states", "image_ids", "paths", "splits")
    }
    joined["states"] = np.concatenate([joined["states"], joined["states"][:, :1]], axis=1)
    grown = dataclasses.replace(snapshot, **joined, class_names=np.array([*snapshot.class_names.tolist(), "warm"]))
    second = make_run(number=2, of=grown, init_from=1)
    result = run(second, run_context)

    assert second.logits().shape == (50, 4)
    assert result["num_embedded"] == 10
    assert result["comparison"]["best_run"] == 1
    messages = [event.get("text", "") for event in read_events(second.events_file)[0]]
    assert "classes that run 0001 did not know: warm" in messages


def test_a_run_is_compared_with_the_one_that_stands(make_run, run_context):
    first, second = make_run(number=1), make_run(number=2)
    assert run(first, run_context)["comparison"] is None
    comparison = run(second, run_context)["comparison"]

    assert (comparison["best_run"], comparison["better"], comparison["verdict"]) == (1, 1, "unclear")
    assert "run 1 stays" in comparison["why"]


def test_an_image_that_vanished_has_no_scores(make_run, run_context, snapshot, tmp_path):
    (tmp_path / "images" / snapshot.paths[0]).unlink()
    folder = make_run()
    run(folder, run_context)

    assert np.isnan(folder.logits()[0]).all()
    assert np.isfinite(folder.logits()[1:]).all()
    warnings = [event for event in read_events(folder.events_file)[0] if event.get("level") == "warning"]
    assert snapshot.paths[0] in warnings[0]["text"]


def test_nothing_known_is_told(make_run, run_context, snapshot):
    folder = make_run(of=dataclasses.replace(snapshot, states=np.zeros_like(snapshot.states)))

    with pytest.raises(StudioError, match="no cell is known to learn from"):
        run(folder, run_context)


def test_a_request_to_cancel_is_heard(make_run, run_context):
    folder = make_run()
    folder.ask("cancel")

    with pytest.raises(Stopped, match="cancel"):
        run(folder, run_context)
    assert not folder.result_file.exists()
