import numpy as np
import pytest
from scipy.stats import binom, binomtest

from logicmix_studio.review import (
    clopper_pearson,
    clopper_pearson_lower,
    look_level,
    sequential_interval,
    sequential_lower,
)

TRUE_PRECISIONS = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99]
REPETITIONS = 2000


@pytest.mark.parametrize(("right", "total"), [(0, 1), (0, 30), (7, 30), (29, 30), (30, 30), (980, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_clopper_pearson_equals_scipy(right, total, level):
    both = binomtest(right, total).proportion_ci(level, method="exact")
    assert clopper_pearson(right, total, level) == pytest.approx((both.low, both.high), abs=1e-9)
    one = binomtest(right, total, alternative="greater").proportion_ci(level, method="exact")
    assert clopper_pearson_lower(right, total, level) == pytest.approx(one.low, abs=1e-9)


def test_nothing_checked_says_nothing():
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert clopper_pearson_lower(0, 0) == 0.0
    assert sequential_interval(0, 0) == (0.0, 1.0)


def test_intervals_take_arrays():
    right, total = np.array([[0], [5]]), np.array([5, 10])
    low, high = clopper_pearson(right, total)
    assert low.shape == high.shape == sequential_lower(right, total).shape == (2, 2)
    assert low[1, 0] == clopper_pearson(5, 5)[0]
    assert sequential_lower(right, total)[1, 1] == sequential_lower(5, 10)


@pytest.mark.parametrize(("right", "total"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(right, total):
    with pytest.raises(ValueError, match="right must lie between 0 and total"):
        clopper_pearson_lower(right, total)
    with pytest.raises(ValueError, match="right must lie between 0 and total"):
        sequential_lower(right, total)


@pytest.mark.parametrize("precision", TRUE_PRECISIONS)
@pytest.mark.parametrize("total", [10, 30, 149, 400])
def test_fixed_bounds_cover_the_truth_exactly_often_enough(precision, total):
    chance = binom.pmf(np.arange(total + 1), total, precision)
    lower = clopper_pearson_lower(np.arange(total + 1), total)
    low, high = clopper_pearson(np.arange(total + 1), total)
    assert chance[lower <= precision].sum() >= 0.95
    assert chance[(low <= precision) & (precision <= high)].sum() >= 0.95


@pytest.mark.parametrize("precision", TRUE_PRECISIONS)
def test_fixed_bounds_cover_the_truth_in_simulation(precision):
    right = np.random.default_rng(7).binomial(150, precision, size=REPETITIONS)
    low, high = clopper_pearson(right, 150)
    assert np.mean((low <= precision) & (precision <= high)) >= 0.95
    # At the least covered precisions the share is within the noise of 2,000 repetitions of 95 %.
    noise = 2 * np.sqrt(0.05 * 0.95 / REPETITIONS)
    assert np.mean(clopper_pearson_lower(right, 150) <= precision) >= 0.95 - noise


def looks(precision, num_looks, seed):
    """Return right answers so far (repetitions, looks) and the number of answers (looks,)."""
    rng = np.random.default_rng(seed)
    right = np.cumsum(rng.random((REPETITIONS, num_looks)) < precision, axis=1)
    return right, np.arange(1, num_looks + 1)


def tabulate(function, num_looks):
    """Return the bound for every number of right answers and every number of answers."""
    total = np.arange(1, num_looks + 1)
    return function(np.minimum(np.arange(num_looks + 1)[:, np.newaxis], total), total)


@pytest.mark.parametrize("precision", TRUE_PRECISIONS)
def test_sequential_bounds_hold_at_all_looks_at_once(precision):
    right, total = looks(precision, 300, seed=11)
    lower = tabulate(sequential_lower, 300)[right, total - 1]
    upper = tabulate(lambda *counts: sequential_interval(*counts)[1], 300)[right, total - 1]
    assert np.mean((lower <= precision).all(axis=1)) >= 0.95
    assert np.mean(((lower <= precision) & (precision <= upper)).all(axis=1)) >= 0.95


def test_looking_breaks_the_fixed_bound():
    right, total = looks(0.95, 300, seed=11)
    lower = tabulate(clopper_pearson_lower, 300)[right, total - 1]
    assert np.mean((lower <= 0.95).all(axis=1)) < 0.9


def test_sequential_bounds_are_wider_but_close_in():
    assert sequential_lower(98, 100) < clopper_pearson_lower(98, 100)
    assert sequential_lower(9800, 10_000) == pytest.approx(0.98, abs=0.008)
    assert sequential_lower(0, 50) == 0.0
    low, high = (float(end) for end in sequential_interval(30, 100))
    mirrored = [float(end) for end in sequential_interval(70, 100)]
    assert [1 - high, 1 - low] == pytest.approx(mirrored)


def test_sequential_bound_is_where_the_evidence_is_twenty_to_one():
    from scipy.special import betaln

    bound = float(sequential_lower(57, 60))
    evidence = betaln(57.5, 3.5) - betaln(0.5, 0.5) - 57 * np.log(bound) - 3 * np.log1p(-bound)
    assert np.exp(evidence) == pytest.approx(20, rel=1e-6)


def test_levels_of_several_looks_spend_less_of_the_error_each_time():
    assert look_level(0.95, 1) == pytest.approx(0.98)
    assert look_level(0.9, 4) == pytest.approx(1 - 0.04 / 3)
    levels = [look_level(0.95, look) for look in range(1, 50)]
    assert levels == sorted(levels)
    assert levels[-1] < 1
