import numpy as np
import pytest
from scipy.stats import binom, binomtest

from logicmix_studio.review.intervals import clopper_pearson, clopper_pearson_lower, look_level

TRUE_PRECISIONS = [0.5, 0.8, 0.9, 0.95, 0.98, 0.99]


@pytest.mark.parametrize(("right", "total"), [(0, 1), (0, 30), (7, 30), (29, 30), (30, 30), (980, 1000)])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_clopper_pearson_equals_scipy(right, total, level):
    both = binomtest(right, total).proportion_ci(level, method="exact")
    assert clopper_pearson(right, total, level) == pytest.approx((both.low, both.high), abs=1e-9)
    one = binomtest(right, total, alternative="greater").proportion_ci(level, method="exact")
    assert clopper_pearson_lower(right, total, level) == pytest.approx(one.low, abs=1e-9)


def test_the_figures_that_people_are_told():
    assert clopper_pearson_lower(58, 58) < 0.95 < clopper_pearson_lower(59, 59)
    assert clopper_pearson_lower(91, 92) < 0.95 < clopper_pearson_lower(92, 93)
    assert float(clopper_pearson_lower(40, 40)) == pytest.approx(0.928, abs=5e-4)


def test_nothing_checked_says_nothing():
    assert clopper_pearson(0, 0) == (0.0, 1.0)
    assert clopper_pearson_lower(0, 0) == 0.0


def test_intervals_take_arrays():
    right, total = np.array([[0], [5]]), np.array([5, 10])
    low, high = clopper_pearson(right, total)
    assert low.shape == high.shape == (2, 2)
    assert low[1, 0] == clopper_pearson(5, 5)[0]


@pytest.mark.parametrize(("right", "total"), [(-1, 3), (4, 3)])
def test_impossible_counts_are_refused(right, total):
    with pytest.raises(ValueError, match="right must lie between 0 and total"):
        clopper_pearson_lower(right, total)


@pytest.mark.parametrize("precision", TRUE_PRECISIONS)
@pytest.mark.parametrize("total", [10, 30, 149, 400])
def test_bounds_cover_the_truth_exactly_often_enough(precision, total):
    chance = binom.pmf(np.arange(total + 1), total, precision)
    lower = clopper_pearson_lower(np.arange(total + 1), total)
    low, high = clopper_pearson(np.arange(total + 1), total)
    assert chance[lower <= precision].sum() >= 0.95
    assert chance[(low <= precision) & (precision <= high)].sum() >= 0.95


def test_the_first_look_has_the_whole_level_and_later_ones_less_error():
    assert look_level(0.95, 0) == look_level(0.95, 1) == 0.95
    assert look_level(0.9, 4) == pytest.approx(0.975)


def test_looking_again_misleads_as_seldom_as_is_said():
    """Worked out exactly: claims just short of 95 %, each look with just as many further checks as could do."""
    states, misled = {(0, 0): 1.0}, []
    for look in range(1, 4):
        level, after, chance_of_this = look_level(0.95, look), {}, 0.0
        for (right, total), chance in states.items():
            further = np.arange(1, 2000)
            further = further[clopper_pearson_lower(right + further, total + further, level) >= 0.95][0]
            good = np.arange(further + 1)
            likely = chance * binom.pmf(good, further, 0.95)
            holds = clopper_pearson_lower(right + good, total + further, level) >= 0.95
            chance_of_this += likely[holds].sum()
            for one in np.flatnonzero(~holds & (likely > 1e-5)).tolist():
                place = (right + one, total + further)
                after[place] = after.get(place, 0.0) + likely[one]
        states = after
        misled.append(chance_of_this)
    assert np.cumsum(misled) == pytest.approx([0.0485, 0.0635, 0.072], abs=5e-4)
