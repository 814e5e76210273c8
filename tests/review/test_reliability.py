import numpy as np
import pytest

from logicmix_studio.review.reliability import reliability_curve


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
