import numpy as np
import pytest
from scipy.stats import binom

from logicmix_studio.review import clopper_pearson_lower
from logicmix_studio.review.pooling import draw_precisions, fit_hierarchy, more_audits


def counts(*values):
    return np.array(values, dtype=np.int64)


def bounds(right, total, num_draws=4000):
    rng = np.random.default_rng(0)
    drawn = draw_precisions(fit_hierarchy(right, total), right, total, num_draws, rng)
    return np.quantile(drawn, 0.05, axis=0)


def test_a_class_on_its_own_is_judged_almost_exactly():
    for right, total in [(30, 30), (95, 100), (147, 150), (280, 300)]:
        assert bounds(counts(right), counts(total))[0] == pytest.approx(
            float(clopper_pearson_lower(right, total)), abs=0.02
        )


@pytest.mark.parametrize("precision", [0.8, 0.9, 0.95, 0.98, 0.99])
def test_a_class_on_its_own_is_seldom_flattered(precision):
    for total in (60, 150):
        right = np.arange(total + 1)
        chance = binom.pmf(right, total, precision)
        likely = right[chance > 1e-4]
        too_high = [bounds(counts(one), counts(total), 1000)[0] > precision for one in likely]
        assert chance[likely][too_high].sum() <= 0.07


def test_audits_of_other_classes_help_one_without():
    alone = bounds(counts(0), counts(0))[0]
    helped = bounds(counts(0, *[20] * 30), counts(0, *[20] * 30))[0]
    assert alone < 0.1
    assert helped > 0.98


def test_own_audits_outweigh_the_others():
    right, total = counts(50, *[20] * 30), counts(100, *[20] * 30)
    found = bounds(right, total)
    assert found[0] < 0.6
    assert found[1:].min() > 0.85


def test_wrong_claims_of_other_classes_count_too():
    good = bounds(counts(0, *[99] * 10), counts(0, *[100] * 10))[0]
    bad = bounds(counts(0, *[90] * 10), counts(0, *[100] * 10))[0]
    assert good > 0.9 > bad + 0.1


@pytest.mark.parametrize(("a", "b"), [(20.0, 1.0), (98.0, 2.0), (30.0, 3.0), (950.0, 50.0)])
def test_bounds_hold_for_classes_that_vary(a, b):
    rng = np.random.default_rng(5)
    held = []
    for _ in range(40):
        truth = rng.beta(a, b, size=40)
        total = rng.integers(0, 15, size=40)
        right = rng.binomial(total, truth)
        held.append(bounds(right, total, 500) <= truth)
    assert np.mean(held) >= 0.94


def test_draws_follow_the_posterior_of_a_fixed_hierarchy():
    right, total = counts(0, *[19] * 200), counts(0, *[20] * 200)
    drawn = draw_precisions(fit_hierarchy(right, total), right, total, 4000, np.random.default_rng(0))
    assert drawn.shape == (4000, 201)
    assert drawn.mean(axis=0) == pytest.approx(np.full(201, 0.95), abs=0.01)


def test_more_audits_is_the_smallest_number_that_does():
    hierarchy = fit_hierarchy(counts(0), counts(0))
    needed = more_audits(hierarchy, 0, 0, 0.9, 0.95, 1000)
    assert needed is not None
    for extra, enough in ((needed, True), (needed - 1, False)):
        held = bounds(counts(extra), counts(extra), 40_000)[0] >= 0.9
        assert held == enough or abs(bounds(counts(extra), counts(extra), 40_000)[0] - 0.9) < 2e-3
    # Near the exact bound: 0.9 ** 28 = 0.052, 0.9 ** 29 = 0.047.
    assert 25 <= needed <= 31


def test_more_audits_knows_enough_and_too_many():
    strong = fit_hierarchy(counts(500), counts(500))
    assert more_audits(strong, 500, 500, 0.9, 0.95, 1000) == 0
    weak = fit_hierarchy(counts(50), counts(100))
    assert more_audits(weak, 50, 100, 0.99, 0.95, 200) is None
    after_one = more_audits(fit_hierarchy(counts(29), counts(30)), 29, 30, 0.9, 0.95, 1000)
    assert after_one is not None
    assert after_one > 0
