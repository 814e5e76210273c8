import numpy as np
import pytest
from scipy.special import expit

from logicmix_studio.errors import StudioError
from logicmix_studio.review.calibration import (
    Calibration,
    apply_calibration,
    calibrate,
    read_calibration,
)

SIDES = [
    (1.0, 0.0, 1.0, 0.0),
    (0.3, -2.0, 3.0, 1.0),
    (4.0, 3.0, 0.2, -1.0),
    (1.3, 2.5, 0.7, 2.5),
    (2.0, -0.4, 2.0, 0.4),
]
LOGITS = np.linspace(-20, 20, 4001)


def lines(slope, intercept, slope_negative, intercept_negative):
    """A calibration as runs of earlier versions wrote it."""
    return {
        "positive": {"slope": slope, "intercept": intercept},
        "negative": {"slope": slope_negative, "intercept": intercept_negative},
        "ece_before": 0.1,
    }


@pytest.mark.parametrize("sides", SIDES)
def test_two_lines_of_earlier_runs_are_read_and_keep_the_order(sides):
    found = calibrate(LOGITS, read_calibration(lines(*sides)))
    above, below = sides[0] * LOGITS + sides[1], sides[2] * LOGITS + sides[3]
    expected = expit(np.where(above >= 0, above, np.minimum(below, 0.0)))

    assert (np.diff(found) >= 0).all()
    zero = -sides[1] / sides[0]
    inside = (np.abs(LOGITS - zero) > 0.02) & (abs(zero) < 19)
    np.testing.assert_allclose(found[inside], expected[inside], atol=2e-3)


@pytest.mark.parametrize("sides", SIDES[1:])
def test_the_table_equals_the_formula(sides):
    calibration = read_calibration(lines(*sides))
    logits = LOGITS.astype(np.float16).reshape(-1, 1)
    found = apply_calibration(logits, calibration)
    assert found.dtype == np.float16
    assert (found == calibrate(logits, calibration).astype(np.float16)).all()


def test_near_one_logits_keep_what_probabilities_lose():
    logits = np.array([8.3, 8.4], dtype=np.float16)
    slow = Calibration((-20.0, 20.0), (-20 * 0.42, 20 * 0.42))
    assert apply_calibration(logits, slow).tolist() == pytest.approx([0.970, 0.972], abs=6e-4)


def test_no_calibration_is_the_sigmoid():
    logits = np.array([[0.0, 2.0, np.nan], [np.inf, -np.inf, -0.0]], dtype=np.float16)
    found = apply_calibration(logits)
    np.testing.assert_allclose(found, [[0.5, 0.8808, 0.5], [1.0, 0.0, 0.5]], atol=1e-3)
    assert np.isnan(logits[0, 2])


def test_no_scores_stay_no_scores():
    assert apply_calibration(np.zeros((0, 3), dtype=np.float16)).shape == (0, 3)


def test_a_broken_line_is_read():
    saved = {"raw": [-20, 1, 20], "calibrated": [-3.0, 0.0, 2.0], "limit_positive": 0.88}
    assert read_calibration(saved) == Calibration((-20.0, 1.0, 20.0), (-3.0, 0.0, 2.0))
    assert read_calibration(None) == read_calibration({}) == Calibration()


@pytest.mark.parametrize(
    ("saved", "message"),
    [
        ({"positive": {"slope": 1.0}}, "intercept"),
        ({"positive": {"slope": "steep", "intercept": 0}}, "steep"),
        (lines(0.0, 0.0, 1.0, 0.0), r"slope 0\.0"),
        ({"raw": [0, 1]}, "calibrated"),
        ({"raw": [0, 1], "calibrated": [1, 0]}, "does not rise"),
        ({"raw": [0, 0], "calibrated": [0, 1]}, "does not rise"),
        ({"raw": [0], "calibrated": [0]}, "does not rise"),
    ],
)
def test_a_calibration_that_cannot_be_read_is_refused(saved, message):
    with pytest.raises(StudioError, match=message):
        read_calibration(saved)


def test_other_types_of_scores_are_refused():
    with pytest.raises(StudioError, match="float64"):
        apply_calibration(np.zeros((1, 1)))
