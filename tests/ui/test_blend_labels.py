from __future__ import annotations

import numpy as np

from logicmix_studio.explore.blend_labels import SourceLabels, count_rows, truth_rows

NAMES = ("dog", "cat", "leash")


def labels(states: list[list[int]], proposals: list[list[int]] | None = None, **more: object) -> SourceLabels:
    array = np.array(states, dtype=np.int8)
    claims = np.zeros_like(array) if proposals is None else np.array(proposals, dtype=np.int8)
    return SourceLabels(array, claims, more.get("scores"), more.get("complete"))  # type: ignore[arg-type]


def test_rows_say_state_law_and_reason() -> None:
    rows = truth_rows(NAMES, labels([[-1, -1, 0], [1, -1, -1]]))
    assert [row["class"] for row in rows] == list(NAMES)
    assert [row["result"] for row in rows] == [1, -1, 0]
    assert [row["law"] for row in rows] == ["domination", "identity", "open"]
    assert rows[0]["reason"] == "positive: dog is in image 2 (domination)"
    assert rows[0]["states"] == [-1, 1]
    assert rows[0]["deciding"] == [1]


def test_open_row_says_which_answers_settle_it() -> None:
    row = truth_rows(NAMES, labels([[-1, -1, 0], [1, -1, -1]]))[2]
    assert row["open"] == [0]
    assert row["settle"] == [[0, 1, 1], [0, -1, -1]]
    assert row["settling"] == "a yes in image 1 would make it positive, a no negative"


def test_pseudo_labels_count_only_when_asked_for() -> None:
    given = labels([[0, -1, 0], [-1, -1, 0]], [[1, 0, 0], [0, 0, -1]])
    without = truth_rows(NAMES, given)
    with_them = truth_rows(NAMES, given, with_proposals=True)
    assert [row["result"] for row in without] == [0, -1, 0]
    assert [row["result"] for row in with_them] == [1, -1, 0]
    assert [row["rests_on_pseudo"] for row in with_them] == [True, False, False]
    assert with_them[0]["states"] == [0, -1]  # what is known is shown as it is
    assert with_them[0]["pseudo"] == [1, 0]


def test_truth_is_the_or_of_the_complete_labels() -> None:
    complete = np.array([[1, -1, -1], [-1, -1, 1]], dtype=np.int8)
    rows = truth_rows(NAMES, labels([[0, 0, 0], [0, 0, 0]], complete=complete))
    assert [row["truth"] for row in rows] == [1, -1, 1]


def test_truth_is_none_where_nobody_knows_it() -> None:
    assert truth_rows(NAMES, labels([[0, 0, 0]]))[0]["truth"] is None


def test_scores_without_a_value_are_none() -> None:
    scores = np.array([[0.25, np.nan, 1.0]], dtype=np.float32)
    rows = truth_rows(NAMES, labels([[0, 0, 0]], scores=scores))
    assert [row["scores"] for row in rows] == [[0.25], [None], [1.0]]


def test_one_source_has_its_own_labels() -> None:
    rows = truth_rows(NAMES, labels([[1, -1, 0]]))
    assert [row["result"] for row in rows] == [1, -1, 0]


def test_count_rows() -> None:
    rows = truth_rows(NAMES, labels([[1, -1, 0], [0, -1, 0]]))
    assert count_rows(rows) == {"all": 3, "positive": 1, "negative": 1, "open": 1}
