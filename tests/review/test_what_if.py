from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.labels import kleene_or
from logicmix_studio.review.what_if import blend_difference, label_difference, training_set


def test_cells_are_counted_by_sign_and_source():
    states = np.array([[1, -1, 0], [1, 0, 0], [-1, -1, 0], [1, 1, 1]], dtype=np.int8)
    sources = np.array([[1, 2, 0], [3, 0, 0], [1, 1, 0], [2, 2, 2]], dtype=np.uint8)
    proposals = np.array([[1, 1, -1], [1, 1, -1], [0, 0, 1], [0, 0, 0]], dtype=np.int8)
    excluded = np.array([False, False, False, True])
    found = training_set(("a", "b", "c"), states, sources, proposals, excluded)
    assert {name: count.tolist() for name, count in found.positive.items()} == {
        "imported": [1, 0, 0],
        "human": [0, 0, 0],
        "accepted": [1, 0, 0],
        "open pseudo-label": [0, 1, 1],
    }
    assert {name: count.tolist() for name, count in found.negative.items()} == {
        "imported": [1, 1, 0],
        "human": [0, 1, 0],
        "accepted": [0, 0, 0],
        "open pseudo-label": [0, 0, 2],
    }
    assert found.without_positive == ("b", "c")
    assert found.without_negative == ("c",)


def test_before_the_first_run_nothing_is_proposed():
    found = training_set(("a",), np.zeros((2, 1), dtype=np.int8), np.zeros((2, 1), dtype=np.uint8))
    assert found.positive["open pseudo-label"].tolist() == [0]
    assert found.without_positive == found.without_negative == ("a",)
    nothing = training_set(("a",), np.zeros((0, 1), dtype=np.int8), np.zeros((0, 1), dtype=np.uint8))
    assert nothing.without_positive == ("a",)


def test_labels_differ_in_four_ways():
    before = np.array([[0], [0], [0], [1], [-1], [1], [-1], [1]], dtype=np.int8)
    after = np.array([[1], [-1], [0], [0], [0], [-1], [1], [1]], dtype=np.int8)
    found = label_difference(before, after)
    assert [counts.tolist() for counts in (found.new_positive, found.new_negative)] == [[1], [1]]
    assert [counts.tolist() for counts in (found.forgotten, found.turned)] == [[2], [2]]


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
    found = blend_difference(before, after, num_sources=(2, 3), mix_probability=0.5)
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
