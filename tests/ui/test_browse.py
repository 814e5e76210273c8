from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_index import NOBODY, JournalIndex
from logicmix_studio.explore.image_query import SORTS, STATES, BrowseSpec, browse
from logicmix_studio.explore.similar import Similar
from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio
from tests.ui.conftest import page_client


def _rows(studio: Studio, **conditions: Any) -> list[int]:
    return browse(studio, JournalIndex(studio.ledger), BrowseSpec(**conditions)).rows.tolist()


def _naive(studio: Studio, wanted: Callable[[int, int, float], bool], column: int | None) -> list[int]:
    current = studio.current
    assert current is not None
    columns = range(len(studio.class_names)) if column is None else [column]
    proposals = studio.proposals_array()
    return [
        row
        for row in range(len(studio.states))
        if any(
            wanted(int(studio.states[row, c]), int(proposals[row, c]), float(current.scores[row, c])) for c in columns
        )
    ]


class TestQuery:
    def test_everything_by_name_is_the_default(self, studio: Studio) -> None:
        assert _rows(studio) == list(range(24))

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
        assert _rows(studio, path="PART1/image-0000") == [1, 4, 7]

    def test_person_and_source(self, studio: Studio) -> None:
        ledger = studio.ledger
        ledger.decide([Decision(studio.image_ids[2], "circle", 1)], who="grace", origin="browse")
        ledger.decide([Decision(studio.image_ids[5], "star", -1)], who="ada", origin="browse")
        assert _rows(studio, who="grace") == [2]
        assert _rows(studio, who="grace", class_name="star") == []
        assert _rows(studio, who="nobody") == []
        assert _rows(studio, source="human") == [2, 5]

    def test_facets_count_images_under_the_other_conditions(self, studio: Studio) -> None:
        view = browse(
            studio,
            JournalIndex(studio.ledger),
            BrowseSpec(class_name="star", state="positive", split="train"),
        )
        in_train = np.array(studio.table.splits) == "train"
        column = studio.class_names.index("star")
        assert view.facets["positive"] == len(view.rows) == int(((studio.states[:, column] == 1) & in_train).sum())
        assert view.facets["negative"] == int(((studio.states[:, column] == -1) & in_train).sum())
        assert view.num_cells == len(view.rows)

    @pytest.mark.parametrize("sort", SORTS)
    def test_every_order_shows_every_image_once(self, studio: Studio, sort: str) -> None:
        assert sorted(_rows(studio, sort=sort)) == list(range(24))

    def test_score_orders(self, studio: Studio) -> None:
        current = studio.current
        assert current is not None
        scores = current.scores[:, 3].astype(float)
        high = _rows(studio, class_name="star", sort="score-high")
        assert np.all(np.diff(scores[high]) <= 0)
        uncertain = _rows(studio, class_name="star", sort="uncertain")
        assert np.all(np.diff(np.abs(scores[uncertain] - 0.5)) >= -1e-4)

    def test_changed_last_comes_first(self, studio: Studio) -> None:
        studio.decide(studio.image_ids[9], "circle", 1)
        studio.decide(studio.image_ids[4], "circle", 1)
        assert _rows(studio, sort="changed")[:2] == [4, 9]

    def test_without_a_run_there_is_no_score_band(self, open_studio: Callable[..., Studio]) -> None:
        assert _rows(open_studio(runs=0), score_from=0.1) == []

    @pytest.mark.parametrize(
        ("conditions", "message"),
        [
            ({"state": "maybe"}, "no state 'maybe'"),
            ({"sort": "size"}, "no order 'size'"),
            ({"source": "moon"}, "no source 'moon'"),
            ({"score_from": 0.9, "score_to": 0.1}, "score band"),
            ({"class_name": "unicorn"}, "no class 'unicorn'"),
        ],
    )
    def test_what_makes_no_sense_is_named(self, studio: Studio, conditions: dict[str, Any], message: str) -> None:
        with pytest.raises(StudioError, match=message):
            _rows(studio, **conditions)


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

    def test_people_of_an_earlier_day_are_known_at_once(self, studio: Studio) -> None:
        studio.ledger.decide([Decision(studio.image_ids[0], "circle", 1)], who="ada", origin="browse")
        assert page_client(studio).get("/api/browse").json()["people"] == ["ada"]


