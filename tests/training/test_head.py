import dataclasses

import numpy as np
import pytest
import torch

from logicmix_studio.training.head import HeadData, fit_head, tune_head
from logicmix_studio.training.metrics import measure
from logicmix_studio.training.settings import HeadSettings


def learnable(num_images=300, num_folds=4, seed=0):
    generator = np.random.default_rng(seed)
    features = generator.normal(3.0, 2.0, (num_images, 12)).astype(np.float16)
    features[:, 5] = 7.0  # a feature that never changes must not break the scaling
    truth = np.where(features[:, :3] > 3.5, 1, -1).astype(np.int8)
    is_known = generator.random(truth.shape) < 0.6
    is_heldout = generator.random(truth.shape) < 0.3
    states = np.where(is_known & ~is_heldout, truth, 0).astype(np.int8)
    known = np.where(is_known, truth, 0).astype(np.int8)
    folds = generator.integers(0, max(1, num_folds), truth.shape)
    return HeadData(features, states, known - states, known, folds, num_folds), truth


def scores_of(fit, features):
    return torch.sigmoid(torch.from_numpy(features).float() @ fit.weight.T + fit.bias).numpy()


def test_learns_from_known_cells():
    data, truth = learnable()
    fit = fit_head(data, HeadSettings(learning_rate=0.05, weight_decay=0.0), seed=0)

    assert measure(scores_of(fit, data.features), truth).map > 0.95
    assert np.isfinite(fit.fair_logits).all()


def test_fair_logits_come_from_heads_that_did_not_learn_from_the_cell():
    data, _ = learnable()
    row, column = np.argwhere(data.states != 0)[0]
    turned = data.states.copy()
    turned[row, column] *= -1
    other = dataclasses.replace(data, states=turned)
    settings = HeadSettings(epochs=5, learning_rate=0.05, weight_decay=0.0)
    first, second = fit_head(data, settings, seed=0), fit_head(other, settings, seed=0)
    fold = data.folds[row, column]
    same_fold = (data.folds == fold) & (data.states != 0)
    other_fold = (data.folds[:, column] != fold) & (data.states[:, column] != 0)

    np.testing.assert_array_equal(first.fair_logits[same_fold], second.fair_logits[same_fold])
    assert (first.fair_logits[other_fold, column] != second.fair_logits[other_fold, column]).any()


def test_same_seed_same_head():
    data, _ = learnable(num_folds=0)
    settings = HeadSettings(epochs=3)

    assert torch.equal(fit_head(data, settings, seed=1).weight, fit_head(data, settings, seed=1).weight)
    assert not torch.equal(fit_head(data, settings, seed=1).weight, fit_head(data, settings, seed=2).weight)


def test_checks_are_told_and_a_small_set_gets_more_epochs():
    data, _ = learnable(num_images=40)
    checks = []
    fit = fit_head(
        data,
        HeadSettings(epochs=2),
        seed=0,
        on_check=lambda epoch, epochs, loss, metrics: checks.append((epoch, epochs)),
    )

    assert fit.epochs == 300
    assert checks[-1] == (300, 300)
    assert fit.best_epoch in [epoch for epoch, _ in checks]


def test_checks_are_told_as_the_result_will_be_measured():
    data, _ = learnable()
    told = {}
    fit = fit_head(data, HeadSettings(epochs=6), seed=0, on_check=lambda *check: told.update({check[0]: check[3]}))
    result = measure(scores_of(fit, data.features), data.heldout)

    assert told[fit.best_epoch].num_cells == result.num_cells == np.count_nonzero(data.heldout)
    assert told[fit.best_epoch].map == pytest.approx(result.map, abs=1e-4)


def test_a_class_that_wrong_labels_spoilt_is_tuned_and_the_others_stay():
    data, truth = learnable(num_folds=0)
    features = torch.from_numpy(data.features).float()
    settings = HeadSettings(epochs=30, learning_rate=0.05, weight_decay=0.0)
    # Class 0 looks at the wrong feature; class 1 is perfect already; of class 2 nothing tells whether it got better.
    start = torch.zeros(3, 12)
    start[0, 9], start[1, 1], start[2, 9] = 1.0, 1.0, 1.0
    bias = torch.full((3,), -3.5)
    choosing = np.where(data.heldout != 0, truth, 0).astype(np.int8)
    choosing[:, 2] = 0
    weight, tuned_bias, is_tuned = tune_head(data.features, data.states, choosing, (start, bias), settings, seed=0)

    def precisions(weight, bias):
        scores = torch.sigmoid(torch.nn.functional.linear(features, weight, bias)).numpy()
        return measure(scores, truth).average_precision

    assert is_tuned.tolist() == [True, False, False]
    assert precisions(start, bias)[0] < 0.8
    assert precisions(weight, tuned_bias)[0] > 0.95
    torch.testing.assert_close(weight[1:], start[1:])
    torch.testing.assert_close(tuned_bias[1:], bias[1:], atol=1e-4, rtol=1e-4)
