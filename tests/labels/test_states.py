from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.labels import (
    NEGATIVE,
    POSITIVE,
    STATE_NAMES,
    UNKNOWN,
    as_states,
    drop_labels,
    explain_or,
    kleene_or,
    known_proportion,
)
from tests.labels.conftest import from_targets

STATES = hnp.arrays(
    np.int8, st.tuples(st.integers(1, 6), st.integers(0, 5)), elements=st.integers(min_value=-1, max_value=1)
)


def test_states__are_ordered_by_truth():
    assert NEGATIVE < UNKNOWN < POSITIVE
    assert [STATE_NAMES[s] for s in (NEGATIVE, UNKNOWN, POSITIVE)] == ["negative", "unknown", "positive"]


def test_as_states__int8_is_not_copied():
    states = np.array([1, 0, -1], dtype=np.int8)
    assert as_states(states) is states


@pytest.mark.parametrize("values", [[1.0, 0.0, -1.0], [1, 0, -1], [True, False]])
def test_as_states__takes_other_types(values):
    assert as_states(values).dtype == np.int8
    assert as_states(values).tolist() == [int(v) for v in values]


@pytest.mark.parametrize("values", [np.array([0, 2], np.int8), [0.0, 2.0], np.array([1, -2], np.int8), [0.5]])
def test_as_states__refuses_other_values(values):
    with pytest.raises(ValueError, match=r"must be -1 .* but (-?2|2.0|0.5) was found"):
        as_states(values)


def test_as_states__refuses_nan():
    with pytest.raises(ValueError, match="nan was found"):
        as_states([1.0, float("nan")])


def naive_or(column: list[int]) -> int:
    """OR of one column, as the words say it."""
    if any(state == 1 for state in column):
        return 1
    return -1 if all(state == -1 for state in column) else 0


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_kleene_or__truth_table(reference, k):
    combinations = from_targets(reference[f"truth_k{k}_in"])
    assert combinations.shape == (3**k, k)
    np.testing.assert_array_equal(kleene_or(combinations, axis=1), from_targets(reference[f"truth_k{k}_out"]))


def test_kleene_or__label_matrices(reference):
    sources = from_targets(reference["mix_labels_in"][:3])
    np.testing.assert_array_equal(kleene_or(sources), from_targets(reference["mix_labels_out"]))


@given(STATES)
def test_kleene_or__equals_naive_loop(states):
    assert kleene_or(states).tolist() == [naive_or(column) for column in states.T.tolist()]


def test_kleene_or__one_source_is_itself():
    assert kleene_or([[1, 0, -1]]).tolist() == [1, 0, -1]


def test_kleene_or__refuses_no_source():
    with pytest.raises(ValueError, match="at least one source"):
        kleene_or(np.zeros((0, 4), np.int8))


def test_kleene_or__no_class():
    assert kleene_or(np.zeros((2, 0), np.int8)).shape == (0,)


@pytest.mark.parametrize(
    ("column", "result", "deciding", "open_sources"),
    [
        ([0, 1, -1, 1], 1, (1, 3), ()),  # domination
        ([-1, -1, -1], -1, (0, 1, 2), ()),  # identity
        ([-1, 0], 0, (), (1,)),
        ([0, -1, 0], 0, (), (0, 2)),
    ],
)
def test_explain_or(column, result, deciding, open_sources):
    found = explain_or([[state] for state in column])[0]
    assert (found.result, found.deciding, found.open_sources) == (result, deciding, open_sources)


@pytest.mark.parametrize("column", list(itertools.product((-1, 0, 1), repeat=3)))
def test_explain_or__a_yes_to_an_open_source_settles_and_a_no_to_the_last_one(column):
    found = explain_or(np.array(column, np.int8)[:, None])[0]
    assert found.result == naive_or(list(column))
    for source, answer in itertools.product(range(3), (1, -1)):
        answered = naive_or([*column[:source], answer, *column[source + 1 :]])
        if found.result == 0 and column[source] == 0:
            assert source in found.open_sources
            assert (answered != 0) == (answer == 1 or len(found.open_sources) == 1)


@pytest.mark.parametrize("shape", [(3,), (0, 2)])
def test_explain_or__refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"two axes|at least one source"):
        explain_or(np.zeros(shape, np.int8))


def test_explain_or__no_class():
    assert explain_or(np.zeros((2, 0), np.int8)) == ()


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
