"""History, conflicts and the look ahead over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review import find_conflicts
from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio
from logicmix_studio.review.history import parse_time
from tests.ui.conftest import page_client


def settle(studio: Studio, count: int, *, who: str = "ada", state: int = 1) -> list[Decision]:
    """Set the first unknown cells, each as a line of its own."""
    rows, columns = np.nonzero(studio.ledger.states == UNKNOWN)
    decisions = [
        Decision(studio.image_ids[row], studio.class_names[column], state)
        for row, column in list(zip(rows.tolist(), columns.tolist(), strict=True))[:count]
    ]
    for decision in decisions:
        studio.ledger.decide([decision], who=who, origin="stream", run=1)
    return decisions


def lines(client: TestClient, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/api/review/history", params=params).json()["lines"]
    return found


def test_history__newest_first_with_who_and_what(client: TestClient, studio: Studio) -> None:
    settle(studio, 2)
    settle(studio, 1, who="ben", state=-1)
    newest, *older = lines(client)
    assert (newest["seq"], newest["who"], newest["origin"], newest["run"]) == (3, "ben", "stream", 1)
    assert newest["summary"] == {"negative": 1}
    assert [line["seq"] for line in older] == [2, 1]


def test_history__filters_and_pages(client: TestClient, studio: Studio) -> None:
    decisions = settle(studio, 5)
    settle(studio, 2, who="ben")
    assert [line["seq"] for line in lines(client, who="ben")] == [7, 6]
    wanted = [
        seq for seq, decision in enumerate(decisions, 1) if decision.class_name == decisions[0].class_name
    ]
    assert [
        line["seq"] for line in lines(client, **{"class": decisions[0].class_name, "who": "ada"})
    ] == wanted[::-1]
    assert [line["seq"] for line in lines(client, before=4, limit=2)] == [3, 2]


def test_history__revert_this_undoes_one_line_of_the_past(client: TestClient, studio: Studio) -> None:
    first, second = settle(studio, 2)
    client.post("/api/review/undo", json={"id": "revert-line-one", "of": 1})
    assert studio.ledger.states[studio.ledger.position(first.image_id, first.class_name)] == UNKNOWN
    assert studio.ledger.states[studio.ledger.position(second.image_id, second.class_name)] == 1
    undone = {line["seq"]: line["undone"] for line in lines(client) if line["kind"] == "decide"}
    assert undone == {1: True, 2: False}


def test_history__a_bulk_shows_a_few_cells_and_all_on_demand(client: TestClient, studio: Studio) -> None:
    rows, columns = np.nonzero(studio.ledger.states == UNKNOWN)
    cells = list(zip(rows.tolist(), columns.tolist(), strict=True))[:20]
    decisions = [Decision(studio.image_ids[row], studio.class_names[column], -1) for row, column in cells]
    studio.ledger.decide(decisions, who="ada", origin="grid")
    line = lines(client)[0]
    assert (line["count"], len(line["cells"])) == (20, 6)
    assert len(client.get("/api/review/history/1").json()["cells"]) == 20


def test_labels_at__shows_then_and_now(client: TestClient, studio: Studio) -> None:
    settle(studio, 1)
    between = studio.ledger.lines[0].time
    settle(studio, 2)
    reply = client.get("/api/review/labels-at", params={"time": between}).json()
    assert (reply["seq"], reply["changed"]) == (1, 2)
    assert [(cell["then"], cell["now"]) for cell in reply["cells"]] == [(0, 1), (0, 1)]
    now, then = (sum(reply["counts"][when]["unknown"]) for when in ("now", "then"))
    assert then - now == 2


def test_parse_time__refuses_nonsense() -> None:
    with pytest.raises(StudioError, match="yesterday"):
        parse_time("yesterday")


def conflicts(client: TestClient, **options: Any) -> dict[str, Any]:
    reply = client.post("/api/review/conflicts", json={"holder": "window", "want": 100, **options})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


@pytest.fixture
def disputed(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio with a noisy run, which contradicts some known cells."""
    return open_studio(num_images=300, known_proportion=0.6, side=16, draw_every=300)


