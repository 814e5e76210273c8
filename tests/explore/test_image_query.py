from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_query import (
    NOBODY,
    SORTS,
    STATES,
    FoundImages,
    ImageQuery,
    JournalIndex,
    find_images,
)
from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio


def _find(studio: Studio, **conditions: Any) -> FoundImages:
    query = ImageQuery(**conditions)
    return find_images(studio.dataset, studio.proposed, JournalIndex(studio.ledger), query)


def _rows(studio: Studio, **conditions: Any) -> list[int]:
    return _find(studio, **conditions).rows.tolist()


def _naive(studio: Studio, wanted: Callable[[int, int, float], bool], column: int | None) -> list[int]:
    current, proposals = studio.proposed.current, studio.proposed.array()
    assert current is not None
    columns = range(len(studio.class_names)) if column is None else [column]
    return [
        row
        for row in range(len(studio.states))
        if any(
            wanted(int(studio.states[row, c]), int(proposals[row, c]), float(current.scores[row, c])) for c in columns
        )
    ]


class TestFind:
    def test_everything_by_name_is_the_default(self, studio: Studio) -> None:
        found = _find(studio)
        assert found.rows.tolist() == list(range(24))
        assert found.num_test == 2
        assert found.num_cells == 24 * 6

    @pytest.mark.parametrize("state", STATES)
    @pytest.mark.parametrize("class_name", ["", "star"])
    def test_state__equals_the_naive_loop(self, studio: Studio, state: str, class_name: str) -> None:
        means = {
            "positive": lambda s, p, _: s == 1,
            "negative": lambda s, p, _: s == -1,
            "known": lambda s, p, _: s != 0,
            "pseudo": lambda s, p, _: p != 0,
            "pseudo-positive": lambda s, p, _: p == 1,
            "pseudo-negative": lambda s, p, _: p == -1,
            "unknown": lambda s, p, _: s == 0 and p == 0,
            "open": lambda s, p, _: s == 0,
        }
        column = studio.class_names.index(class_name) if class_name else None
        assert _rows(studio, class_name=class_name, state=state) == _naive(studio, means[state], column)

    def test_state_and_score_band_speak_of_the_same_cell(self, studio: Studio) -> None:
        found = _rows(studio, state="unknown", score_from=0.2, score_to=0.9)
        low, high = float(np.float16(0.2)), float(np.float16(0.9))
        assert found == _naive(studio, lambda s, p, score: s == 0 and p == 0 and low <= score <= high, None)

    def test_split_and_path(self, studio: Studio) -> None:
        assert _rows(studio, split="test") == [11, 23]
        assert _rows(studio, split="none") == []
        assert _rows(studio, path="PART1/image-0000") == [1, 4, 7]

    def test_images_that_were_chosen(self, studio: Studio) -> None:
        chosen = ",".join(studio.image_ids[row] for row in (7, 1, 11))
        assert _rows(studio, images=chosen) == [1, 7, 11]
        assert _rows(studio, images=chosen, split="test") == [11]
        with pytest.raises(StudioError, match="no image"):
            _rows(studio, images="../secret.jpg")

    def test_person_and_source(self, studio: Studio) -> None:
        ledger = studio.ledger
        ledger.decide([Decision(studio.image_ids[2], "circle", 1)], who="grace", origin="browse")
        ledger.decide([Decision(studio.image_ids[5], "star", -1)], who="ada", origin="browse")
        assert _rows(studio, person="grace") == [2]
        assert _rows(studio, person="grace", class_name="star") == []
        assert _rows(studio, person="nobody") == []
        assert _rows(studio, source="human") == [2, 5]

    def test_counts__are_of_images_under_the_other_conditions(self, studio: Studio) -> None:
        found = _find(studio, class_name="star", state="positive", split="train")
        in_train = np.array(studio.table.splits) == "train"
        stars = studio.states[:, studio.class_names.index("star")]
        assert found.counts["positive"] == len(found.rows) == int(((stars == 1) & in_train).sum())
        assert found.counts["negative"] == int(((stars == -1) & in_train).sum())
        assert found.num_cells == len(found.rows)

    @pytest.mark.parametrize("sort", SORTS)
    def test_every_order_shows_every_image_once(self, studio: Studio, sort: str) -> None:
        assert sorted(_rows(studio, sort=sort)) == list(range(24))

    def test_orders_by_score(self, studio: Studio) -> None:
        current = studio.proposed.current
        assert current is not None
        scores = current.scores[:, 3].astype(float)
        assert np.all(np.diff(scores[_rows(studio, class_name="star", sort="score-high")]) <= 0)
        assert np.all(np.diff(scores[_rows(studio, class_name="star", sort="score-low")]) >= 0)
        uncertain = _rows(studio, class_name="star", sort="uncertain")
        assert np.all(np.diff(np.abs(scores[uncertain] - 0.5)) >= 0)

    def test_orders_by_name_and_by_what_is_known(self, studio: Studio) -> None:
        assert _rows(studio, sort="name-down") == list(reversed(range(24)))
        known = np.count_nonzero(studio.states, axis=1)
        assert np.all(np.diff(known[_rows(studio, sort="most-unknown")]) >= 0)
        assert np.all(np.diff(known[_rows(studio, sort="most-known")]) <= 0)

    def test_changed_last_comes_first(self, studio: Studio) -> None:
        studio.decide(studio.image_ids[9], "circle", 1)
        studio.decide(studio.image_ids[4], "circle", 1)
        assert _rows(studio, sort="changed")[:2] == [4, 9]

    def test_scores_of_an_earlier_run(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=2)
        now = _find(studio, class_name="star", sort="score-high")
        earlier = _find(studio, class_name="star", sort="score-high", run=1)
        assert (now.run, earlier.run) == (2, 1)
        assert now.rows.tolist() != earlier.rows.tolist()

    def test_without_a_run_there_is_no_score_band(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=0)
        assert _rows(studio, score_from=0.1) == []
        assert _rows(studio, sort="uncertain") == list(range(24))
        assert _find(studio).run is None

    def test_one_image_one_class_nothing_known(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(num_images=1, class_names=["only"], known_proportion=0.0, runs=0)
        assert _rows(studio, class_name="only", state="open") == [0]
        assert _rows(studio, class_name="only", state="known") == []

    @pytest.mark.parametrize(
        ("conditions", "message"),
        [
            ({"state": "maybe"}, "no state 'maybe'"),
            ({"sort": "size"}, "no sort 'size'"),
            ({"source": "moon"}, "no source 'moon'"),
            ({"score_from": 0.9, "score_to": 0.1}, "score band"),
            ({"class_name": "unicorn"}, "no class 'unicorn'"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, studio: Studio, conditions: dict[str, Any], message: str) -> None:
        with pytest.raises(StudioError, match=message):
            _rows(studio, **conditions)

    def test_beside(self, studio: Studio) -> None:
        found = _find(studio, path="part1/image-0000")
        assert found.beside(1) == (None, 4)
        assert found.beside(4) == (1, 7)
        assert found.beside(7) == (4, None)
        assert found.beside(0) == (None, None)


class TestIndex:
    def test_undo_gives_a_cell_back_to_whoever_had_it(self, studio: Studio) -> None:
        ledger, image = studio.ledger, studio.image_ids[0]
        index = JournalIndex(ledger)
        steps: list[int] = []

        def look() -> None:
            steps.append(int(index.deciders()[0, 0]))

        look()
        ledger.decide([Decision(image, "circle", 1)], who="ada", origin="browse")
        look()
        ledger.decide([Decision(image, "circle", -1)], who="grace", origin="browse")
        look()
        ledger.undo("grace")
        look()
        ledger.redo("grace")
        look()
        ledger.undo("grace")
        ledger.undo("ada")
        look()
        assert steps == [NOBODY, 0, 1, 0, 1, NOBODY]
        assert index.people == ["ada", "grace"]
        assert index.changed()[:2].tolist() == [6, 0]

    def test_read_late__it_knows_the_same(self, studio: Studio) -> None:
        ledger, image = studio.ledger, studio.image_ids[0]
        for who, state in (("ada", 1), ("grace", -1)):
            ledger.decide([Decision(image, "circle", state)], who=who, origin="browse")
        ledger.undo("grace")
        index = JournalIndex(ledger)
        assert index.deciders()[0, 0] == 0
        assert index.people == ["ada", "grace"]
