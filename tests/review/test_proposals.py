import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from logicmix_studio.errors import StudioError
from logicmix_studio.review.proposals import Thresholds, changes, confident_thresholds, conflict_mask, propose

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
def test_propose_agrees_with_the_naive_loop(scores, states, positive, negative, excluded, unsure_run):
    thresholds = Thresholds(positive, negative)
    expected = naive(scores, states, thresholds, excluded, unsure_run, run=1)
    found = propose(scores, states, thresholds, excluded, unsure_run, run=1)
    assert found.dtype == np.int8
    assert (found == expected).all()


def test_propose_never_touches_a_known_cell():
    scores = np.array([[1.0, 0.0]], dtype=np.float16)
    assert propose(scores, np.array([[-1, 1]], dtype=np.int8), Thresholds.constant(2)).tolist() == [[0, 0]]
    assert propose(scores, np.array([[0, 0]], dtype=np.int8), Thresholds.constant(2)).tolist() == [[1, -1]]


def test_propose_without_images():
    empty = np.zeros((0, 2))
    assert propose(empty.astype(np.float16), empty.astype(np.int8), Thresholds.constant(2)).shape == (0, 2)


def test_unsure_cells_come_back_with_the_next_run():
    scores, states = np.ones((1, 2), dtype=np.float16), np.zeros((1, 2), dtype=np.int8)
    unsure, thresholds = np.array([[1, -1]], dtype=np.int32), Thresholds.constant(2)
    assert propose(scores, states, thresholds, unsure_run=unsure, run=1).tolist() == [[0, 1]]
    assert propose(scores, states, thresholds, unsure_run=unsure, run=2).tolist() == [[1, 1]]
    assert propose(scores, states, thresholds, unsure_run=unsure, run=-1).tolist() == [[1, 1]]


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


def arrays(states, scores):
    return np.array(states, dtype=np.int8), np.array(scores, dtype=np.float16)


def test_thresholds_are_averages_by_class():
    states, scores = arrays([[1, 1], [1, 0], [-1, 0]], [[1.0, 0.75], [0.5, 0.9], [0.25, 0.9]])
    found = confident_thresholds(states, scores)
    assert found.positive.tolist() == [0.75, 0.75]
    assert found.negative.tolist() == [0.75, 0.75]


def test_a_class_without_known_cells_takes_the_average_of_all():
    states, scores = arrays([[1, 0], [-1, 0]], [[0.875, 0.1], [0.25, 0.1]])
    found = confident_thresholds(states, scores)
    assert found.positive.tolist() == [0.875, 0.875]
    assert found.negative.tolist() == [0.75, 0.75]


def test_nothing_known_and_bad_models_have_sensible_thresholds():
    states, scores = arrays([[0, 0]], [[0.5, 0.5]])
    assert confident_thresholds(states, scores).positive.tolist() == [0.95, 0.95]
    assert not conflict_mask(states, scores).any()
    states, scores = arrays([[1], [1]], [[0.1], [0.2]])
    assert confident_thresholds(states, scores).positive.tolist() == [0.5]


def test_conflicts_are_known_cells_that_a_confident_model_contradicts():
    # Averages: positive (1 + 1 + 1 + 0) / 4 = 0.75; negative (1 + 1 + 1 + 0.125 + 0) / 5 = 0.625.
    states, scores = arrays(
        [[s] for s in (1, 1, 1, 1, -1, -1, -1, -1, -1)], [[p] for p in (1, 1, 1, 0, 0, 0, 0, 0.875, 1)]
    )
    assert np.flatnonzero(conflict_mask(states, scores)).tolist() == [3, 7, 8]


def test_a_contradiction_below_confidence_is_none():
    states, scores = arrays([[1], [1], [-1]], [[1.0], [1.0], [0.75]])
    assert not conflict_mask(states, scores).any()


def test_kept_cells_and_test_images_are_left_out():
    states, scores = arrays([[1], [1], [1], [-1], [-1]], [[0.0], [0.0], [1.0], [0.0], [0.0]])
    assert np.flatnonzero(conflict_mask(states, scores)).tolist() == [0, 1]
    excluded = np.array([True, False, False, False, False])
    assert np.flatnonzero(conflict_mask(states, scores, excluded_rows=excluded)).tolist() == [1]
    kept = np.array([[False], [True], [False], [False], [False]])
    assert np.flatnonzero(conflict_mask(states, scores, dismissed=kept)).tolist() == [0]


def test_conflicts_agree_with_the_naive_loop():
    rng = np.random.default_rng(3)
    states = rng.integers(-1, 2, size=(20_000, 3)).astype(np.int8)
    scores = np.where(states == 1, rng.beta(2, 1, states.shape), rng.beta(1, 2, states.shape)).astype(np.float16)
    wide = scores.astype(np.float64)
    expected = np.zeros(states.shape, dtype=bool)
    for column in range(3):
        known, score = states[:, column], wide[:, column]
        confident = score[known == 1].mean(), (1 - score)[known == -1].mean()
        expected[:, column] = (known == -1) & (score >= confident[0])
        expected[:, column] |= (known == 1) & (1 - score >= confident[1])
    thresholds = confident_thresholds(states, scores)
    assert thresholds.positive[0] == pytest.approx(wide[:, 0][states[:, 0] == 1].mean(), abs=1e-6)
    # Two scores apart at most: the average is summed in another order.
    assert (conflict_mask(states, scores) != expected).sum() <= 2
    assert expected.sum() > 1000