def test_conflicts__are_ranked_and_say_where_both_sides_come_from(disputed: Studio) -> None:
    current = disputed.current
    assert current is not None
    expected = find_conflicts(disputed.ledger.states, current.scores, disputed.table.is_test)
    items = conflicts(page_client(disputed))["items"]
    assert len(expected.cells) > 3
    own = [item["score"] if item["state"] > 0 else 1 - item["score"] for item in items]
    assert sorted(item["cell"] for item in items) == sorted(expected.cells.tolist())
    np.testing.assert_allclose(own, expected.self_confidence, atol=2e-3)
    assert {item["known"]["source"] for item in items} == {"the import"}


def answer(client: TestClient, item: dict[str, Any], state: int, kind: str = "set") -> None:
    cells = [[item["image"], item["class"], state, kind, item["score"]]]
    body = {"id": f"conflict-{item['cell']}", "origin": "conflicts", "run": item["run"], "cells": cells}
    assert client.post("/api/review/answer", json=body).status_code == 200


def test_conflicts__keep_change_and_unsure_all_leave_the_queue(disputed: Studio) -> None:
    client = page_client(disputed)
    keep, change, unsure = conflicts(client)["items"][:3]
    answer(client, keep, keep["state"])
    answer(client, change, -change["state"])
    answer(client, unsure, unsure["state"], "unsure")
    left = {item["cell"] for item in conflicts(client)["items"]}
    assert not left & {keep["cell"], change["cell"], unsure["cell"]}
    states = disputed.ledger.states.ravel()
    assert states[keep["cell"]] == keep["state"]
    assert states[change["cell"]] == -change["state"]
    assert states[unsure["cell"]] == unsure["state"]


def test_conflicts__a_kept_cell_comes_back_when_that_is_undone(disputed: Studio) -> None:
    client = page_client(disputed)
    keep = conflicts(client)["items"][0]
    answer(client, keep, keep["state"])
    assert keep["cell"] not in {item["cell"] for item in conflicts(client)["items"]}
    client.post("/api/review/undo", json={"id": "undo-the-keep", "target": f"conflict-{keep['cell']}"})
    assert keep["cell"] in {item["cell"] for item in conflicts(client)["items"]}


def test_conflicts__a_kept_cell_stays_away_after_a_restart(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=200, known_proportion=0.6, side=16, draw_every=200)
    client = page_client(studio)
    keep = conflicts(client)["items"][0]
    answer(client, keep, keep["state"])
    root = studio.workspace.root
    studio.close()
    with Studio.open(root, who="ada") as again:
        assert keep["cell"] not in {item["cell"] for item in conflicts(page_client(again))["items"]}


def test_what_if__counts_by_source_and_since_the_run(client: TestClient, studio: Studio) -> None:
    before = client.get("/api/review/what-if").json()
    decisions = settle(studio, 3)
    after = client.get("/api/review/what-if").json()
    imported = int((studio.table.states[~studio.table.is_test] == 1).sum())
    assert sum(after["set"]["positive"]["imported"]) == imported
    assert sum(after["set"]["positive"]["human"]) == 3
    assert sum(after["since"]["new_positive"]) == 3
    assert (sum(before["blends"]["settled"]), before["changes"]) == (0, None)
    assert sum(after["blends"]["settled"]) > 0
    assert after["unknown"][studio.ledger.column_of[decisions[0].class_name]] < max(before["unknown"])


def test_what_if__without_a_run(open_studio: Callable[..., Studio]) -> None:
    reply = page_client(open_studio(runs=0, known_proportion=0.0)).get("/api/review/what-if").json()
    assert (reply["run"], reply["since"], reply["blends"], reply["changes"]) == (None, None, None, None)
    assert len(reply["set"]["without_positive"]) == len(reply["class_names"])


def test_what_if__three_queues_after_a_second_run(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=2, num_images=200)
    client = page_client(studio)
    changes = client.get("/api/review/what-if").json()["changes"]
    for name in ("new", "withdrawn", "flipped"):
        body = {"query": {"order": "confident", "changes": name}, "want": 500, "holder": f"window-{name}"}
        assert len(client.post("/api/review/queue", json=body).json()["items"]) == sum(changes[name])
