from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.labels import explain_or, kleene_or
from tests.labels.conftest import from_targets

STATES = hnp.arrays(
    np.int8, st.tuples(st.integers(1, 6), st.integers(0, 5)), elements=st.integers(min_value=-1, max_value=1)
)


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
