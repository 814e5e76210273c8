from __future__ import annotations

import numpy as np
import pytest

from logicmix_studio.labels import drop_labels, known_proportion
from tests.labels.conftest import from_targets


@pytest.mark.parametrize("percent", [10, 50, 90])
def test_drop_labels__equals_reference(reference, percent):
    full = from_targets(reference["drop_full"])
    expected = reference[f"drop_{percent}_seed526"]
    expected_states = np.select([expected == 1, expected == 0], [1, -1], 0)
    np.testing.assert_array_equal(drop_labels(full, percent / 100), expected_states)


def naive_drop(states, proportion, seed):
    """One draw a known cell: image by image, positives before negatives, classes ascending."""
    generator = np.random.Generator(np.random.PCG64(seed))
    dropped = states.copy()
    for row in dropped:
        for sign in (1, -1):
            for column in np.flatnonzero(row == sign):
                if generator.random() >= proportion:
                    row[column] = 0
    return dropped


def test_drop_labels__equals_naive_loop_where_some_are_unknown():
    states = np.random.default_rng(3).integers(-1, 2, (40, 7)).astype(np.int8)
    np.testing.assert_array_equal(drop_labels(states, 0.4, seed=8), naive_drop(states, 0.4, 8))


def test_drop_labels__keeps_the_input_and_its_known_signs():
    states = np.random.default_rng(3).integers(-1, 2, (40, 7)).astype(np.int8)
    before = states.copy()
    dropped = drop_labels(states, 0.5)
    np.testing.assert_array_equal(states, before)
    known = dropped != 0
    np.testing.assert_array_equal(dropped[known], states[known])


def test_drop_labels__known_sets_are_nested():
    states = np.where(np.random.default_rng(0).random((50, 9)) < 0.2, 1, -1)
    few, more = drop_labels(states, 0.2), drop_labels(states, 0.6)
    assert (more[few != 0] != 0).all()
    assert np.count_nonzero(few) < np.count_nonzero(more)


@pytest.mark.parametrize(("proportion", "expected"), [(0.0, 0.0), (1.0, 1.0)])
def test_drop_labels__nothing_or_all(proportion, expected):
    states = np.where(np.random.default_rng(0).random((5, 4)) < 0.5, 1, -1)
    assert known_proportion(drop_labels(states, proportion)) == expected


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (1, 1)])
def test_drop_labels__small_shapes(shape):
    assert drop_labels(np.ones(shape, np.int8), 0.0).shape == shape


def test_drop_labels__refuses_a_percentage():
    with pytest.raises(ValueError, match=r"in \[0, 1\], but 10 was given"):
        drop_labels([[1]], 10)


def test_drop_labels__refuses_a_vector():
    with pytest.raises(ValueError, match="two axes"):
        drop_labels([1, 0], 0.5)


@pytest.mark.parametrize(
    ("states", "expected"),
    [([[0, 0]], 0.0), ([[1, -1]], 1.0), ([[1, 0], [0, 0]], 0.25), (np.zeros((0, 3)), 0.0)],
)
def test_known_proportion(states, expected):
    assert known_proportion(states) == expected
