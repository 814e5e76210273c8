from dataclasses import asdict

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.review.calibration import Calibration, Line, apply_calibration, calibrate, reliability_curve
from logicmix_studio.review.score_bits import score_values
from logicmix_studio.training.calibrate import apply_calibration as trainer_apply

SIDES = [
    (1.0, 0.0, 1.0, 0.0),
    (0.3, -2.0, 3.0, 1.0),
    (4.0, 3.0, 0.2, -1.0),
    (1.3, 2.5, 0.7, 2.5),
    (2.0, -0.4, 2.0, 0.4),
]


@pytest.mark.parametrize("sides", SIDES)
def test_calibrated_scores_keep_their_order_and_equal_the_trainers(sides):
    calibration = Calibration(Line(*sides[:2]), Line(*sides[2:]))
    values = score_values()
    found = calibrate(values, calibration)
    assert (np.diff(found) >= 0).all()
    assert found.min() >= 0
    assert found.max() <= 1
    assert np.abs(found - trainer_apply(values, asdict(calibration))).max() < 1e-5


@pytest.mark.parametrize("sides", SIDES[1:])
def test_the_table_equals_the_formula(sides):
    calibration = Calibration(Line(*sides[:2]), Line(*sides[2:]))
    scores = score_values().astype(np.float16).reshape(-1, 1)
    found = apply_calibration(scores, calibration)
    assert found.dtype == np.float16
    assert (found == calibrate(scores, calibration).astype(np.float16)).all()


def test_no_calibration_changes_nothing_but_what_is_out_of_range():
    scores = np.array([[0.0, 0.25, 1.0], [np.nan, -0.5, 3.0], [np.inf, -np.inf, -0.0]], dtype=np.float16)
    found = apply_calibration(scores)
    assert found.tolist() == [[0.0, 0.25, 1.0], [0.5, 0.0, 1.0], [1.0, 0.0, 0.0]]
    assert found.view(np.uint16).max() == 15360
    assert np.isnan(scores[1, 0])


def test_no_scores_stay_no_scores():
    assert apply_calibration(np.zeros((0, 3), dtype=np.float16)).shape == (0, 3)


def test_a_calibration_goes_to_json_and_back():
    saved = {"positive": {"slope": 2.0, "intercept": 1.0}, "negative": {"slope": 1.0, "intercept": 0.5}}
    assert asdict(Calibration.from_json(saved | {"ece_before": 0.1})) == saved


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({}, "lacks a number"),
        ({"positive": {"slope": 1.0}}, "intercept"),
        ({"positive": {"slope": "steep", "intercept": 0}}, "steep"),
        ({"positive": {"slope": 0.0, "intercept": 0.0}, "negative": {"slope": 1.0, "intercept": 0.0}}, r"slope 0\.0"),
    ],
)
def test_a_calibration_that_cannot_be_read_is_refused(saved, message):
    with pytest.raises(StudioError, match=message):
        Calibration.from_json(saved)


def test_other_types_of_scores_are_refused():
    with pytest.raises(StudioError, match="float64"):
        apply_calibration(np.zeros((1, 1)))


def test_reliability_counts_known_cells_by_bin():
    scores = np.array([0.05, 0.05, 0.95, 0.95, 1.0, 0.5])
    states = np.array([-1, 1, 1, 1, -1, 0], dtype=np.int8)
    curve = reliability_curve(scores, states)
    assert curve.claimed.tolist() == pytest.approx([0.05, 2.9 / 3])
    assert curve.observed.tolist() == pytest.approx([0.5, 2 / 3])
    assert curve.cells.tolist() == [2, 3]
    assert (curve.lower < curve.observed).all()
    assert (curve.upper > curve.observed).all()


def test_reliability_of_nothing_known():
    curve = reliability_curve(np.array([0.5]), np.array([0], dtype=np.int8))
    assert curve.columns.tolist() == ["claimed", "observed", "lower", "upper", "cells"]
    assert curve.empty


def test_a_calibrated_model_is_on_the_line():
    rng = np.random.default_rng(0)
    truth = rng.random(50_000)
    states = np.where(rng.random(50_000) < truth, 1, -1).astype(np.int8)
    good, bad = reliability_curve(truth, states), reliability_curve(truth**3, states)
    assert (good.claimed - good.observed).abs().max() < 0.02
    assert (bad.claimed - bad.observed).abs().max() > 0.1
