import json

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.runs.scores import UNSCORED, load_run_scores

OLD = LabelTable.build(["a.jpg", "b.jpg"], ("dog", "cat"), np.zeros((2, 2), np.int8), ["", ""])
SCORES = np.array([[0.125, 0.25], [0.5, 0.75]], dtype=np.float16)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "scores.npy", SCORES)
    np.save(tmp_path / "heldout.npy", np.array([[True, False], [False, True]]))
    np.savez(tmp_path / "snapshot.npz", image_ids=np.array(OLD.image_ids), class_names=np.array(OLD.class_names))
    (tmp_path / "result.json").write_text(json.dumps({"map": 0.5}))
    return tmp_path


def test_same_images_and_classes_pass_through(folder):
    loaded = load_run_scores(folder, 3, OLD)
    np.testing.assert_array_equal(loaded.scores, SCORES)
    assert loaded.result == {"map": 0.5}
    assert loaded.scored_rows.all()
    assert loaded.scored_columns.all()


def test_new_images_and_classes_claim_nothing(folder):
    today = LabelTable.build(
        ["new.jpg", "b.jpg", "a.jpg"], ("leash", "cat", "dog"), np.zeros((3, 3), np.int8), ["", "", ""]
    )
    loaded = load_run_scores(folder, 3, today)
    assert loaded.scores.tolist() == [[UNSCORED] * 3, [UNSCORED, 0.75, 0.5], [UNSCORED, 0.25, 0.125]]
    assert loaded.heldout.tolist() == [[False] * 3, [False, True, False], [False, False, True]]
    assert not loaded.is_scored(0, 1)
    assert not loaded.is_scored(1, 0)
    assert loaded.is_scored(1, 1)


def test_images_and_classes_that_are_gone_are_left_out(folder):
    today = LabelTable.build(["b.jpg"], ("cat",), np.zeros((1, 1), np.int8), [""])
    assert load_run_scores(folder, 3, today).scores.tolist() == [[0.75]]


def test_calibration_is_applied(folder):
    line = {"slope": 2.0, "intercept": 0.0}
    (folder / "calibration.json").write_text(json.dumps({"positive": line, "negative": line}))
    raised = load_run_scores(folder, 3, OLD).scores[1, 1]
    assert raised == pytest.approx(0.9, abs=1e-3)


def test_scores_of_another_shape_are_refused(folder):
    np.save(folder / "scores.npy", SCORES[:1])
    with pytest.raises(StudioError, match=r"scores\.npy has shape \(1, 2\), its snapshot \(2, 2\)"):
        load_run_scores(folder, 3, OLD)


def test_missing_scores_are_said(tmp_path):
    with pytest.raises(StudioError, match="run 3 left no usable scores"):
        load_run_scores(tmp_path, 3, OLD)
