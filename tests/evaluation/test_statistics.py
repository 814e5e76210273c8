from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from logicmix_studio.evaluation.statistics import holm, mean_interval, paired_tests, rank_biserial, rank_test


def some_values(num_scenarios: int = 9, num_methods: int = 4) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(num_scenarios, num_methods)) + np.arange(num_methods) * 0.4


def test_an_interval_is_that_of_students_t() -> None:
    values = np.random.default_rng(0).normal(size=7)
    found = mean_interval(values)
    expected = stats.t.interval(0.95, 6, loc=values.mean(), scale=stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.count == 7


def test_an_interval_by_hand_for_two_values() -> None:
    # The quantile of t with one degree of freedom is 12.7062; the standard error of 1 and 3 is 1.
    found = mean_interval([1.0, 3.0])
    assert (found.mean, found.low, found.high) == pytest.approx((2.0, -10.7062, 14.7062), abs=1e-4)


def test_missing_values_are_left_out_and_one_value_has_no_interval() -> None:
    found = mean_interval([float("nan"), 4.0])
    assert (found.mean, found.count) == (4.0, 1)
    assert np.isnan([found.low, found.high]).all()
    assert np.isnan(mean_interval([]).mean)


def test_holm_by_hand() -> None:
    # Sorted: 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1, which may not fall below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_pairs_are_tested_as_scipy_does() -> None:
    values, names = some_values(), ["a", "b", "c", "d"]
    tests = paired_tests(values, names)
    assert len(tests) == 6
    one = next(test for test in tests if (test.first, test.second) == ("b", "d"))
    assert one.p == pytest.approx(stats.wilcoxon(values[:, 1], values[:, 3]).pvalue)
    assert one.difference == pytest.approx((values[:, 1] - values[:, 3]).mean())
    assert all(test.p_holm >= test.p for test in tests)


def test_equal_methods_do_not_differ() -> None:
    values = np.repeat(some_values()[:, :1], 3, axis=1)
    assert {(test.p, test.effect) for test in paired_tests(values, ["a", "b", "c"])} == {(1.0, 0.0)}
    assert np.isnan(rank_test(values).p)


def test_the_effect_by_hand() -> None:
    # Ranks of the sizes 0.1, 0.2, 0.4 are 1, 2, 3: (1 + 3 - 2) / 6.
    assert rank_biserial(np.array([0.1, -0.2, 0.4])) == pytest.approx(1 / 3)
    assert rank_biserial(np.array([0.1, 0.2, 5.0])) == 1.0


def test_ranks_are_tested_as_scipy_does() -> None:
    values = some_values()
    found = rank_test(values)
    assert found.p == pytest.approx(stats.friedmanchisquare(*values.T).pvalue)
    assert sum(found.average_ranks) == pytest.approx(10.0)


def test_the_critical_difference_is_that_of_demsars_table() -> None:
    # q = 2.569 for four methods and 2.343 for three at 5 % (Demsar 2006, table 5a).
    assert rank_test(some_values(14, 4)).critical_difference == pytest.approx(
        2.569 * (4 * 5 / (6 * 14)) ** 0.5, abs=1e-3
    )
    assert rank_test(some_values(10, 3)).critical_difference == pytest.approx(
        2.343 * (3 * 4 / (6 * 10)) ** 0.5, abs=1e-3
    )


def test_the_best_method_has_rank_one() -> None:
    assert rank_test(np.array([[0.1, 0.3, 0.2], [0.2, 0.5, 0.3]])).average_ranks == (3.0, 1.0, 2.0)
