import numpy as np
import pytest

from logicmix_studio.files import read_json, write_json
from logicmix_studio.review import calibration as review
from logicmix_studio.training.calibrate import LossShape, calibration_error, fit_calibration, prior_from_loss

ASL = LossShape(0.0, 4.0, 0.05)


def sigmoid(logits):
    return 1 / (1 + np.exp(-logits))


def distorted(num_cells, seed=0):
    """Logits as an asymmetric loss leaves them: the truth's odds, bent at 1.4 with slopes 0.8 and 0.4."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-2.0, 3.0, num_cells)
    truth = generator.random(num_cells) < sigmoid(logits)
    return 1.4 + np.where(logits > 0, 0.8 * logits, 0.4 * logits), np.where(truth, 1, -1)


def test_fitted_scores_mean_what_they_say_for_both_signs():
    logits, states = distorted(40_000)
    fresh, fresh_states = distorted(40_000, seed=1)
    calibrated = sigmoid(fit_calibration(logits, states, ASL).logits(fresh))

    assert calibration_error(sigmoid(fresh), fresh_states > 0) > 0.1
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


def test_few_cells_keep_their_promise_over_many_draws():
    """The mean share of claims at 0.95 that are right must reach 0.95, though each fit sees some 35 positives."""
    right, claimed = 0, 0
    for seed in range(40):
        fresh, fresh_states = distorted(20_000, seed=1000 + seed)
        offered = sigmoid(fit_calibration(*distorted(120, seed=seed), ASL).logits(fresh))
        sure = offered >= 0.95
        right, claimed = right + int((fresh_states[sure] > 0).sum()), claimed + int(sure.sum())

    assert claimed > 1000
    assert right / claimed >= 0.95


def test_where_the_highest_logits_say_no_more_than_others_they_promise_no_more():
    generator = np.random.default_rng(3)
    logits = generator.normal(0.0, 6.0, 4000)
    # Below -3 a cell is absent in 94 % of the cases, however low the logit is.
    states = np.where(generator.random(4000) < np.where(logits < -3, 0.06, sigmoid(logits)), 1, -1)
    fitted = fit_calibration(logits, states, ASL)

    assert fitted.limit_negative < 0.96
    assert sigmoid(fitted.logits(-20.0)) >= 1 - fitted.limit_negative - 1e-9
    assert fitted.limit_positive > 0.98


def test_nothing_is_offered_beyond_what_the_cells_can_show():
    fitted = fit_calibration(np.full(8, 6.0), np.ones(8), ASL)

    # Eight claims, all right: the lower end of the interval is 0.884.
    assert fitted.limit_positive == pytest.approx(0.884, abs=0.005)
    assert fitted.limit_negative == 0.5
    assert sigmoid(fitted.logits([-20.0, 20.0])).tolist() == pytest.approx([0.5, 0.884], abs=0.05)


@pytest.mark.parametrize("states", [[], [1], [-1], [1, -1], [0, 0]])
def test_few_cells_stay_near_the_prior(states):
    fitted = fit_calibration(np.zeros(len(states)), states, ASL)
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


def test_the_review_reads_what_was_written(tmp_path):
    fitted = fit_calibration(*distorted(2000), ASL)
    path = tmp_path / "calibration.json"
    write_json(path, fitted.as_dict())
    logits = np.linspace(-25, 25, 201).astype(np.float16)
    theirs = review.apply_calibration(logits[:, None], review.read_calibration(read_json(path)))

    np.testing.assert_allclose(theirs[:, 0], sigmoid(fitted.logits(logits)), atol=1e-3)
    assert (np.diff(theirs[:, 0].astype(float)) >= 0).all()


def test_a_fit_from_a_prior_of_zero_moves():
    assert fit_calibration(*distorted(5000), LossShape()).slope_negative > 1.5


def test_calibration_error_by_hand():
    # Four cells of score 0.5, one positive: |0.5 - 0.25|.
    assert calibration_error([0.5] * 4, [True, False, False, False]) == pytest.approx(0.25)
    assert np.isnan(calibration_error([], []))
