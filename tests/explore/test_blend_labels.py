import numpy as np
import pytest

from logicmix_studio.explore.blend_labels import SourceLabels, truth_rows, verdict


def labels(states, heldout=None, pseudo=None, complete=None):
    """Return one class of some sources."""
    states = np.array(states, dtype=np.int8)[:, None]
    held = np.zeros(states.shape, dtype=bool) if heldout is None else np.array(heldout)[:, None]
    known = np.where(held, 0, states)
    claims = np.zeros_like(states) if pseudo is None else np.array(pseudo, dtype=np.int8)[:, None]
    working = np.where(known != 0, known, claims).astype(np.int8)
    truth = None if complete is None else np.array(complete, dtype=np.int8)[:, None]
    return SourceLabels(states, held, working, claims, None, truth)


def row(*args, **kwargs):
    return truth_rows(["dog"], labels(*args, **kwargs))[0]


@pytest.mark.parametrize(
    ("states", "state", "reason", "settling"),
    [
        ([0, 1], 1, "one has it: image 2", ""),
        ([1, 1, -1], 1, "one is enough: images 1 and 2 have it", ""),
        ([-1, -1], -1, "all were checked, none has it", ""),
        ([-1], -1, "it was checked: not there", ""),
        ([-1, 0], 0, "nobody looked in image 2", "yes or no in image 2 would settle it"),
        ([0, -1, 0], 0, "nobody looked in images 1 and 3", "yes in images 1 or 3 would settle it"),
    ],
)
def test_reasons(states, state, reason, settling):
    found = row(states)
    assert (found.state, found.reason, found.settling) == (state, reason, settling)


@pytest.mark.parametrize(
    ("states", "pseudo", "state", "reason"),
    [
        ([0, -1], [1, 0], 1, "one has it, says a pseudo-label of image 1: nobody checked"),
        ([0, 1], [1, 0], 1, "one has it: image 2"),
        ([0, -1], [-1, 0], -1, "a pseudo-label says no in image 1: nobody checked; image 2 checked"),
        ([0, 0], [-1, -1], -1, "a pseudo-label says no in images 1 and 2: nobody checked"),
        ([0, 0], [-1, 0], 0, "nobody looked in image 2"),
    ],
)
def test_what_is_filled_in_is_not_called_checked(states, pseudo, state, reason):
    found = row(states, pseudo=pseudo)
    assert (found.state, found.reason) == (state, reason)
    assert found.rests_on_pseudo == ("pseudo" in reason)


def test_what_is_held_out_is_not_known_to_the_trainer():
    found = row([1, -1], heldout=[True, False])
    assert (found.state, found.reason) == (0, "the answer of image 1 is held out, to measure the model")
    assert found.settling == "an answer here would be held out, too"
    assert (found.sources[0].state, found.sources[0].is_heldout) == (1, True)


def test_an_answer_that_would_be_held_out_settles_nothing():
    found = row([0, 0], heldout=[False, True])
    assert found.settling == "yes in image 1 would settle it"


def test_deciding_sources_are_marked():
    assert [cell.decides for cell in row([0, 1, -1]).sources] == [False, True, False]


def test_verdict_compares_decided_classes_with_the_truth():
    rows = [row([1], complete=[1]), row([-1], complete=[1]), row([0], complete=[1]), row([1], complete=[0])]
    assert verdict(rows) == (2, ["dog"])
    assert verdict([row([1])]) == (0, [])
