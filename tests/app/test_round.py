"""A whole round by `gradio_client` against a real server and a real trainer."""

from __future__ import annotations

import csv
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from logicmix_studio.importing import store_tables
from logicmix_studio.labels import POSITIVE, LabelTable
from logicmix_studio.store import locate_workspace
from logicmix_studio.studio import Studio
from tests.served import TOKEN, serving
from tests.tiny_runs import CLASS_NAMES, TINY, paint_images

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
RUN_S = 240.0
POLL_S = 0.3


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """Open 60 coloured images of which half the cells are known."""
    root = tmp_path / "colours"
    snapshot = paint_images(root, 60)
    table = LabelTable.build(snapshot.paths.tolist(), CLASS_NAMES, snapshot.states, snapshot.splits.tolist())
    store_tables(locate_workspace(root), table, None)
    with Studio.open(root, who="ada") as opened:
        yield opened


def train(client: Client, **settings: Any) -> int:
    """Start a fast run and wait for its end."""
    run = int(client.predict(recipe="fast", overrides={**TINY, **settings}, api_name="/train"))
    pause = threading.Event()
    for _ in range(round(RUN_S / POLL_S)):
        status = next(one for one in client.predict(api_name="/runs") if one["run"] == run)["status"]
        if status not in ("queued", "running"):
            assert status == "finished"
            break
        pause.wait(POLL_S)
    else:
        pytest.fail(f"run {run} did not end within {RUN_S:.0f} s")
    client.predict(run, api_name="/choose_run")
    return run


def test_a_round(studio: Studio) -> None:
    with serving(studio) as url:
        client = Client(url, verbose=False, headers={"x-logicmix-person": "robot"})
        first = train(client)
        client.predict(sign=1, threshold=0.5, api_name="/set_threshold")
        client.predict(sign=-1, threshold=0.5, api_name="/set_threshold")
        found = client.predict(limit=3, api_name="/pseudo_labels")
        assert len(found) == 3
        assert {one["run"] for one in found} == {first}

        accepted, rejected, undone = found
        for one, sign, answer in ((accepted, 1, "accept"), (rejected, -1, "reject"), (undone, 1, "accept")):
            cell = [one["image_id"], one["class_name"], sign * one["value"], answer, one["score"]]
            told = client.predict([cell], "by a program", api_name="/decide")
            assert (told["kind"], told["cells"]) == ("decide", 1)
        assert client.predict(api_name="/undo")["of"] == told["line"]

        words = {1: "positive", -1: "negative"}
        states = [client.predict(one["image_id"], one["class_name"], api_name="/state") for one in found]
        assert states == [words[accepted["value"]], words[-rejected["value"]], "unknown"]
        lines = client.predict(who="robot", limit=10, api_name="/history")
        assert len([line for line in lines if line["line"]]) >= 4

        second = train(client)
        assert second > first
        left = client.predict(limit=10_000, api_name="/pseudo_labels")
        assert {one["run"] for one in left} == {second}
        settled = {(one["image_id"], one["class_name"]) for one in (accepted, rejected)}
        assert not settled & {(one["image_id"], one["class_name"]) for one in left}

        file = export(client)
    with file.open(newline="", encoding="utf-8") as opened:
        rows = {(row["image"], row["class"]): row for row in csv.DictReader(opened)}
    for one, value, source in (
        (accepted, accepted["value"], "accepted"),
        (rejected, -rejected["value"], "human"),
    ):
        row = rows[one["file"], one["class_name"]]
        assert (row["value"] == "1") == (value == POSITIVE)
        assert row["source"] == source
    assert sum(bool(row["value"]) for row in rows.values()) == np.count_nonzero(studio.states)


def export(client: Client) -> Path:
    """Export and return the file that came."""
    answer = client.predict("csv-long", False, api_name="/export")
    first = answer[0] if isinstance(answer, list | tuple) else answer
    return Path(first["value"] if isinstance(first, dict) else first)


def test_a_mistake_is_told_in_words(studio: Studio) -> None:
    with serving(studio) as url:
        client = Client(url, verbose=False)
        with pytest.raises(AppError, match="there is no image 'nope'"):
            client.predict([["nope", "red", 1]], api_name="/decide")
        with pytest.raises(AppError, match="nothing to undo"):
            client.predict(api_name="/undo")
    assert studio.ledger.seq == 0


def test_the_same_action_twice_is_one(studio: Studio) -> None:
    cell = [studio.image_ids[0], "red", 1]
    with serving(studio) as url:
        client = Client(url, verbose=False)
        told = [client.predict([cell], action_id="1234", api_name="/decide") for _ in range(2)]
    assert [one["repeated"] for one in told] == [False, True]
    assert studio.ledger.seq == 1


def test_a_program_comes_in_by_its_token_or_a_login_and_reviewers_may_not_train(studio: Studio) -> None:
    people = {"Grace": ("open sesame", "reviewer"), "Zoë": ("open sesame", "owner")}
    with serving(studio, people) as url:
        with pytest.raises(Exception, match=r"401|login|auth"):
            Client(url, verbose=False)
        by_token = Client(url, verbose=False, headers={"x-logicmix-token": TOKEN, "x-logicmix-person": "r"})
        assert by_token.predict(studio.image_ids[0], "red", api_name="/state")
        by_login = Client(url, verbose=False, auth=("Grace", "open sesame"))
        by_login.predict([[studio.image_ids[0], "red", 1]], api_name="/decide")
        for name, given in (("train", []), ("delete_run", [1]), ("add_class", ["new"]), ("export", [])):
            with pytest.raises(AppError, match="only an owner"):
                by_login.predict(*given, api_name=f"/{name}")
        by_owner = Client(url, verbose=False, auth=("Zoë", "open sesame"))
        by_owner.predict("new", api_name="/add_class")
    assert [line.who for line in studio.ledger.lines] == ["Grace", "Zoë"]
    assert studio.jobs.list() == []
