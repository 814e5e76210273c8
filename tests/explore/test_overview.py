from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.overview import MAX_POINTS, Rate, wrong_cells
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio

STATES = np.array([[1, -1, 0], [1, 0, 0], [-1, -1, 0], [1, 1, 1]], dtype=np.int8)
PROPOSALS = np.array([[0, 0, 1], [0, -1, 0], [0, 0, -1], [0, 0, 0]], dtype=np.int8)


def unknown_cell(studio: Studio, at: int = 0) -> tuple[str, str]:
    row, column = np.argwhere(studio.states == UNKNOWN)[at]
    return studio.image_ids[row], studio.class_names[column]


def test_wrong_cells() -> None:
    truth = np.array([[1, -1, 1], [1, 1, -1], [-1, -1, -1], [1, 1, 0]], dtype=np.int8)
    assert wrong_cells(PROPOSALS, truth, 1) == Rate(0, 1)
    assert wrong_cells(PROPOSALS, truth, -1) == Rate(1, 2)
    assert wrong_cells(STATES, truth, 1) == Rate(0, 4)
    assert wrong_cells(np.zeros_like(STATES), truth, 1) == Rate(0, 0)


def test_classes(studio: Studio) -> None:
    classes = studio.overview.classes()
    assert classes["class_name"].tolist() == list(studio.class_names)
    assert classes["positive"].tolist() == (studio.states == 1).sum(axis=0).tolist()
    states = ["positive", "negative", "pseudo_positive", "pseudo_negative", "unknown"]
    assert (classes[states].sum(axis=1) == 24).all()
    assert classes["known"].tolist() == pytest.approx((studio.states != 0).mean(axis=0).tolist())


def test_counts_follow_decisions(studio: Studio) -> None:
    before = studio.overview.counts().known
    studio.decide(*unknown_cell(studio), 1)
    assert studio.overview.counts().known == before + 1
    studio.undo()
    assert studio.overview.counts().known == before


def test_what_a_person_chose_is_seen_at_once(studio: Studio) -> None:
    version = studio.overview.version
    studio.overview.set_goal(0.9)
    assert studio.overview.version != version
    assert studio.overview.speed().goal == 0.9
    with pytest.raises(StudioError, match="no goal"):
        studio.overview.set_goal(0)


def test_expected_positives(studio: Studio) -> None:
    current = studio.proposed.current
    assert current is not None
    expected = current.scores.astype(float)[studio.states == UNKNOWN].sum()
    assert studio.overview.expected_positives() == round(expected)


def test_expected_positives_before_a_run(open_studio: Callable[..., Studio]) -> None:
    assert open_studio(runs=0).overview.expected_positives() is None


