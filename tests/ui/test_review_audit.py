"""Audits, thresholds and bulk acceptance over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store import Source
from logicmix_studio.studio import Studio
from tests.ui.conftest import page_client


@pytest.fixture
def big(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio whose model is nearly always right, with cells enough for an audit."""
    return open_studio(
        num_images=600,
        class_names=("circle", "square"),
        known_proportion=0.2,
        runs=1,
        side=16,
        draw_every=600,
    )


def start(client: TestClient, action: str = "audit-one", **options: Any) -> dict[str, Any]:
    body = {"id": action, "per_stratum": 12, "lowest_confidence": 0.9, "num_known": 6, **options}
    reply = client.post("/api/review/audits", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def answer_all(
    client: TestClient, studio: Studio, number: int, *, wrong: int = 0, limit: int = 10_000
) -> int:
    """Answer as the run claims (or as is known), with the first so-and-so-many wrong; return the number of answers."""
    plan = studio.workspace.audits / f"{number:04d}.json"
    assert plan.exists()
    scores = studio.current.scores if studio.current is not None else None
    assert scores is not None
    given, left = 0, wrong
    while given < limit:
        items = client.post(f"/api/review/audits/{number}/items", json={"want": 20}).json()["items"]
        if not items:
            return given
        for item in items[: limit - given]:
            row, column = studio.ledger.position(item["image"], item["class"])
            known = int(studio.ledger.states[row, column])
            claim = known or (1 if scores[row, column] > 0.5 else -1)
            said = -claim if left and not known else claim
            left -= said != claim
            body = {"id": f"answer-{number}-{item['cell']}", "place": item["cell"], "said": said, "ms": 900}
            reply = client.post(f"/api/review/audits/{number}/answer", json=body)
            assert reply.status_code == 200, reply.text
            given += 1
    return given


def test_audit__items_say_nothing_of_the_claim(big: Studio) -> None:
    client = page_client(big)
    number = start(client)["number"]
    items = client.post(f"/api/review/audits/{number}/items", json={"want": 200}).json()["items"]
    assert {frozenset(item) for item in items} == {frozenset({"cell", "image", "class", "path"})}
    states = [int(big.ledger.states[big.ledger.position(item["image"], item["class"])]) for item in items]
    assert sum(state != UNKNOWN for state in states) == 6


def test_audit__the_same_request_draws_once(big: Studio) -> None:
    client = page_client(big)
    assert start(client)["number"] == start(client)["number"] == 1
    assert len(client.get("/api/review/audits").json()["audits"]) == 1


def test_audit__answers_settle_cells_but_not_planted_ones(big: Studio) -> None:
    client = page_client(big)
    before = big.ledger.states.copy()
    audit = start(client)
    answer_all(client, big, audit["number"])
    result = client.get(f"/api/review/audits/{audit['number']}").json()
    assert result["complete"]
    assert (result["known_checked"], result["known_right"]) == (6, 6)
    assert int((big.ledger.states != before).sum()) == audit["total"] - 6
    np.testing.assert_array_equal(big.ledger.states[before != UNKNOWN], before[before != UNKNOWN])
    assert (big.ledger.sources[big.ledger.states != before] == Source.ACCEPTED).all()


def test_audit__says_nothing_before_it_is_finished(big: Studio) -> None:
    client = page_client(big)
    number = start(client, num_known=2)["number"]
    answer_all(client, big, number, limit=15)
    begun = client.get(f"/api/review/audits/{number}").json()
    assert begun["answered"] == 15
    assert begun["strata"] == []
    assert not {"checked", "right", "known_checked", "known_right"} & set(begun)
    parts = client.get("/api/review/thresholds").json()["parts"]
    assert sum(part["checked"] for part in parts) == 0


def test_audit__a_complete_one_has_exact_bounds(big: Studio) -> None:
    client = page_client(big)
    number = start(client, num_known=0)["number"]
    answered = answer_all(client, big, number)
    done = [part for part in client.get(f"/api/review/audits/{number}").json()["strata"] if part["planned"]]
    assert {part["bound"] for part in done} == {"fixed"}
    twelve = next(part for part in done if part["planned"] == 12)
    assert twelve["lower_bound"] == pytest.approx(0.05 ** (1 / 12))
    parts = client.get("/api/review/thresholds").json()["parts"]
    assert sum(part["checked"] for part in parts) == answered


def test_audit__one_that_was_given_up_has_sequential_bounds(big: Studio) -> None:
    client = page_client(big)
    number = start(client, num_known=0)["number"]
    answer_all(client, big, number, limit=15)
    client.post(f"/api/review/audits/{number}/give-up")
    begun = [part for part in client.get(f"/api/review/audits/{number}").json()["strata"] if part["checked"]]
    assert {part["bound"] for part in begun if part["checked"] < part["planned"]} == {"sequential"}
    parts = client.get("/api/review/thresholds").json()["parts"]
    assert sum(part["checked"] for part in parts) == 15


def test_audit__wrong_claims_are_counted(big: Studio) -> None:
    client = page_client(big)
    audit = start(client, num_known=0)
    answer_all(client, big, audit["number"], wrong=4)
    result = client.get(f"/api/review/audits/{audit['number']}").json()
    assert (result["checked"], result["right"]) == (audit["total"], audit["total"] - 4)


def test_audit__an_answer_twice_counts_once(big: Studio) -> None:
    client = page_client(big)
    number = start(client)["number"]
    place = client.post(f"/api/review/audits/{number}/items", json={"want": 1}).json()["items"][0]["cell"]
    body = {"id": "the-same-answer", "place": place, "said": 1}
    first, second = (client.post(f"/api/review/audits/{number}/answer", json=body).json() for _ in range(2))
    assert (first["answered"], second["answered"], second["repeated"]) == (1, 1, True)


def test_audit__undo_takes_an_answer_out_of_the_count(big: Studio) -> None:
    client = page_client(big)
    number = start(client)["number"]
    items = client.post(f"/api/review/audits/{number}/items", json={"want": 30}).json()["items"]
    known = [
        big.ledger.states[big.ledger.position(item["image"], item["class"])] != UNKNOWN for item in items
    ]
    for item in (items[known.index(True)], items[known.index(False)]):
        action = f"answer-{item['cell']}"
        body = {"id": action, "place": item["cell"], "said": 1}
        client.post(f"/api/review/audits/{number}/answer", json=body)
        client.post("/api/review/undo", json={"id": f"undo-{action}", "target": action})
        assert client.get(f"/api/review/audits/{number}").json()["answered"] == 0
        client.post("/api/review/redo", json={"id": f"redo-{action}", "target": action})
        assert client.get(f"/api/review/audits/{number}").json()["answered"] == 1
        client.post("/api/review/undo", json={"id": f"undo-again-{action}", "target": action})


def test_audit__its_cells_stay_out_of_the_queues(big: Studio) -> None:
    client = page_client(big)
    number = start(client, num_known=0)["number"]
    planned = client.post(f"/api/review/audits/{number}/items", json={"want": 200}).json()["items"]
    body = {"query": {"order": "confident"}, "want": 500, "holder": "window"}
    queued = client.post("/api/review/queue", json=body).json()["items"]
    assert queued
    names = {(item["image"], item["class"]) for item in queued}
    assert not names & {(item["image"], item["class"]) for item in planned}


def test_audit__survives_a_restart(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(num_images=300, side=16, draw_every=300)
    client = page_client(studio)
    number = start(client)["number"]
    answer_all(client, studio, number, limit=9)
    before = client.get(f"/api/review/audits/{number}").json()
    root = studio.workspace.root
    studio.close()
    with Studio.open(root, who="ada") as again:
        assert page_client(again).get(f"/api/review/audits/{number}").json() == before
    assert before["answered"] == 9


def test_audit__answers_of_the_stream_never_feed_it(big: Studio) -> None:
    client = page_client(big)
    number = start(client, num_known=0)["number"]
    item = client.post(f"/api/review/audits/{number}/items", json={"want": 1}).json()["items"][0]
    cells = [[item["image"], item["class"], 1, "set", None]]
    client.post("/api/review/answer", json={"id": "from-the-stream", "origin": "stream", "cells": cells})
    assert client.get(f"/api/review/audits/{number}").json()["answered"] == 0


def test_audit__without_a_run_is_refused_in_words(open_studio: Callable[..., Studio]) -> None:
    reply = page_client(open_studio(runs=0)).post("/api/review/audits", json={"id": "audit-one"})
    assert reply.status_code == 400
    assert "Train" in reply.json()["hint"]


def group(name: str = "circle", sign: int = 1, threshold: float = 0.9) -> dict[str, Any]:
    return {"class_name": name, "sign": sign, "threshold": threshold}


def bulk(client: TestClient, **options: Any) -> Any:
    body = {"id": "bulk-one-two", "groups": [group()], "target": 0.9, "expected": 0, **options}
    return client.post("/api/review/bulk", json=body)


def covered(client: TestClient, **options: Any) -> int:
    body = {"id": "preview-one", "groups": [group(**options)], "target": 0.9, "expected": 0}
    total: int = client.post("/api/review/bulk/preview", json=body).json()["total"]
    return total


def test_bulk__without_an_audit_is_refused(big: Studio) -> None:
    client = page_client(big)
    reply = bulk(client, expected=covered(client))
    assert reply.status_code == 400
    assert "not covered" in reply.json()["error"]
    assert not big.ledger.lines


def test_bulk__an_override_is_written_into_the_journal(big: Studio) -> None:
    client = page_client(big)
    total = covered(client)
    reply = bulk(client, expected=total, override="a colleague checked them all").json()
    line = big.ledger.line(reply["seq"])
    assert reply["written"] == total == len(line.cells) > 10
    assert line.extra["override"] == "a colleague checked them all"
    assert line.origin == "bulk"
    assert {cell.class_name for cell in line.cells} == {"circle"}
    assert all(cell.score is not None and cell.score >= 0.9 for cell in line.cells)


def test_bulk__is_one_undo(big: Studio) -> None:
    client = page_client(big)
    before = big.ledger.states.copy()
    bulk(client, expected=covered(client), override="to see what happens")
    client.post("/api/review/undo", json={"id": "undo-the-bulk", "target": "bulk-one-two"})
    np.testing.assert_array_equal(big.ledger.states, before)


def test_bulk__writes_only_the_number_that_was_named(big: Studio) -> None:
    client = page_client(big)
    reply = bulk(client, expected=covered(client) - 1, override="to see what happens")
    assert reply.status_code == 400
    assert not big.ledger.lines


def test_bulk__is_let_through_by_an_audit(big: Studio) -> None:
    client = page_client(big)
    for name in ("first-audit", "second-audit"):
        number = start(client, action=name, per_stratum=60, num_known=0)["number"]
        answer_all(client, big, number)
    parts = client.get("/api/review/thresholds", params={"target": 0.9}).json()["parts"]
    part = next(part for part in parts if part["threshold"] is not None and part["cells"])
    chosen = group(part["class"], part["sign"], part["threshold"])
    body = {"id": "preview-two", "groups": [chosen], "target": 0.9, "expected": 0}
    preview = client.post("/api/review/bulk/preview", json=body).json()
    assert preview["groups"][0]["covered"]
    assert preview["total"] == part["cells"]
    reply = bulk(client, groups=[chosen], expected=preview["total"])
    assert reply.status_code == 200, reply.text
    assert "override" not in big.ledger.lines[-1].extra


def test_thresholds__set_ones_change_the_pseudo_labels(big: Studio) -> None:
    client = page_client(big)
    before = int((big.proposals_array()[:, 0] == 1).sum())
    client.post("/api/review/thresholds", json={"groups": [group(threshold=0.999)]})
    after = int((big.proposals_array()[:, 0] == 1).sum())
    assert after < before
    assert big.thresholds.positive.tolist() == [0.999, 0.95]


def test_coverage__counts_what_a_bulk_would_write(big: Studio) -> None:
    client = page_client(big)
    curve = client.get("/api/review/coverage").json()
    for place in (20, 30, len(curve["thresholds"]) - 2):
        threshold = curve["thresholds"][place]
        assert curve["positive"][0][place] == covered(client, threshold=threshold)
        assert curve["negative"][1][place] == covered(client, name="square", sign=-1, threshold=threshold)


def test_calibration__compares_scores_with_held_out_cells(big: Studio) -> None:
    reply = page_client(big).get("/api/review/calibration").json()
    current = big.current
    assert current is not None
    assert reply["cells"] == int(current.heldout.sum()) == sum(bin_["total"] for bin_ in reply["bins"])
    assert all(bin_["lower"] <= bin_["observed"] <= bin_["upper"] for bin_ in reply["bins"])
