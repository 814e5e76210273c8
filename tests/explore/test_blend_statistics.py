import numpy as np
import pytest

from logicmix_studio.explore.blend_statistics import blend_statistics, exact_shares, overall, shares_of, size_weights

STATES = np.array([[1, -1], [-1, -1], [-1, 0], [0, 0]], dtype=np.int8)


def test_shares_of_images():
    shares = shares_of(STATES)
    assert shares[0].tolist() == [0.25, 0.0]
    assert shares[1].tolist() == [0.5, 0.5]
    assert overall(shares) == {
        "positive": 0.125, "negative": 0.5, "known": 0.625, "positive_of_known": pytest.approx(0.2)
    }  # fmt: skip


def test_pairs_by_formula_equal_all_pairs_counted():
    pairs = np.array([[np.maximum(one, other) for other in STATES] for one in STATES]).reshape(-1, 2)
    counted, exact = shares_of(pairs), exact_shares(shares_of(STATES), {2: 1.0})
    np.testing.assert_allclose(exact, counted)


def test_sizes_weigh_one():
    assert sum(size_weights(0.3, 2, 5).values()) == pytest.approx(1.0)
    assert size_weights(1.0, 2, 2) == {1: 0.0, 2: 1.0}


def test_mixed_sizes_are_the_mean_of_theirs():
    single = shares_of(STATES)
    both = exact_shares(single, {2: 3.0, 3: 1.0})
    two, three = exact_shares(single, {2: 1.0}), exact_shares(single, {3: 1.0})
    np.testing.assert_allclose(both, 0.75 * two + 0.25 * three)


def statistics(states, mixed=(True, False, True, False)):
    return blend_statistics(("dog", "cat"), states, STATES, np.array(mixed), size_weights(0.5, 2, 3))


def test_tables_have_a_row_a_class_and_a_bar_a_state():
    found = statistics(STATES)
    assert found.classes["class"].tolist() == ["dog", "cat"]
    assert found.classes["photographs ● %"].tolist() == [25.0, 0.0]
    assert len(found.balance) == 15
    assert found.balance.groupby("samples")["cells, %"].sum().tolist() == pytest.approx([100.0] * 5, abs=0.05)
    assert "Known are 62.5% of the cells of photographs" in found.words


def test_curve_moves_towards_positives():
    among = statistics(STATES).curve["positive_of_known"].tolist()
    assert among == sorted(among)
    assert among[0] < among[-1]


def test_all_known_stays_known_whatever_is_mixed():
    complete = np.array([[1, -1], [-1, -1]], dtype=np.int8)
    assert statistics(complete).curve["known"].tolist() == pytest.approx([100.0] * 5)


def test_all_unknown_is_known_nowhere():
    found = statistics(np.zeros((3, 2), dtype=np.int8))
    assert found.shares.loc["photographs"].tolist() == [0.0] * 4
    assert found.words.startswith("Nothing is known yet")


def test_without_blends_there_is_no_bar_of_them():
    found = statistics(STATES, mixed=(False,) * 4)
    assert "blends drawn" not in found.shares.index
    assert found.words == "Nothing is mixed."
