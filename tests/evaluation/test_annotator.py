import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.annotator import SimulatedAnnotator


def complete_labels(num_images=500, num_classes=20):
    rng = np.random.default_rng(0)
    return rng.choice(np.array([-1, 1], dtype=np.int8), size=(num_images, num_classes))


def all_cells(complete):
    return np.indices(complete.shape)


def test_without_errors_the_truth_is_answered():
    complete = complete_labels()
    answers = SimulatedAnnotator(complete, error_rate=0.0).answer(*all_cells(complete))
    assert answers.dtype == np.int8
    assert (answers == complete).all()


def test_errors_come_at_their_rate_and_unsure_at_its():
    complete = complete_labels()
    answers = SimulatedAnnotator(complete, error_rate=0.02, unsure_rate=0.1, seed=4).answer(*all_cells(complete))
    assert np.mean(answers == -complete) == pytest.approx(0.02, abs=0.005)
    assert np.mean(answers == 0) == pytest.approx(0.1, abs=0.01)


def test_the_same_person_answers_alike_in_any_order():
    complete = complete_labels()
    whole = SimulatedAnnotator(complete, error_rate=0.3, seed=1).answer(*all_cells(complete))
    again = SimulatedAnnotator(complete, error_rate=0.3, seed=1)
    assert [int(again.answer(row, 3)) for row in (7, 2, 7)] == whole[[7, 2, 7], 3].tolist()
    other = SimulatedAnnotator(complete, error_rate=0.3, seed=2).answer(*all_cells(complete))
    assert (whole != other).any()


def test_verdicts_compare_with_the_proposal():
    person = SimulatedAnnotator(np.array([[1, -1, 0]], dtype=np.int8), error_rate=0.0)
    assert [person.verdict(0, column, 1) for column in range(3)] == ["accept", "reject", "unsure"]
    assert [person.verdict(0, column, -1) for column in range(3)] == ["reject", "accept", "unsure"]


@pytest.mark.parametrize(("error", "unsure"), [(-0.1, 0.0), (0.6, 0.6), (0.0, 1.1)])
def test_impossible_rates_are_refused(error, unsure):
    with pytest.raises(StudioError, match="simulated person"):
        SimulatedAnnotator(complete_labels(), error, unsure)
