import numpy as np
import pytest

from logicmix_studio.review.conflicts import confident_thresholds, conflict_mask, find_conflicts


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
    assert len(find_conflicts(states, scores).cells) == 0
    states, scores = arrays([[1], [1]], [[0.1], [0.2]])
    assert confident_thresholds(states, scores).positive.tolist() == [0.5]


def test_conflicts_are_ranked_by_self_confidence():
    # Averages: positive (1 + 1 + 1 + 0) / 4 = 0.75; negative (1 + 1 + 1 + 0.125 + 0) / 5 = 0.625.
    states, scores = arrays(
        [[s] for s in (1, 1, 1, 1, -1, -1, -1, -1, -1)], [[p] for p in (1, 1, 1, 0, 0, 0, 0, 0.875, 1)]
    )
    found = find_conflicts(states, scores)
    assert found.cells.tolist() == [3, 8, 7]
    assert found.states.tolist() == [1, -1, -1]
    assert found.self_confidence.tolist() == [0.0, 0.0, 0.125]


def test_a_contradiction_below_confidence_is_none():
    states, scores = arrays([[1], [1], [-1]], [[1.0], [1.0], [0.75]])
    assert not conflict_mask(states, scores).any()


def test_kept_cells_and_test_images_are_left_out():
    states, scores = arrays([[1], [1], [1], [-1], [-1]], [[0.0], [0.0], [1.0], [0.0], [0.0]])
    assert find_conflicts(states, scores).cells.tolist() == [0, 1]
    excluded = np.array([True, False, False, False, False])
    assert find_conflicts(states, scores, excluded_rows=excluded).cells.tolist() == [1]
    kept = np.array([[False], [True], [False], [False], [False]])
    assert find_conflicts(states, scores, dismissed=kept).cells.tolist() == [0]


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
