from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.labels import kleene_or
from logicmix_studio.review.score_bits import score_bits
from logicmix_studio.review.usefulness import NUM_SOURCES, answer_gains, blend_difference, usefulness


def settled_by_brute_force(column, row, answer, num_sources):
    """Count over every blend the open labels that an answer turns known."""
    after = column.copy()
    after[row] = answer
    picks = np.array(list(product(range(len(column)), repeat=num_sources)))
    was_open = kleene_or(column[picks], axis=1) == 0
    is_known = kleene_or(after[picks], axis=1) != 0
    return (was_open & is_known).sum() / len(picks)


@pytest.mark.parametrize(
    "column",
    [[0, 0, 0, 0, 0], [0, 1, 1, -1, 0], [-1, -1, -1, 0, -1], [1, 1, 1, 1, 0], [0]],
    ids=["all unknown", "mixed", "one from all negative", "one among positives", "one image"],
)
def test_gains_equal_the_count_over_all_blends(column):
    states = np.array(column, dtype=np.int8)
    row = int(np.flatnonzero(states == 0)[-1])
    gains = answer_gains(states[:, np.newaxis])
    for answer, gain in ((1, gains.positive[0]), (-1, gains.negative[0])):
        chances = [settled_by_brute_force(states, row, answer, k) for k in NUM_SOURCES]
        assert gain == pytest.approx(0.5 * len(states) * np.mean(chances), abs=1e-12)


def test_gains_leave_out_images_that_are_not_trained_on():
    states = np.array([[0, 1], [-1, 0], [1, 1]], dtype=np.int8)
    whole = answer_gains(states[:2])
    part = answer_gains(states, excluded_rows=np.array([False, False, True]))
    assert part.positive.tolist() == whole.positive.tolist()
    assert part.negative.tolist() == whole.negative.tolist()


def test_gains_without_images_or_unknown_cells_are_finite():
    assert answer_gains(np.zeros((0, 2), dtype=np.int8)).positive.tolist() == [0.0, 0.0]
    full = answer_gains(np.ones((3, 1), dtype=np.int8))
    assert full.positive[0] == pytest.approx(0.0)
    assert full.negative[0] >= 0.0


def test_usefulness_weighs_the_answers_by_the_score_and_the_doubt():
    states = np.array([[0, 0], [-1, 0], [-1, 0], [1, 1]], dtype=np.int8)
    gains = answer_gains(states)
    scores = np.array([0.5, 0.25, 0.0, 1.0, 0.5], dtype=np.float16)
    classes = np.array([0, 0, 0, 1, 1])
    found = usefulness(score_bits(scores), classes, gains)
    entropy = -(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert found[0] == pytest.approx((gains.positive[0] + gains.negative[0]) / 2)
    assert found[1] == pytest.approx((0.25 * gains.positive[0] + 0.75 * gains.negative[0]) * entropy)
    assert found[2] == found[3] == 0.0
    assert found[4] < found[0]


STATES = hnp.arrays(np.int8, st.tuples(st.integers(1, 5), st.just(2)), elements=st.integers(-1, 1))


@settings(max_examples=40, deadline=None)
@given(STATES, st.data())
def test_blends_are_counted_as_by_going_through_all_of_them(before, data):
    after = data.draw(hnp.arrays(np.int8, before.shape, elements=st.integers(-1, 1)))
    expected = np.zeros((3, 2))
    for num_sources in (2, 3):
        picks = np.array(list(product(range(len(before)), repeat=num_sources)))
        labels = kleene_or(before[picks], axis=1), kleene_or(after[picks], axis=1)
        parts = labels[0] != 0, labels[1] != 0, (labels[0] == 0) & (labels[1] != 0)
        expected += [part.mean(axis=0) / 2 for part in parts]
    found = blend_difference(before, after)
    assert found.drawn == len(before) / 2
    for values, shares in zip((found.known_before, found.known_after, found.settled), expected, strict=True):
        assert values == pytest.approx(found.drawn * shares, abs=1e-9)


def test_answers_that_only_add_settle_the_difference():
    rng = np.random.default_rng(0)
    before = rng.integers(-1, 2, size=(500, 4)).astype(np.int8)
    after = np.where((before == 0) & (rng.random(before.shape) < 0.3), 1, before).astype(np.int8)
    found = blend_difference(before, after)
    assert found.settled == pytest.approx(found.known_after - found.known_before)
    assert (found.settled > 0).all()


def test_images_that_are_not_trained_on_do_not_count():
    states = np.array([[0], [1]], dtype=np.int8)
    found = blend_difference(states, np.ones((2, 1), dtype=np.int8), excluded_rows=np.array([False, True]))
    assert found.drawn == 0.5
    assert found.known_before.tolist() == [0.0]
    assert found.settled.tolist() == [0.5]
    empty = blend_difference(states[:0], states[:0])
    assert empty.settled.tolist() == [0.0]
