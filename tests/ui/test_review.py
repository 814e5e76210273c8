"""The Review routes: queues, leases, answers, undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store import Ledger, Source, read_journal
from logicmix_studio.studio import Studio
from tests.ui.conftest import page_client

ALL_OPEN = {"order": "random", "only_proposals": "0"}


def ask(client: TestClient, query: dict[str, str] | None = None, **options: Any) -> dict[str, Any]:
    body = {"query": query or ALL_OPEN, "want": 10, "holder": "window:stream", **options}
    reply = client.post("/api/review/queue", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def give(
    client: TestClient, item: dict[str, Any], answer: str = "set", state: int = 1, **options: Any
) -> dict[str, Any]:
    body = {
        "id": f"action-{item['cell']}-{answer}-{state}",
        "origin": "stream",
        "run": item["run"],
        "cells": [[item["image"], item["class"], state, answer, item["score"]]],
        **options,
    }
    reply = client.post("/api/review/answer", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def as_person(client: TestClient, name: str) -> TestClient:
    return TestClient(
        client.app, base_url=client.base_url, headers={**client.headers, "x-logicmix-person": name}
    )


def state_of(studio: Studio, item: dict[str, Any]) -> int:
    row, column = studio.ledger.position(item["image"], item["class"])
    return int(studio.ledger.states[row, column])


def test_queue__holds_every_unknown_cell_outside_the_test_split(client: TestClient, studio: Studio) -> None:
    reply = ask(client, want=500)
    wanted = (studio.ledger.states == UNKNOWN) & ~studio.table.is_test[:, np.newaxis]
    assert reply["total"] == wanted.sum() == len(reply["items"])
    assert {item["cell"] for item in reply["items"]} == set(np.flatnonzero(wanted).tolist())


def test_queue__is_ordered_by_uncertainty(client: TestClient) -> None:
    items = ask(client, {"order": "uncertain"}, want=500)["items"]
    distances = [round(abs(item["score"] - 0.5), 3) for item in items]
    assert distances == sorted(distances)
    assert len(distances) > 20


def test_queue__claims_agree_with_the_studio(client: TestClient, studio: Studio) -> None:
    proposals = studio.proposals_array().ravel()
    items = ask(client, want=500)["items"]
    assert [item["claim"] for item in items] == [int(proposals[item["cell"]]) for item in items]
    assert {-1, 0, 1} == {item["claim"] for item in items}


def test_queue__of_an_earlier_run_shows_its_scores_and_pseudo_labels(
    open_studio: Callable[..., Studio],
) -> None:
    studio = open_studio(runs=2)
    client = page_client(studio)
    earlier = studio.run_scores(1)
    claims = studio.propose(earlier).ravel()
    items = ask(client, {"order": "confident", "run": "1"}, want=500)["items"]
    assert {item["cell"] for item in items} == set(np.flatnonzero(claims).tolist())
    assert [item["claim"] for item in items] == [int(claims[item["cell"]]) for item in items]
    assert [item["score"] for item in items] == [
        round(float(earlier.scores.ravel()[item["cell"]]), 4) for item in items
    ]
    assert {item["run"] for item in items} == {1}
    reply = give(client, items[0], "unsure", 0)
    assert studio.ledger.line(reply["seq"]).run == 1
    assert items[0]["cell"] not in [
        item["cell"] for item in ask(client, {"order": "confident", "run": "1"}, want=500)["items"]
    ]
    current = ask(client, {"order": "confident"}, want=500)["items"]
    assert {item["run"] for item in current} == {2}


def test_queue__of_a_run_that_left_no_scores_is_refused_in_words(client: TestClient) -> None:
    reply = client.post("/api/review/queue", json={"query": {"run": "7"}, "holder": "window"})
    assert reply.status_code == 400
    assert "run 7" in reply.json()["error"]


def test_queue__counts_what_waits_after_every_answer(client: TestClient) -> None:
    first = ask(client)
    for left, item in enumerate(reversed(first["items"][:5])):
        give(client, item)
        assert ask(client)["total"] == first["total"] - left - 1


def test_queue__two_people_never_get_the_same_cell(client: TestClient) -> None:
    mine = ask(client)["items"]
    theirs = ask(as_person(client, "ben"))["items"]
    assert not {item["cell"] for item in mine} & {item["cell"] for item in theirs}


def test_queue__two_windows_of_one_person_get_different_cells(client: TestClient) -> None:
    one = ask(client)["items"]
    two = ask(client, holder="other:stream")["items"]
    assert not {item["cell"] for item in one} & {item["cell"] for item in two}


def test_queue__a_reloaded_window_gets_its_cells_again(client: TestClient) -> None:
    before = ask(client)["items"]
    assert ask(client)["items"] == before


def test_queue__what_the_screen_has_is_not_sent_again(client: TestClient) -> None:
    first = [item["cell"] for item in ask(client)["items"]]
    second = [item["cell"] for item in ask(client, have=first)["items"]]
    assert not set(first) & set(second)


def test_queue__says_which_cells_were_lost_to_others(client: TestClient) -> None:
    theirs = ask(as_person(client, "ben"))["items"][0]["cell"]
    assert ask(client, have=[theirs])["lost"] == [theirs]


def test_queue__released_cells_go_to_others(client: TestClient) -> None:
    mine = [item["cell"] for item in ask(client)["items"]]
    client.post("/api/review/release", json={"holder": "window:stream", "cells": mine})
    theirs = [item["cell"] for item in ask(as_person(client, "ben"))["items"]]
    assert theirs == mine


def test_queue__a_window_that_leaves_holds_nothing_back(client: TestClient) -> None:
    mine = [item["cell"] for item in ask(client)["items"]]
    client.post("/api/review/release", json={"holder": "window:stream", "everything": True})
    assert [item["cell"] for item in ask(client, holder="a-new-window")["items"]] == mine


def test_queue__an_unknown_order_is_refused_in_words(client: TestClient) -> None:
    reply = client.post("/api/review/queue", json={"query": {"order": "sideways"}, "holder": "window"})
    assert reply.status_code == 400
    assert "sideways" in reply.json()["error"]


def test_answer__settles_the_cell_and_leaves_the_queue(client: TestClient, studio: Studio) -> None:
    item = ask(client)["items"][0]
    reply = give(client, item, state=-1, ms=812.4)
    line = studio.ledger.line(reply["seq"])
    assert state_of(studio, item) == -1
    assert (line.who, line.origin, line.extra["ms"]) == ("ada", "stream", 812)
    assert item["cell"] not in [other["cell"] for other in ask(client)["items"]]


def test_answer__accepting_a_pseudo_label_says_so_in_the_sources(client: TestClient, studio: Studio) -> None:
    item = next(item for item in ask(client, want=200)["items"] if item["claim"])
    give(client, item, "accept", item["claim"])
    assert studio.ledger.sources[studio.ledger.position(item["image"], item["class"])] == Source.ACCEPTED


def test_answer__twice_the_same_id_is_one_line(client: TestClient, studio: Studio) -> None:
    item = ask(client)["items"][0]
    first = give(client, item)
    second = give(client, item)
    assert (first["seq"], second["seq"], second["repeated"]) == (1, 1, True)
    assert len(studio.ledger.lines) == 1


def test_answer__a_cell_settled_by_somebody_else_is_left_alone(client: TestClient, studio: Studio) -> None:
    item = ask(client)["items"][0]
    give(as_person(client, "ben"), item, state=-1, id="action-of-ben")
    reply = give(client, item, "accept", 1)
    assert reply["skipped"] == [[item["image"], item["class"]]]
    assert state_of(studio, item) == -1


def test_answer__unsure_leaves_this_runs_queue(client: TestClient, studio: Studio) -> None:
    item = ask(client)["items"][0]
    give(client, item, "unsure", 0)
    assert state_of(studio, item) == UNKNOWN
    assert item["cell"] not in [other["cell"] for other in ask(client, want=500)["items"]]
    unsure = ask(client, {"order": "random", "unsure_before": "1"}, holder="other")["items"]
    assert [other["cell"] for other in unsure] == [item["cell"]]


def test_answer__skipped_cells_come_back_on_demand(client: TestClient) -> None:
    item = ask(client)["items"][0]
    give(client, item, "skip", 0)
    assert item["cell"] not in [other["cell"] for other in ask(client, want=500)["items"]]
    assert client.post("/api/review/take-again").json() == {"again": 1}
    assert item["cell"] in [other["cell"] for other in ask(client, want=500)["items"]]


def test_answer__a_page_of_tiles_is_one_line_and_one_undo(client: TestClient, studio: Studio) -> None:
    items = ask(client, {"order": "confident", "sign": "1"}, want=12)["items"]
    before = studio.ledger.states.copy()
    cells = [[item["image"], item["class"], item["claim"], "accept", item["score"]] for item in items]
    cells[3][2:4] = [-1, "reject"]
    body = {"id": "page-of-tiles", "origin": "grid", "run": 1, "cells": cells, "tiles": 12}
    reply = client.post("/api/review/answer", json=body).json()
    assert reply["written"] == len(items) == 12
    assert len(studio.ledger.lines) == 1
    client.post("/api/review/undo", json={"id": "undo-of-tiles", "target": "page-of-tiles"})
    np.testing.assert_array_equal(studio.ledger.states, before)


def test_undo__by_the_pages_id_shows_the_cell_again(client: TestClient, studio: Studio) -> None:
    item = ask(client)["items"][0]
    give(client, item, id="the-first-answer")
    reply = client.post(
        "/api/review/undo", json={"id": "undo-the-first", "target": "the-first-answer"}
    ).json()
    assert [again["cell"] for again in reply["again"]] == [item["cell"]]
    assert state_of(studio, item) == UNKNOWN
    assert item["cell"] in [other["cell"] for other in ask(client, want=500)["items"]]


def test_undo__of_an_action_that_wrote_nothing_is_nothing(client: TestClient, studio: Studio) -> None:
    give(client, ask(client)["items"][0])
    reply = client.post("/api/review/undo", json={"id": "undo-nothing", "target": "never-arrived"}).json()
    assert reply["seq"] is None
    assert len(studio.ledger.lines) == 1


def test_undo__twice_the_same_id_undoes_once(client: TestClient, studio: Studio) -> None:
    one, two = ask(client)["items"][:2]
    give(client, one)
    give(client, two)
    for _ in range(2):
        client.post("/api/review/undo", json={"id": "undo-once-only"})
    assert (state_of(studio, one), state_of(studio, two)) == (1, UNKNOWN)


def test_redo__brings_the_answer_back(client: TestClient, studio: Studio) -> None:
    item = ask(client)["items"][0]
    give(client, item, id="the-first-answer")
    client.post("/api/review/undo", json={"id": "undo-the-first"})
    client.post("/api/review/redo", json={"id": "redo-the-first", "target": "the-first-answer"})
    assert state_of(studio, item) == 1


def test_undo__works_after_a_restart(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio()
    client = page_client(studio)
    item = ask(client)["items"][0]
    give(client, item, id="before-the-restart")
    root = studio.workspace.root
    studio.close()
    with Studio.open(root, who="ada") as again:
        client = page_client(again)
        client.post("/api/review/undo", json={"id": "after-the-restart", "target": "before-the-restart"})
        assert state_of(again, item) == UNKNOWN
        replayed = Ledger(again.table, read_journal(again.workspace.journal_file))
        np.testing.assert_array_equal(replayed.states, again.ledger.states)


@pytest.mark.parametrize(
    ("options", "query", "title"),
    [
        ({"runs": 0}, {"only_proposals": "1", "order": "confident"}, "No pseudo-labels yet"),
        ({"runs": 1}, {"changes": "withdrawn"}, "Nothing to compare"),
        ({"runs": 1, "known_proportion": 1.0}, {"order": "random"}, "All done here"),
        ({"runs": 1}, {"unsure_before": "1"}, "Nothing waits with these filters"),
    ],
)
def test_queue__empty_says_why(
    open_studio: Callable[..., Studio], options: dict[str, Any], query: dict[str, str], title: str
) -> None:
    reply = ask(page_client(open_studio(**options)), query)
    assert reply["items"] == []
    assert reply["empty"]["title"] == title
    assert reply["empty"]["steps"]


def test_queue__without_a_run_unknown_cells_can_be_reviewed(open_studio: Callable[..., Studio]) -> None:
    items = ask(page_client(open_studio(runs=0)), {"order": "useful"})["items"]
    assert len(items) == 10
    assert {(item["score"], item["claim"], item["run"]) for item in items} == {(None, 0, None)}


def test_queue__new_withdrawn_and_flipped_compare_two_runs(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=2, num_images=200)
    client = page_client(studio)
    previous = studio.previous
    assert previous is not None
    before, after = studio.propose(previous), studio.proposals_array()
    new = {item["cell"] for item in ask(client, {"order": "random", "changes": "new"}, want=500)["items"]}
    assert new == set(np.flatnonzero((before == 0) & (after != 0)).tolist())
    assert new


def test_plants__the_answer_to_a_planted_suggestion_changes_no_cell(
    open_studio: Callable[..., Studio],
) -> None:
    studio = open_studio(num_images=400, known_proportion=0.5)
    studio.settings.update({"plant_every": 8})
    client = page_client(studio)
    before = studio.ledger.states.copy()
    items = ask(client, {"order": "confident"}, want=500, plant=True)["items"]
    planted = [item for item in items if before.ravel()[item["cell"]] != UNKNOWN]
    assert planted
    for item in planted:
        assert item["claim"] == -before.ravel()[item["cell"]]
        assert item["state"] == UNKNOWN
        give(client, item, "accept", item["claim"])
    np.testing.assert_array_equal(studio.ledger.states, before)
    person = client.get("/api/review/care").json()["people"][0]
    assert (person["who"], person["accepted"], person["shown"]) == ("ada", len(planted), len(planted))
    assert all(not line.cells for line in studio.ledger.lines)


def test_plants__a_withdrawn_answer_does_not_count(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=400, known_proportion=0.5)
    studio.settings.update({"plant_every": 8})
    client = page_client(studio)
    items = ask(client, {"order": "confident"}, want=500, plant=True)["items"]
    planted = next(item for item in items if studio.ledger.states.ravel()[item["cell"]] != UNKNOWN)
    give(client, planted, "accept", planted["claim"], id="fell-for-it")
    client.post("/api/review/undo", json={"id": "oh-no-undo", "target": "fell-for-it"})
    assert client.get("/api/review/care").json()["people"] == []


def test_plants__a_page_of_tiles_with_one_is_still_one_line(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=400, known_proportion=0.5)
    studio.settings.update({"plant_every": 4})
    client = page_client(studio)
    items = ask(client, {"order": "confident", "sign": "1"}, want=24, plant=True)["items"]
    cells = [[item["image"], item["class"], 1, "accept", item["score"]] for item in items]
    body = {"id": "page-of-tiles", "origin": "grid", "run": 1, "cells": cells}
    reply = client.post("/api/review/answer", json=body).json()
    kinds = [line.kind for line in studio.ledger.lines]
    assert len(items) == 24
    assert reply["written"] + kinds.count("note") == 24
    assert kinds.count("decide") == 1
    assert client.post("/api/review/answer", json=body).json()["repeated"]
    assert len(studio.ledger.lines) == len(kinds)


def test_plants__none_where_the_suggestion_is_hidden(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=400, known_proportion=0.5)
    items = ask(page_client(studio), {"order": "confident"}, want=300)["items"]
    assert all(studio.ledger.states.ravel()[item["cell"]] == UNKNOWN for item in items)