class TestSimilar:
    def test_the_nearest_images_share_the_classes(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(trial=True, num_images=60)
        run, found = Similar(studio).find(studio.image_ids[0], 5)
        assert run == 1
        assert len(found) == 5
        assert studio.image_ids[0] not in [image for image, _ in found]
        likeness = [value for _, value in found]
        assert likeness == sorted(likeness, reverse=True)
        features = np.load(studio.workspace.runs / "0001" / "features.npy").astype(np.float64)
        cosine = features @ features[0] / (np.linalg.norm(features, axis=1) * np.linalg.norm(features[0]))
        cosine[0] = -1
        assert found[0][0] == studio.image_ids[int(cosine.argmax())]

    def test_the_run_whose_scores_are_shown_comes_first(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=2)
        studio.choose_run(1)
        assert Similar(studio).find(studio.image_ids[0], 5)[0] == 1
        (studio.workspace.runs / "0001" / "features.npy").unlink()
        assert Similar(studio).find(studio.image_ids[0], 5)[0] == 2

    def test_without_features_there_are_none(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=0)
        assert Similar(studio).find(studio.image_ids[0], 5) == (None, [])


class TestRoutes:
    def test_a_view_is_paged_and_stays_while_one_labels_in_it(self, client: TestClient, studio: Studio) -> None:
        view = client.get("/api/browse", params={"class": "circle", "state": "open"}).json()
        first = view["items"][0]["id"]
        studio.decide(first, "circle", 1)
        page = client.get("/api/browse/page", params={"view": view["view"], "offset": 0, "limit": 3}).json()
        assert [item["id"] for item in page["items"]] == [item["id"] for item in view["items"][:3]]
        assert page["items"][0]["cells"][0][:2] == [0, 1]
        fresh = client.get("/api/browse", params={"class": "circle", "state": "open"}).json()
        assert fresh["total"] == view["total"] - 1

    def test_a_forgotten_view_is_found_anew(self, client: TestClient) -> None:
        view = client.get("/api/browse", params={"split": "test"}).json()["view"]
        for number in range(20):
            client.get("/api/browse", params={"path": str(number)})
        items = client.get("/api/browse/page", params={"view": view, "offset": 0}).json()["items"]
        assert [item["split"] for item in items] == ["test", "test"]

    def test_the_ids_of_a_whole_view(self, client: TestClient, studio: Studio) -> None:
        view = client.get("/api/browse").json()["view"]
        assert client.get("/api/browse/ids", params={"view": view}).json()["ids"] == list(studio.image_ids)

    def test_the_empty_split_is_called_none(self, client: TestClient) -> None:
        assert client.get("/api/browse", params={"split": "none"}).json()["total"] == 0

    def test_scores_of_an_earlier_run(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=2)
        client = page_client(studio)
        now = client.get("/api/browse", params={"class": "star"}).json()
        earlier = client.get("/api/browse", params={"class": "star", "run": 1}).json()
        assert (now["run"], earlier["run"]) == (2, 1)
        assert now["runs"] == [1, 2]
        assert [item["cells"][0][3] for item in now["items"]] != [item["cells"][0][3] for item in earlier["items"]]

    def test_similar__names_images_by_id(self, client: TestClient, studio: Studio) -> None:
        found = client.get(f"/api/browse/similar/{studio.image_ids[0]}", params={"count": 4}).json()
        assert len(found["images"]) == 4
        assert client.get("/api/browse/similar/" + "f" * 24).status_code == 400

    def test_fiftyone__without_a_link_says_how_to_get_one(self, client: TestClient) -> None:
        answer = client.post("/api/fiftyone/open", json={})
        assert answer.status_code == 400
        assert "not attached" in answer.json()["error"]

    def test_fiftyone__opens_on_the_chosen_images(self, client: TestClient, studio: Studio) -> None:
        class Opened:
            status = None

            def open_app(self, image_ids: Any = None) -> str:
                return f"http://127.0.0.1:5151/{len(image_ids)}"

        studio.link = Opened()
        asked = {"images": list(studio.image_ids[:3])}
        assert client.post("/api/fiftyone/open", json=asked).json() == {"url": "http://127.0.0.1:5151/3"}
        assert client.post("/api/fiftyone/open", json={"images": ["/etc/passwd"]}).status_code == 400
