from __future__ import annotations

import itertools

import numpy as np
import pytest

from logicmix_studio.labels import kleene_or
from logicmix_studio.explore.blend_statistics import (
    MixingShares,
    class_table,
    drawn_shares,
    exact_shares,
    shares_of,
    size_curve,
    size_weights,
)

STATES = np.array([[1, 0], [-1, 0], [-1, -1], [0, -1]], dtype=np.int8)


def test_shares_of() -> None:
    shares = shares_of(STATES)
    assert shares.positive.tolist() == [0.25, 0.0]
    assert shares.negative.tolist() == [0.5, 0.5]
    assert shares.overall() == {
        "known": pytest.approx(0.625),
        "positive": pytest.approx(0.125),
        "negative": pytest.approx(0.5),
        "positive_of_known": pytest.approx(0.2),
    }


@pytest.mark.parametrize("k", [1, 2, 3])
def test_formula_equals_counting_every_possible_blend(k: int) -> None:
    blends = [kleene_or(STATES[list(rows)]) for rows in itertools.product(range(len(STATES)), repeat=k)]
    counted = shares_of(np.stack(blends))
    exact = exact_shares(shares_of(STATES), {k: 1.0})
    np.testing.assert_allclose(exact.positive, counted.positive)
    np.testing.assert_allclose(exact.negative, counted.negative)


def test_formula_weighs_sizes() -> None:
    single = MixingShares(np.array([0.5]), np.array([0.5]))
    mixed = exact_shares(single, size_weights(0.5, 2, 2))
    assert mixed.positive[0] == pytest.approx(0.5 * 0.5 + 0.5 * 0.75)
    assert mixed.negative[0] == pytest.approx(0.5 * 0.5 + 0.5 * 0.25)


def test_size_weights_sum_to_one() -> None:
    assert size_weights(0.6, 2, 4) == pytest.approx({1: 0.4, 2: 0.2, 3: 0.2, 4: 0.2})


def test_drawn_shares_of_named_draws() -> None:
    drawn = drawn_shares(STATES, [[0, 1], [1, 2], [3]])
    assert drawn.positive.tolist() == pytest.approx([1 / 3, 0.0])
    assert drawn.negative.tolist() == pytest.approx([1 / 3, 1 / 3])


def test_all_unknown_is_known_nowhere() -> None:
    shares = shares_of(np.zeros((3, 2), dtype=np.int8)).overall()
    assert shares == {"known": 0.0, "positive": 0.0, "negative": 0.0, "positive_of_known": 0.0}


def test_all_known_stays_known_whatever_is_mixed() -> None:
    complete = np.array([[1, -1], [-1, -1]], dtype=np.int8)
    assert [point["known"] for point in size_curve(shares_of(complete))] == pytest.approx([1.0] * 6)


def test_curve_moves_towards_positives() -> None:
    shares = [point["positive_of_known"] for point in size_curve(shares_of(STATES))]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1]


def test_class_table_has_a_row_a_class() -> None:
    single = shares_of(STATES)
    rows = class_table(("dog", "cat"), single, single, single)
    assert [row["class"] for row in rows] == ["dog", "cat"]
    assert rows[0] == {"class": "dog", "before": [0.25, 0.5], "drawn": [0.25, 0.5], "exact": [0.25, 0.5]}
