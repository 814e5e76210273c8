import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.review.score_bits import (
    LAST_BIT,
    certainty_ranks,
    negative_cut,
    positive_cut,
    score_bits,
    score_values,
)


def test_bits_rise_with_the_score():
    values = score_values()
    assert values[0] == 0.0
    assert values[-1] == 1.0
    assert len(values) == LAST_BIT + 1
    assert (np.diff(values) > 0).all()
    assert (score_bits(values.astype(np.float16)) == np.arange(LAST_BIT + 1)).all()


@pytest.mark.parametrize("bad", [np.nan, -0.5, 1.01, np.inf])
def test_score_bits_names_the_place_of_a_score_out_of_range(bad):
    scores = np.full((3, 2), 0.5, dtype=np.float16)
    scores[2, 1] = bad
    with pytest.raises(StudioError, match=r"\(2, 1\)"):
        score_bits(scores)


def test_score_bits_refuses_another_type():
    with pytest.raises(StudioError, match="float32"):
        score_bits(np.zeros((1, 1), dtype=np.float32))


def test_score_bits_of_nothing():
    assert score_bits(np.zeros((0, 4), dtype=np.float16)).shape == (0, 4)


@pytest.mark.parametrize("threshold", [0.5, 0.51, 0.7, 0.9, 0.95, 0.9501, 0.99, 0.9999, 1.0])
def test_cuts_agree_with_the_comparison_of_every_score(threshold):
    values, bits = score_values(), np.arange(LAST_BIT + 1)
    assert ((bits >= positive_cut(threshold)) == ((values >= threshold) & (values > 0.5))).all()
    assert ((bits <= negative_cut(threshold)) == ((1 - values >= threshold) & (values < 0.5))).all()


def test_certainty_ranks_order_by_distance_from_one_half():
    ranks, distance = certainty_ranks().astype(int), np.abs(score_values() - 0.5)
    order = np.argsort(distance, kind="stable")
    assert (np.diff(ranks[order]) >= 0).all()
    assert ((np.diff(ranks[order]) == 0) == (np.diff(distance[order]) == 0)).all()
    assert ranks.min() == 0
    assert ranks.max() <= LAST_BIT
