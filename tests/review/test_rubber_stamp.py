import dataclasses

import numpy as np
import pytest

from logicmix_studio.review import clopper_pearson, plant_suggestions, rubber_stamp


def test_planted_suggestions_are_wrong_and_never_of_test_images(make_view):
    view = make_view(200, 4)
    planted = plant_suggestions(view, 12, seed=1)
    known = view.states.ravel()[planted.cells]
    assert len(set(planted.cells.tolist())) == 12
    assert (planted.suggested == -known).all()
    assert (known != 0).all()
    assert not view.excluded_rows[planted.cells // 4].any()
    scores = view.scores.ravel()[planted.cells].astype(float)
    assert (np.sign(scores - 0.5) == known).all()
    assert plant_suggestions(view, 12, seed=1).cells.tolist() == planted.cells.tolist()
    assert plant_suggestions(view, 12, seed=2).cells.tolist() != planted.cells.tolist()


@pytest.mark.parametrize("sign", [-1, 1])
def test_planted_suggestions_can_be_of_one_sign(view, sign):
    planted = plant_suggestions(view, 3, seed=0, sign=sign)
    assert planted.suggested.tolist() == [sign] * 3


def test_fewer_come_where_fewer_are_known(view):
    states = np.zeros_like(view.states)
    assert len(plant_suggestions(dataclasses.replace(view, states=states), 5, seed=0).cells) == 0
    states[view.splits == "train"] = 1
    bare = dataclasses.replace(view, states=states, scores=None, proposals=None, previous=None)
    planted = plant_suggestions(bare, 10_000, seed=0)
    assert len(planted.cells) == (states != 0).sum()


@pytest.mark.parametrize(
    ("accepted", "shown", "words"),
    [
        (0, 0, "Too early to say: 0 of 10"),
        (9, 9, "Too early to say: 9 of 10"),
        (1, 20, "You caught 19 of 20 planted mistakes. Thank you"),
        (3, 20, "You caught 17 of 20 planted mistakes."),
        (12, 20, "12 of 20 planted mistakes went through. It happens to everybody"),
    ],
)
def test_the_message_is_kind_and_fits_the_figures(accepted, shown, words):
    assert rubber_stamp("ada", accepted, shown).message().startswith(words)


def test_a_middling_share_is_neither_praised_nor_blamed():
    assert rubber_stamp("ada", 3, 20).message() == "You caught 17 of 20 planted mistakes."


def test_the_share_has_an_interval():
    found = rubber_stamp("ada", 3, 20)
    assert found.share == 0.15
    assert found.interval == pytest.approx(tuple(float(end) for end in clopper_pearson(3, 20)))
    assert rubber_stamp("ada", 0, 0).share is None
