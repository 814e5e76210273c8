from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from gradio_client import Client

from logicmix_studio.app.access import PERSON_HEADER
from logicmix_studio.app.tabs.browse import (
    filters_of,
    grid_value,
    image_value,
    query_of,
    state_choices,
)
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from tests.served import serving

PATIENCE_S = 60.0


@pytest.fixture
def client(studio: Studio) -> Iterator[Client]:
    """A program of ben's at a served studio."""
    with serving(studio) as url:
        yield Client(url, verbose=False, headers={PERSON_HEADER: "ben"}, httpx_kwargs={"timeout": PATIENCE_S})


class Opened:
    """Stands in for the FiftyOne data set: says how many images it was asked to show."""

    status = None

    def open_app(self, image_ids: Any = None) -> str:
        return f"http://127.0.0.1:5151/{'all' if image_ids is None else len(image_ids)}"


def test_a_program_finds_looks_and_sets(client: Client, studio: Studio) -> None:
    found = client.predict(class_name="star", state="open", limit=5, api_name="/find_images")
    stars = studio.states[:, studio.class_names.index("star")]
    assert (found["total"], len(found["images"])) == (int((stars == 0).sum()), 5)
    assert found["counts"]["positive"] == int((stars == 1).sum())
    assert found["images"][0]["cells"][0]["class_name"] == "star"
    ids = [image["image_id"] for image in found["images"]]
    image = client.predict(ids[0], api_name="/image")
    assert {cell["class_name"] for cell in image["cells"]} == set(studio.class_names)
    near = client.predict(ids[0], 3, api_name="/similar_images")
    assert (near["run"], len(near["images"])) == (1, 3)
    studio.decide(ids[1], "star", -1)
    done = client.predict(ids, "star", 1, seen=found["line"], overwrite=True, api_name="/set_cells")
    assert (done["cells"], done["changed"]) == (4, [ids[1]])
    assert studio.ledger.lines[-1].who == "ben"
    with pytest.raises(Exception, match="cells would be written, 7 were named"):
        client.predict(ids, "star", -1, overwrite=True, expected=7, api_name="/set_cells")
    again = client.predict(ids, "star", -1, api_name="/set_cells")
    assert (again["cells"], len(again["known"])) == (0, 4)
    told = client.predict(ids[0], "star", api_name="/cell_history")
    assert told["words"].startswith("A person said so.")
    assert [line["who"] for line in told["lines"]] == ["ben"]


def test_a_program_opens_fiftyone_where_there_is_one(
    client: Client, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Exception, match="no FiftyOne data set"):
        client.predict(api_name="/open_in_fiftyone")
    monkeypatch.setattr(studio, "sync", Opened())
    assert client.predict(list(studio.image_ids[:3]), api_name="/open_in_fiftyone").endswith("/3")
    assert client.predict(api_name="/open_in_fiftyone").endswith("/all")
    with pytest.raises(Exception, match="no image"):
        client.predict(["/etc/passwd"], api_name="/open_in_fiftyone")


class TestValues:
    def test_filters__of_an_address_are_text(self) -> None:
        query = query_of({"class_name": "star", "score_from": "0.2", "run": "1", "image": "", "split": None})
        assert (query.class_name, query.score_from, query.run, query.split) == ("star", 0.2, 1, "")
        assert filters_of(query) == {"class_name": "star", "score_from": 0.2, "run": 1}
        assert filters_of(query_of({})) == {}

    def test_filters__what_makes_no_sense_is_named(self) -> None:
        with pytest.raises(StudioError, match="no state 'maybe'"):
            query_of({"state": "maybe"})
        with pytest.raises(StudioError, match=r"filters\['score_from'\] is 'high'"):
            query_of({"score_from": "high"})

    def test_state_choices__signs_stand_beside_pseudo_labels_only(self) -> None:
        counts = {"positive": 1234, "negative": 0, "pseudo": 5, "unknown": 6}
        assert state_choices(counts, "")[:2] == [("All", ""), ("● positive 1,234", "positive")]
        assert [name for _, name in state_choices(counts, "pseudo")][5:] == ["pseudo-positive", "pseudo-negative"]
        assert [name for _, name in state_choices(counts, "open")][5:] == ["open"]

    def test_grid__counts_test_images_and_says_so(self, studio: Studio) -> None:
        value = grid_value(studio, studio.images.find(query_of({"split": "test"})), 0)
        assert (value["total"], value["note"]) == (2, "2 of them test images, which get no pseudo-labels")
        assert [item["badge"] for item in value["items"]] == ["test", "test"]

    def test_grid__the_class_that_was_asked_for_shows_its_score(self, studio: Studio) -> None:
        item = grid_value(studio, studio.images.find(query_of({"class_name": "star"})), 0)["items"][0]
        assert item["chips"][0][1].startswith("star")
        assert item["chips"][0][2] is not None

    def test_grid__before_the_first_run(self, open_studio: Callable[..., Studio]) -> None:
        studio = open_studio(runs=0)
        value = grid_value(studio, studio.images.find(query_of({"state": "pseudo"})), 0)
        assert value["empty"].startswith("No run has finished yet")

    def test_image__knows_its_neighbours(self, studio: Studio) -> None:
        found = studio.images.find(query_of({"path": "part1/image-0000"}))
        value = image_value(studio, studio.image_ids[4], found)
        assert (value["before"], value["after"]) == (studio.image_ids[1], studio.image_ids[7])
        assert "64 × 64 · train · scores of run 1" in value["facts"]
        states = {cell["class_name"]: cell["state"] for cell in value["cells"]}
        assert [states[name] for name in studio.class_names] == studio.states[4].tolist()

    def test_image__a_broken_picture_has_no_address(self, studio: Studio) -> None:
        studio.image_path(studio.image_ids[0]).write_bytes(b"broken")
        value = image_value(studio, studio.image_ids[0], studio.images.find(query_of({})))
        assert value["url"] == ""
        assert len(value["cells"]) == np.size(studio.states[0])
