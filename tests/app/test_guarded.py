"""Whatever is sent to an event of the page: never a 500, never a traceback, always words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from logicmix_studio.app.guarded import checked, remembered
from logicmix_studio.app.server import build_app
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace

JSON = {"content-type": "application/json"}
EVENT: dict[str, Any] = {"keys": ["x"], "ids": 5, "id": None, "answer": "yes", "action": "next_class", "items": 3}
PICKED: dict[str, Any] = {"index": None, "value": None, "row_value": ["x"]}
TARGET: dict[str, Any] = {"at": 1, "tab": "x", "filters": 3, "images": 7, "image": 1, "seed": [], "threshold": {}}
OTHERS: dict[str, Any] = {"order": 7, "class_name": 7, "compare": [], "run": {}, "view": 7, "name": "no class"}
FULL = EVENT | PICKED | TARGET | OTHERS
TEXTS = FULL | {"seed": "x", "sample": "1.5", "threshold": "1e400", "images": "", "run": "x", "screen": "history"}
GARBAGE = [
    "null",
    "true",
    '"x"',
    "-1",
    "1e400",
    "NaN",
    "123456789012345678901234567890",
    "{}",
    "[null]",
    json.dumps(FULL),
    json.dumps(TEXTS),
    json.dumps(FULL | {"screen": "grid"}),
    "[" * 200 + "]" * 200,
    r'"\ud800"',
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    root = make_workspace(tmp_path_factory.mktemp("guarded") / "photos", num_images=12)
    with Studio(root, who="ada") as studio, TestClient(build_app(studio), base_url="http://127.0.0.1:7860") as opened:
        yield opened


def calls(client: TestClient, garbage: str) -> list[tuple[str, str]]:
    """Return the name and the body of a call of every event, each of its inputs and what has happened being garbage."""
    events = [one for one in client.get("/config").json()["dependencies"] if one["backend_fn"]]
    assert len(events) > 200
    sent = '{"data": [%s], "fn_index": %d, "session_hash": "x", "event_data": %s}'
    return [
        (f"{one['id']} {one['api_name']}", sent % (", ".join([garbage] * len(one["inputs"])), one["id"], garbage))
        for one in events
    ]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_run__garbage_is_refused_in_words(
    client: TestClient, garbage: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for name, body in calls(client, garbage):
        answer = client.post("/gradio_api/run/predict", content=body, headers=JSON)
        told = answer.json()
        assert answer.status_code in (200, 400), (name, told)
        assert answer.status_code == 200 or (told["what"] and told["hint"]), (name, told)
    assert "Traceback" not in capfd.readouterr().err
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("garbage", [json.dumps(FULL)])
def test_queue__the_message_says_what_and_hint(
    client: TestClient, garbage: str, capfd: pytest.CaptureFixture[str]
) -> None:
    refused = 0
    for name, body in calls(client, garbage):
        joined = client.post("/gradio_api/queue/join", content=body, headers=JSON)
        assert joined.status_code == 200, (name, joined.text)
        stream = client.get("/gradio_api/queue/data", params={"session_hash": "x"}).text
        messages: list[dict[str, Any]] = [json.loads(line[6:]) for line in stream.splitlines() if line[:6] == "data: "]
        (done,) = [one for one in messages if one["msg"] == "process_completed"]
        assert done["success"] or ": " in done["output"]["error"], (name, done)
        refused += not done["success"]
    assert refused > 20
    assert "Traceback" not in capfd.readouterr().err


def test_run__too_few_inputs_are_told_in_words(client: TestClient, capfd: pytest.CaptureFixture[str]) -> None:
    for name, body in calls(client, "null"):
        call = {**json.loads(body), "data": []}
        told = client.post("/gradio_api/run/predict", json=call)
        assert told.status_code in (200, 400), (name, told.text)
    assert "Traceback" not in capfd.readouterr().err


def test_checked__names_the_place() -> None:
    assert checked("count", 3.0, int) == 3
    with pytest.raises(StudioError, match=r"cells\[1\] is 'x'"):
        checked("cells", [1, "x"], list[int])
    with pytest.raises(StudioError, match="share is nan"):
        checked("share", float("nan"), float)


def test_remembered__a_state_that_is_gone() -> None:
    assert remembered([1]) == [1]
    with pytest.raises(StudioError, match="before the server's last start"):
        remembered({})
