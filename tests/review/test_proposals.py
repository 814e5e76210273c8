import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.errors import StudioError
from logicmix_studio.review.proposals import Thresholds, changes, confidences, count_proposals, open_cells, propose

SHAPE = (7, 3)
SCORES = hnp.arrays(np.float16, SHAPE, elements=st.floats(0, 1, width=16))
STATES = hnp.arrays(np.int8, SHAPE, elements=st.integers(-1, 1))
CUTS = hnp.arrays(np.float64, SHAPE[1], elements=st.sampled_from([0.5, 0.6, 0.9, 0.95, 0.99, 1.0]))


def naive(scores, states, thresholds, excluded, unsure_run, run):
    found = np.zeros(states.shape, dtype=np.int8)
    for row, column in np.ndindex(*states.shape):
        score = float(scores[row, column])
        closed = states[row, column] != 0 or excluded[row] or unsure_run[row, column] == run
        if closed or score == 0.5:
            continue
        if score >= thresholds.positive[column]:
            found[row, column] = 1
        elif 1 - score >= thresholds.negative[column]:
            found[row, column] = -1
    return found


@settings(max_examples=60, deadline=None)
@given(
    SCORES, STATES, CUTS, CUTS, hnp.arrays(np.bool_, SHAPE[0]), hnp.arrays(np.int32, SHAPE, elements=st.integers(-1, 2))
)
def test_propose_and_coverage_agree_with_the_naive_loop(scores, states, positive, negative, excluded, unsure_run):
    thresholds = Thresholds(positive, negative)
    expected = naive(scores, states, thresholds, excluded, unsure_run, run=1)
    found = propose(scores, states, thresholds, excluded, unsure_run, run=1)
    assert found.dtype == np.int8
    assert (found == expected).all()
    counts = count_proposals(found)
    assert counts[0].tolist() == (expected == 1).sum(axis=0).tolist()
    assert counts[1].tolist() == (expected == -1).sum(axis=0).tolist()


def test_propose_never_touches_a_known_cell():
    scores = np.array([[1.0, 0.0]], dtype=np.float16)
    assert propose(scores, np.array([[-1, 1]], dtype=np.int8), Thresholds.constant(2)).tolist() == [[0, 0]]
    assert propose(scores, np.array([[0, 0]], dtype=np.int8), Thresholds.constant(2)).tolist() == [[1, -1]]


def test_propose_without_images():
    empty = np.zeros((0, 2))
    assert propose(empty.astype(np.float16), empty.astype(np.int8), Thresholds.constant(2)).shape == (0, 2)


def test_unsure_cells_come_back_with_the_next_run():
    states, unsure = np.zeros((1, 2), dtype=np.int8), np.array([[1, -1]], dtype=np.int32)
    assert open_cells(states, unsure_run=unsure, run=1).tolist() == [[False, True]]
    assert open_cells(states, unsure_run=unsure, run=2).tolist() == [[True, True]]
    assert open_cells(states, unsure_run=unsure, run=-1).tolist() == [[True, True]]


def test_confidences_are_of_the_claim():
    scores = np.array([0.25, 0.25, 1.0], dtype=np.float16)
    assert confidences(scores, np.array([1, -1, -1], dtype=np.int8)).tolist() == [0.25, 0.75, 0.0]


def test_changes_name_each_cell_once():
    before = np.array([[0, 1, 1, 1, -1, 0, -1]], dtype=np.int8)
    after = np.array([[1, 0, 1, -1, 1, 0, 0]], dtype=np.int8)
    states = np.array([[0, 0, 0, 0, 0, 0, 1]], dtype=np.int8)
    found = changes(before, after, states)
    assert found.new.tolist() == [[True, False, False, False, False, False, False]]
    assert found.withdrawn.tolist() == [[False, True, False, False, False, False, False]]
    assert found.flipped.tolist() == [[False, False, False, True, True, False, False]]
    assert changes(before, after).withdrawn.sum() == 2


def test_thresholds_go_to_json_and_back_by_name():
    thresholds = Thresholds(np.array([0.9, 0.95]), np.array([0.8, 1.0]))
    saved = thresholds.to_json(["cat", "dog"])
    assert saved == {"positive": {"cat": 0.9, "dog": 0.95}, "negative": {"cat": 0.8, "dog": 1.0}}
    moved = Thresholds.from_json(["dog", "emu", "cat"], saved)
    assert moved.positive.tolist() == [0.95, 0.95, 0.9]
    assert moved.negative.tolist() == [1.0, 0.95, 0.8]
    assert Thresholds.from_json(["dog"], {}).negative.tolist() == [0.95]


def test_replace_changes_one_number_in_a_copy():
    thresholds = Thresholds.constant(2)
    changed = thresholds.replace(1, -1, 0.7)
    assert changed.negative.tolist() == [0.95, 0.7]
    assert changed.positive.tolist() == thresholds.positive.tolist() == thresholds.negative.tolist() == [0.95, 0.95]


@pytest.mark.parametrize("wrong", [0.49, 1.01, np.nan])
def test_thresholds_outside_their_range_are_refused(wrong):
    with pytest.raises(StudioError, match="negative threshold of class number 1"):
        Thresholds(np.array([0.9, 0.9]), np.array([0.9, wrong]))


def test_thresholds_of_different_lengths_are_refused():
    with pytest.raises(StudioError, match="shapes"):
        Thresholds(np.array([0.9]), np.array([0.9, 0.9]))
