import numpy as np
import pytest

from logicmix_studio.training.checkpoint import Position
from logicmix_studio.training.metrics import Metrics
from logicmix_studio.training.selection import is_over, judge_epoch
from logicmix_studio.training.settings import SelectionSettings

SETTINGS = SelectionSettings(patience=2)


def metrics_of(value, loss=0.5):
    return Metrics(value, np.zeros(1), 0.0, 0.0, 0.0, loss, 10)


def run_through(values, settings=SETTINGS, first_pseudo_epoch=3):
    position = Position()
    for epoch, value in enumerate(values, start=1):
        position, _ = judge_epoch(position, epoch, metrics_of(value), settings, first_pseudo_epoch)
    return position


def test_the_best_is_kept_and_an_equal_later_one_replaces_it():
    position = run_through([0.3, 0.5, 0.4, 0.5])

    assert (position.best_value, position.best_epoch, position.epochs_without_gain) == (0.5, 4, 0)


def test_epochs_count_only_once_pseudo_labels_are_in_use():
    assert run_through([0.9, 0.1, 0.1]).epochs_without_gain == 0
    assert run_through([0.9, 0.1, 0.1, 0.1, 0.1]).epochs_without_gain == 2
    slip = SelectionSettings(patience=2, can_stop_before_pseudo=True)
    assert run_through([0.9, 0.1, 0.1], slip).epochs_without_gain == 2


@pytest.mark.parametrize(("count", "over"), [(1, False), (2, True)])
def test_patience(count, over):
    position = Position(epochs_without_gain=count)

    assert is_over(position, SETTINGS) is over
    assert not is_over(position, SelectionSettings(patience=2, has_early_stop=False))


def test_the_loss_decides_where_there_is_no_map():
    nan = float("nan")
    first, _ = judge_epoch(Position(), 1, metrics_of(nan, loss=0.5), SETTINGS, 0)
    second, is_best = judge_epoch(first, 2, metrics_of(nan, loss=0.7), SETTINGS, 0)

    assert not is_best
    assert second.best_epoch == 1


def test_the_latest_is_kept_where_nothing_is_held_out():
    nan = float("nan")
    first, _ = judge_epoch(Position(), 1, metrics_of(nan, loss=nan), SETTINGS, 0)
    second, is_best = judge_epoch(first, 2, metrics_of(nan, loss=nan), SETTINGS, 0)

    assert is_best
    assert (second.best_epoch, second.best_value) == (2, None)