class TestErrors:
    def test_nobody_knows(self, studio: Studio) -> None:
        assert studio.overview.errors() == ("", {})

    def test_by_the_truth(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(trial=True)
        how, rates = studio.overview.errors()
        assert how == "truth"
        assert rates["pseudo_positive"].total == int((studio.proposed.array() == 1).sum())
        assert rates["known_positive"] == Rate(0, int((studio.states == 1).sum()))
        row, column = np.argwhere((studio.states == UNKNOWN) & (studio.complete == -1))[0]
        studio.decide(studio.image_ids[row], studio.class_names[column], 1)
        assert studio.overview.errors()[1]["known_positive"].wrong == 1

    def test_by_audits(self, studio: Studio) -> None:
        first, second, *_ = studio.proposals(value=1)
        for claim, state in ((first, 1), (second, -1)):
            decision = Decision(claim.image_id, claim.class_name, state, score=claim.score)
            studio.ledger.decide([decision], who="ada", origin="audit", run=1)
        assert studio.overview.errors() == ("audits", {"pseudo_positive": Rate(1, 2), "pseudo_negative": Rate(0, 0)})
        studio.undo()
        assert studio.overview.errors()[1]["pseudo_positive"] == Rate(0, 1)


class TestOverTime:
    def test_the_curve_follows_decisions_and_undo(self, studio: Studio) -> None:
        imported, size = int(np.count_nonzero(studio.states)), studio.states.size
        studio.decide(*unknown_cell(studio), 1)
        assert (studio.overview.curve()["known"] * size).round().tolist() == [imported, imported + 1]
        studio.undo()
        curve = studio.overview.curve()
        assert (curve["known"] * size).round().tolist() == [imported, imported + 1, imported]
        assert curve["time"].is_monotonic_increasing

    def test_a_long_journal_is_thinned(self, studio: Studio) -> None:
        for place in range(MAX_POINTS):
            studio.decide(*unknown_cell(studio, place % 5), 1)
            studio.undo()
        curve = studio.overview.curve()
        assert len(curve) == MAX_POINTS
        assert curve["known"].iloc[-1] == np.count_nonzero(studio.states) / studio.states.size

    def test_rounds(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(trial=True, runs=2)
        claim = studio.proposals()[0]
        studio.ledger.decide(
            [Decision(claim.image_id, claim.class_name, claim.value, "accept")], who="ada", origin="grid", run=2
        )
        rounds = studio.overview.rounds()
        assert rounds["run"].tolist() == [1, 2]
        assert rounds["map"].tolist() == pytest.approx([0.68, 0.76])
        assert rounds["map_place"].tolist() == ["held-out"] * 2
        assert rounds["measured"].tolist() == ["held-out cells"] * 2
        assert rounds["answers"].tolist() == [0, 1]
        assert rounds["accepted"].tolist() == [0, 1]
        assert rounds["is_current"].tolist() == [False, True]
        how, rates = studio.overview.errors()
        wrong, total = rates["pseudo_positive"]
        assert how == "truth"
        assert rounds["positives_right"].iloc[1] == pytest.approx(1 - wrong / total)

    def test_a_run_whose_scores_are_gone_still_is_a_round(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(trial=True, runs=2)
        (studio.jobs.folder(1) / "logits.npy").unlink()
        assert studio.overview.rounds()["positives_right"].notna().tolist() == [False, True]

    def test_no_round(self, open_studio: Callable[..., Studio]) -> None:
        assert open_studio(runs=0).overview.rounds().empty


class TestTogether:
    def test_equals_the_naive_count(self, studio: Studio) -> None:
        table = studio.overview.together()
        for i, row in enumerate(table.index):
            for j, column in enumerate(table.columns):
                judged = [s[j] == 1 for s in studio.states if s[i] == 1 and s[j] != 0]
                expected = np.mean(judged) if judged and i != j else np.nan
                assert table.loc[row, column] == pytest.approx(expected, nan_ok=True)

    def test_of_some_classes(self, studio: Studio) -> None:
        assert studio.overview.together(class_names=["ring", "star"]).columns.tolist() == ["ring", "star"]
        assert studio.overview.together(top=2).shape == (2, 2)
        with pytest.raises(StudioError, match="no class 'none'"):
            studio.overview.together(class_names=["none"])


@pytest.mark.parametrize(
    "options",
    [
        {"num_images": 1},
        {"class_names": ["only"]},
        {"known_proportion": 0.0},
        {"known_proportion": 1.0, "trial": True},
        {"num_images": 0, "runs": 0},
        {"class_names": [], "runs": 0},
        {"class_names": [f"class {i}" for i in range(1000)], "num_images": 6},
    ],
    ids=["one image", "one class", "all unknown", "all known", "no image", "no class", "a thousand classes"],
)
def test_odd_data_sets(open_studio: Callable[..., Studio], options: dict[str, Any]) -> None:
    overview = open_studio(**options).overview
    counts = overview.counts()
    assert counts.total == counts.known + counts.pseudo + counts.unknown.sum()
    assert len(overview.classes()) == len(counts.positive)
    assert overview.together().shape == (min(20, len(counts.positive)),) * 2
    assert len(overview.curve()) == 1
    assert bool(overview.next_steps()) == bool(counts.total)
    assert len(overview.rounds()) == (1 if options.get("runs", 1) else 0)
    assert overview.speed().missing == max(0, -(-counts.total // 2) - counts.known)
