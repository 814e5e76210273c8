import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score
from torchmetrics.functional.classification import binary_average_precision

from logicmix_studio.training.metrics import average_precision, average_precisions, difference, map_interval, measure


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_equals_torchmetrics(seed):
    generator = np.random.default_rng(seed)
    scores = generator.integers(0, 12, 200) / 12  # many ties
    truth = generator.random(200) < 0.3
    expected = binary_average_precision(torch.from_numpy(scores), torch.from_numpy(truth).long())

    assert average_precision(scores, truth) == pytest.approx(float(expected), abs=1e-6)


def test_average_precision_by_hand():
    # Ranked: hit, miss, hit. Precision 1 at the first half of the recall, 2/3 at the second.
    assert average_precision(np.array([0.9, 0.8, 0.7]), np.array([True, False, True])) == pytest.approx(5 / 6)


@pytest.mark.parametrize("truth", [[], [True, True], [False]])
def test_average_precision_needs_both_signs(truth):
    assert np.isnan(average_precision(np.zeros(len(truth)), np.array(truth, dtype=bool)))


def test_unknown_cells_never_enter():
    generator = np.random.default_rng(0)
    scores = generator.random((50, 4))
    states = generator.integers(-1, 2, (50, 4)).astype(np.int8)
    other = np.where(states == 0, 1 - scores, scores)

    first, second = measure(scores, states), measure(other, states)

    assert first.map == second.map
    assert first.num_cells == int((states != 0).sum())
    assert (first.overall_f1, first.class_f1, first.loss) == (second.overall_f1, second.class_f1, second.loss)


def test_a_class_without_both_signs_leaves_the_mean():
    scores = np.array([[0.9, 0.3], [0.1, 0.2]])
    metrics = measure(scores, np.array([[1, 1], [-1, 0]], np.int8))

    assert metrics.map == 1.0
    assert np.isnan(metrics.average_precision[1])
    assert metrics.as_dict(["a", "b"])["ap"]["a"] == 1.0


def test_nothing_known():
    metrics = measure(np.full((3, 2), 0.5), np.zeros((3, 2), np.int8))

    assert np.isnan(metrics.map)
    assert np.isnan(metrics.loss)
    assert metrics.num_cells == 0


def test_f1_scores_equal_sklearn_where_all_is_known():
    generator = np.random.default_rng(1)
    states = np.where(generator.random((80, 3)) < 0.4, 1, -1).astype(np.int8)
    scores = generator.random((80, 3))
    metrics = measure(scores, states)

    assert metrics.overall_f1 == pytest.approx(f1_score((states > 0).ravel(), (scores >= 0.5).ravel()))
    claimed, truth = scores >= 0.5, states > 0
    precision = np.mean([(claimed & truth)[:, c].sum() / claimed[:, c].sum() for c in range(3)])
    recall = np.mean([(claimed & truth)[:, c].sum() / truth[:, c].sum() for c in range(3)])
    assert metrics.class_f1 == pytest.approx(2 * precision * recall / (precision + recall))


def test_difference__tells_better_worse_and_cannot_be_told():
    generator = np.random.default_rng(0)
    states = np.where(generator.random((300, 4)) < 0.3, 1, -1).astype(np.int8)
    good = states + generator.normal(0, 0.8, states.shape)
    poor = states + generator.normal(0, 3.0, states.shape)

    assert difference(good, poor, states).verdict == 1
    assert difference(poor, good, states).verdict == -1
    found = difference(good, poor, states)
    assert found.low < found.value < found.high
    few = np.where(np.arange(300)[:, None] < 8, states, 0).astype(np.int8)
    assert difference(good, good + generator.normal(0, 0.1, states.shape), few).verdict == 0
    assert np.isnan(difference(good, poor, np.zeros_like(states)).value)


def drawn_by_hand(states, *sets, draws=300):
    generator, rows = np.random.default_rng(526), np.flatnonzero((states != 0).any(axis=1))
    for _ in range(draws):
        some = rows[generator.integers(len(rows), size=len(rows))]
        yield [np.nanmean(average_precisions(scores[some], states[some])) for scores in sets]


def test_intervals_equal_those_of_images_drawn_one_by_one():
    generator = np.random.default_rng(3)
    states = generator.choice([-1, 0, 1], p=[0.5, 0.3, 0.2], size=(60, 4)).astype(np.int8)
    states[:, 2] = np.abs(states[:, 2])  # a class without a negative is left out
    scores = (generator.integers(1, 7, states.shape) + states) / 8  # many ties
    other = (generator.integers(1, 7, states.shape) + states) / 8
    drawn = np.array(list(drawn_by_hand(states[:, [0, 1, 3]], scores[:, [0, 1, 3]], other[:, [0, 1, 3]])))

    gap = difference(scores, other, states)
    assert gap.value == pytest.approx(measure(scores, states).map - measure(other, states).map)
    assert (gap.low, gap.high) == pytest.approx(np.quantile(drawn[:, 0] - drawn[:, 1], (0.025, 0.975)), abs=1e-6)
    found, excess = map_interval(scores, states), 2 * (drawn[:, 0].mean() - measure(scores, states).map)
    assert found.value == pytest.approx(measure(scores, states).map)
    expected = np.quantile(drawn[:, 0], (0.025, 0.975)) - excess
    assert (found.low, found.high) == pytest.approx(
        (min(expected[0], found.value), max(expected[1], found.value)), abs=1e-6
    )


def test_an_interval_lies_in_0_to_1_around_its_value():
    truth = np.where(np.arange(40) < 12, 1, -1).astype(np.int8)[:, None]
    perfect = map_interval(truth, truth)
    assert (perfect.value, perfect.low, perfect.high) == (1.0, 1.0, 1.0)
    noise = np.random.default_rng(0).normal(size=truth.shape)
    few = map_interval(truth + 2 * noise, truth)
    assert 0 <= few.low < few.value < few.high <= 1
    assert np.isnan(map_interval(truth, np.abs(truth)).value)
    assert np.isnan(map_interval(truth, np.zeros_like(truth)).low)


def test_most_intervals_hold_the_truth():
    def sample(seed, num_images):
        generator = np.random.default_rng(seed)
        states = np.where(generator.random((num_images, 10)) < 0.05, 1, -1).astype(np.int8)
        return 0.7 * states + generator.normal(size=states.shape), states

    true = np.nanmean(average_precisions(*sample(0, 100_000)))
    found = [map_interval(*sample(seed, 300)) for seed in range(1, 31)]
    assert sum(one.low <= true <= one.high for one in found) >= 24
