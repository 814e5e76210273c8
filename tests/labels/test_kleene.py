from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.labels import SettlingAnswer, explain_or, from_targets, kleene_or

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


def test_explain_or__domination():
    explanation = explain_or([[0], [1], [-1], [1]])[0]
    assert (explanation.result, explanation.law) == (1, "domination")
    assert explanation.deciding == (1, 3)
    assert explanation.open_sources == ()
    assert explanation.settling == ()


def test_explain_or__identity():
    explanation = explain_or([[-1], [-1], [-1]])[0]
    assert (explanation.result, explanation.law, explanation.deciding) == (-1, "identity", (0, 1, 2))
    assert explanation.settling == ()


def test_explain_or__open_by_one_source_is_settled_by_either_answer():
    explanation = explain_or([[-1], [0]])[0]
    assert (explanation.result, explanation.law, explanation.deciding) == (0, "open", ())
    assert explanation.open_sources == (1,)
    assert explanation.settling == (SettlingAnswer(1, 1, 1), SettlingAnswer(1, -1, -1))


def test_explain_or__open_by_two_sources_is_settled_by_a_positive_only():
    explanation = explain_or([[0], [-1], [0]])[0]
    assert explanation.settling == (SettlingAnswer(0, 1, 1), SettlingAnswer(2, 1, 1))


@pytest.mark.parametrize("column", list(itertools.product((-1, 0, 1), repeat=3)))
def test_explain_or__settling_answers_are_exactly_those_that_settle(column):
    explanation = explain_or(np.array(column, np.int8)[:, None])[0]
    assert explanation.result == naive_or(list(column))
    expected = []
    for source, answer in itertools.product(range(3), (1, -1)):
        if explanation.result == 0 and column[source] == 0:
            answered = [*column[:source], answer, *column[source + 1 :]]
            if naive_or(answered) != 0:
                expected.append(SettlingAnswer(source, answer, naive_or(answered)))
    assert list(explanation.settling) == expected


@pytest.mark.parametrize("shape", [(3,), (0, 2)])
def test_explain_or__refuses_other_shapes(shape):
    with pytest.raises(ValueError, match=r"two axes|at least one source"):
        explain_or(np.zeros(shape, np.int8))


def test_explain_or__no_class():
    assert explain_or(np.zeros((2, 0), np.int8)) == ()


@pytest.mark.parametrize(
    ("column", "reason"),
    [
        ([0, 1], "positive: dog is in image 2 (domination)"),
        ([1, 1], "positive: dog is in image 1 and image 2 (domination)"),
        ([-1], "negative: the one source was checked for dog, and none has it (identity)"),
        ([-1, -1], "negative: both were checked for dog, and none has it (identity)"),
        ([-1, -1, -1], "negative: all three were checked for dog, and none has it (identity)"),
        ([0, -1], "unknown: nobody looked for dog in image 1, and no other source has it (open)"),
        (
            [0, -1, 0],
            "unknown: nobody looked for dog in image 1 or image 3, and no other source has it (open)",
        ),
        ([0, 0], "unknown: nobody looked for dog in either of the two (open)"),
        ([0], "unknown: nobody looked for dog in image 1 (open)"),
    ],
)
def test_reason(column, reason):
    names = [f"image {i + 1}" for i in range(len(column))]
    assert explain_or([[state] for state in column])[0].reason("dog", names) == reason


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([0, -1], "a yes in image 1 would make it positive, a no negative"),
        ([0, -1, 0], "a yes in image 1 or image 3 would make it positive"),
        ([1, 0], ""),
        ([-1, -1], ""),
    ],
)
def test_settling_words(column, words):
    names = [f"image {i + 1}" for i in range(len(column))]
    assert explain_or([[state] for state in column])[0].settling_words(names) == words


def test_reason__refuses_too_few_names():
    with pytest.raises(ValueError, match="2 sources need as many names, not 1"):
        explain_or([[1], [0]])[0].reason("dog", ["image 1"])
