from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fastapi.testclient import TestClient

from logicmix_studio.studio import Studio
from tests.ui.conftest import page_client


def _decide(client: TestClient, cells: list[list[Any]], action: str = "action-1", **more: Any) -> dict[str, Any]:
    body = {"id": action, "origin": "browse", "cells": cells, **more}
    answer = client.post("/api/cells/decide", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def _open_cell(studio: Studio) -> tuple[str, str]:
    row, column = next(zip(*(studio.states == 0).nonzero(), strict=True))
    return studio.image_ids[row], studio.class_names[column]


def test_decide__is_on_disk_when_it_is_answered(client: TestClient, studio: Studio) -> None:
    image, name = _open_cell(studio)
    answer = _decide(client, [[image, name, 1, "set", 0.7]], ms=812.4, note="clear")
    assert answer["seq"] == 1
    assert answer["can_undo"] == 1
    line = studio.workspace.journal_file.read_text(encoding="utf-8")
    assert '"ms":812' in line
    assert '"who":"ada"' in line
    assert studio.ledger.value(*studio.ledger.position(image, name)).state == 1


def test_decide__the_same_action_twice_is_one(client: TestClient, studio: Studio) -> None:
    image, name = _open_cell(studio)
    first = _decide(client, [[image, name, 1, "set"]])
    again = _decide(client, [[image, name, 1, "set"]])
    assert again["repeated"]
    assert again["seq"] == first["seq"]
    assert studio.ledger.seq == 1


def test_decide__an_accept_of_a_settled_cell_is_left_out(client: TestClient, studio: Studio) -> None:
    image, name = _open_cell(studio)
    studio.decide(image, name, -1)
    answer = _decide(client, [[image, name, 1, "accept"]])
    assert answer["skipped"] == [[image, name]]
    assert answer["seq"] is None
    assert studio.ledger.value(*studio.ledger.position(image, name)).state == -1


def test_undo_and_redo__of_many_cells_at_once(client: TestClient, studio: Studio) -> None:
    before = studio.states.copy()
    _decide(client, [[image, "circle", 1, "set"] for image in studio.image_ids])
    assert (studio.states[:, 0] == 1).all()
    undone = client.post("/api/cells/undo", json={"id": "action-2"}).json()
    assert undone["kind"] == "undo"
    assert undone["of"] == 1
    assert (studio.states == before).all()
    redone = client.post("/api/cells/redo", json={"id": "action-3"}).json()
    assert redone["cells"] == undone["cells"] == 24
    assert (studio.states[:, 0] == 1).all()


def test_undo__nothing_to_undo_is_said(client: TestClient) -> None:
    answer = client.post("/api/cells/undo", json={"id": "action-1"})
    assert answer.status_code == 400
    assert answer.json()["error"] == "there is nothing to undo"


@pytest.mark.parametrize(
    "cell",
    [
        ["0" * 24, "circle", 1, "set"],
        ["{image}", "no such class", 1, "set"],
        ["{image}", "circle", 7, "set"],
        ["{image}", "circle", 1, "guess"],
    ],
)
def test_decide__what_makes_no_sense_changes_nothing(client: TestClient, studio: Studio, cell: list[Any]) -> None:
    cell = [studio.image_ids[0] if part == "{image}" else part for part in cell]
    answer = client.post("/api/cells/decide", json={"id": "action-1", "origin": "browse", "cells": [cell]})
    assert answer.status_code == 400
    assert studio.ledger.seq == 0


def test_history__tells_every_line_of_a_cell_the_latest_first(client: TestClient, studio: Studio) -> None:
    image, name = _open_cell(studio)
    _decide(client, [[image, name, 1, "set"]])
    client.post("/api/cells/undo", json={"id": "action-2"})
    lines = client.get("/api/cells/history", params={"image": image, "class": name}).json()["lines"]
    assert [(line["kind"], line["after"]) for line in lines] == [("undo", 0), ("decide", 1)]
    assert lines[1]["undone"] is True


def test_image__lists_every_cell(client: TestClient, studio: Studio) -> None:
    image = client.get(f"/api/cells/image/{studio.image_ids[3]}").json()
    assert [cell["class"] for cell in image["cells"]] == list(studio.class_names)
    assert [cell["state"] for cell in image["cells"]] == studio.states[3].tolist()
    assert [cell["proposal"] for cell in image["cells"]] == studio.proposals_array()[3].tolist()
    assert (image["width"], image["height"]) == (64, 64)
    assert image["cells"][0]["truth"] is None


def test_image__a_missing_file_has_no_size(client: TestClient, studio: Studio) -> None:
    studio.image_path(studio.image_ids[0]).unlink()
    image = client.get(f"/api/cells/image/{studio.image_ids[0]}").json()
    assert image["width"] is None


def test_image__in_a_trial_the_truth_is_named(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(trial=True)
    assert studio.complete is not None
    image = page_client(studio).get(f"/api/cells/image/{studio.image_ids[0]}").json()
    assert [cell["truth"] for cell in image["cells"]] == studio.complete[0].tolist()
