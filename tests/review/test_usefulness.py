from itertools import product

import numpy as np
import pytest

from logicmix_studio.labels import kleene_or
from logicmix_studio.review.score_bits import score_bits
from logicmix_studio.review.usefulness import answer_gains, usefulness


def settled_by_brute_force(column, row, answer, num_sources):
    """Count over every blend the open labels that an answer turns known."""
    after = column.copy()
    after[row] = answer
    picks = np.array(list(product(range(len(column)), repeat=num_sources)))
    was_open = kleene_or(column[picks], axis=1) == 0
    is_known = kleene_or(after[picks], axis=1) != 0
    return (was_open & is_known).sum() / len(picks)


@pytest.mark.parametrize("num_sources", [(1,), (2,), (3,), (2, 3)])
@pytest.mark.parametrize(
    "column",
    [[0, 0, 0, 0, 0], [0, 1, 1, -1, 0], [-1, -1, -1, 0, -1], [1, 1, 1, 1, 0], [0]],
    ids=["all unknown", "mixed", "one from all negative", "one among positives", "one image"],
)
def test_gains_equal_the_count_over_all_blends(column, num_sources):
    states = np.array(column, dtype=np.int8)
    row = int(np.flatnonzero(states == 0)[-1])
    gains = answer_gains(states[:, np.newaxis], num_sources=num_sources, mix_probability=0.25)
    for answer, gain in ((1, gains.positive[0]), (-1, gains.negative[0])):
        chances = [settled_by_brute_force(states, row, answer, k) for k in num_sources]
        assert gain == pytest.approx(0.25 * len(states) * np.mean(chances), abs=1e-12)


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
