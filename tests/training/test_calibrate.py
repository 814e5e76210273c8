import numpy as np
import pytest

from logicmix_studio.files import read_json, write_json
from logicmix_studio.review import calibration as review
from logicmix_studio.training.calibrate import (
    Calibration,
    LossShape,
    apply_calibration,
    calibration_error,
    fit_calibration,
    prior_from_loss,
    raw_logits,
)

ASL = LossShape(0.0, 4.0, 0.05)


def distorted(num_cells, seed=0):
    """Scores as an asymmetric loss leaves them: the truth's odds, bent at 1.4 with slopes 0.8 and 0.4."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-2.0, 3.0, num_cells)
    truth = generator.random(num_cells) < 1 / (1 + np.exp(-logits))
    raw = 1.4 + np.where(logits > 0, 0.8 * logits, 0.4 * logits)
    return 1 / (1 + np.exp(-raw)), np.where(truth, 1, -1)


def test_fitted_scores_mean_what_they_say_for_both_signs():
    scores, states = distorted(40_000)
    fresh, fresh_states = distorted(40_000, seed=1)
    calibrated = apply_calibration(fresh, fit_calibration(scores, states, ASL))

    assert calibration_error(fresh, fresh_states > 0) > 0.1
    assert calibration_error(calibrated, fresh_states > 0) < 0.01
    sure = calibrated >= 0.95
    absent = calibrated <= 0.05
    assert (fresh_states[sure] > 0).mean() == pytest.approx(calibrated[sure].mean(), abs=0.02)
    assert (fresh_states[absent] < 0).mean() == pytest.approx(1 - calibrated[absent].mean(), abs=0.02)


def test_fit_finds_the_bend():
    fitted = fit_calibration(*distorted(40_000), ASL)

    assert fitted.breakpoint == pytest.approx(1.4, abs=0.15)
    assert fitted.slope_positive == pytest.approx(1 / 0.8, rel=0.15)
    assert fitted.slope_negative == pytest.approx(1 / 0.4, rel=0.15)
    assert fitted.ece_after < fitted.ece_before


@pytest.mark.parametrize("states", [[], [1], [-1], [1, -1], [0, 0]])
def test_few_cells_stay_near_the_prior(states):
    scores = np.full(len(states), 0.5)
    fitted = fit_calibration(scores, states, ASL)
    bend, _, _ = prior_from_loss(ASL)

    assert abs(fitted.breakpoint - bend) < 1.5
    assert np.isfinite([fitted.slope_positive, fitted.slope_negative]).all()
    assert fitted.num_cells == sum(state != 0 for state in states)


def test_prior_of_plain_cross_entropy_changes_nothing():
    assert prior_from_loss(LossShape()) == pytest.approx((0.0, 0.0, 0.0), abs=1e-6)


def test_prior_of_the_asymmetric_loss_lies_above_an_even_score():
    bend, slope_positive, slope_negative = prior_from_loss(ASL)

    # (p - 0.05)^4 p / (1.05 - p) = 1 has its root at p = 0.799.
    assert 1 / (1 + np.exp(-bend)) == pytest.approx(0.799, abs=0.003)
    assert slope_negative > slope_positive


def test_apply_is_increasing_and_half_at_the_knot():
    calibration = Calibration(breakpoint=1.0, slope_positive=2.0, slope_negative=0.5)
    scores = np.linspace(0, 1, 1001)
    calibrated = apply_calibration(scores, calibration)

    sigmoid = lambda logit: 1 / (1 + np.exp(-logit))  # noqa: E731
    assert (np.diff(calibrated) >= 0).all()
    # Raw logits 1, 2 and 0: at the breakpoint, one above it times 2, one below it times a half.
    found = apply_calibration([sigmoid(1.0), sigmoid(2.0), sigmoid(0.0)], calibration)
    np.testing.assert_allclose(found, [0.5, sigmoid(2.0), sigmoid(-0.5)], atol=1e-6)


def test_apply_takes_what_is_on_disk(tmp_path):
    calibration = Calibration(breakpoint=1.0, slope_positive=2.0, slope_negative=0.5)
    path = tmp_path / "calibration.json"

    assert read_json(path) is None
    write_json(path, calibration.as_dict())
    scores = np.array([[0.1, 0.9], [0.0, 1.0]])

    np.testing.assert_allclose(apply_calibration(scores, read_json(path)), apply_calibration(scores, calibration))


def test_the_review_reads_the_same_scores():
    calibration = fit_calibration(*distorted(2000), ASL)
    scores = np.linspace(0, 1, 201, dtype=np.float16)
    theirs = review.apply_calibration(scores[:, None], review.Calibration.from_json(calibration.as_dict()))

    np.testing.assert_allclose(theirs[:, 0], apply_calibration(scores, calibration), atol=1e-3)


def test_a_fit_from_a_prior_of_zero_moves():
    fitted = fit_calibration(*distorted(5000), LossShape())

    assert fitted.slope_negative > 1.5


def test_apply_without_calibration_and_without_score():
    np.testing.assert_array_equal(apply_calibration([0.25], None), np.float32([0.25]))
    assert np.isnan(apply_calibration([np.nan], Calibration())).all()


def test_raw_logits_are_bounded():
    np.testing.assert_allclose(raw_logits([0.0, 0.5, 1.0]), [-20.0, 0.0, 20.0])


def test_calibration_error_by_hand():
    # Four cells of score 0.5, one positive: |0.5 - 0.25|.
    assert calibration_error([0.5] * 4, [True, False, False, False]) == pytest.approx(0.25)
    assert np.isnan(calibration_error([], []))
