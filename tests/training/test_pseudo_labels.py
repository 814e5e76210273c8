import numpy as np

from logicmix_studio.training.pseudo_labels import count_pseudo, pseudo_states


def test_only_sure_logits_of_unknown_cells():
    logits = np.array([[5.0, -5.0, 5.0, -5.0, 4.0, np.nan]], np.float32)
    known = np.array([[0, 0, -1, 1, 0, 0]], np.int8)

    assert pseudo_states(logits, known, 4.0, -4.0).tolist() == [[1, -1, 0, 0, 0, 0]]


def test_counts():
    now = np.array([[1, -1], [1, 0]], np.int8)
    before = np.array([[1, 1], [0, 0]], np.int8)

    assert count_pseudo(now, before, ["a", "b"]) == {
        "positive": 2,
        "negative": 1,
        "per_class": {"a": [2, 0], "b": [0, 1]},
        "changed": 2,
    }
