from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from logicmix_studio.app.answers import HOW_TO_CALL, OUR_MISTAKE, Answers, note_call
from logicmix_studio.app.server import build_app
from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace

JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    with Studio(make_workspace(tmp_path_factory.mktemp("answers") / "photos", num_images=12), who="ada") as opened:
        yield opened


@pytest.fixture(scope="module")
def client(studio: Studio) -> Iterator[TestClient]:
    with TestClient(build_app(studio), base_url="http://127.0.0.1:7860") as opened:
        yield opened


@pytest.mark.parametrize(
    ("function", "body", "what"),
    [
        ("state", '["nobody", "circle"]', "there is no image 'nobody'"),
        ("state", '[NaN, "circle"]', "image_id is nan"),
        ("state", '[Infinity, "circle"]', "image_id is inf"),
        ("state", r'["\ud800", "circle"]', r"there is no image '\ud800'"),
        ("state", '[["x"], {"a": 1}]', "image_id is ['x']"),
        ("state", '["a"]', "An event handler (state) didn't receive enough input values (needed: 2, got: 1)."),
        (
            "decide",
            '[[["IMAGE", "circle", NaN]], "", null, null, "x", false, null]',
            "state of 'circle' must be one of",
        ),
        (
            "decide",
            '[[["IMAGE", "circle", [1]]], "", null, null, "x", false, null]',
            "state of 'circle' must be one of",
        ),
        (
            "decide",
            '[[["IMAGE", "circle", 1]], "", 100000, null, "x", false, null]',
            "the decision was not saved: run 100000",
        ),
        ("decide", '[[["IMAGE", "circle", 1]], "", "x", null, "x", false, null]', "run is 'x'"),
        ("decide", r'[[["IMAGE", "circle", 1]], "\ud800", 1, null, "x", false, null]', "the decision was not saved"),
        ("decide", '[[["IMAGE", "circle", 1, "set", 7]], "", 1, null, "x", false, null]', "the decision was not saved"),
        ("decide", '[[5], "", 1, null, "x", false, null]', "cells[0] is 5"),
        ("set_goal", '["x"]', "Goal: known cells in % is 'x'"),
        ("set_goal", "[NaN]", "Goal: known cells in % is nan"),
        ("set_goal", "[1e400]", "Goal: known cells in % is inf"),
        ("nonesuch", "[]", "this request fits nothing here: Could not infer function index for API name: nonesuch"),
    ],
)
def test_run__what_a_client_got_wrong_is_400(
    client: TestClient, studio: Studio, function: str, body: str, what: str
) -> None:
    sent = f'{{"data": {body.replace("IMAGE", studio.image_ids[0])}}}'
    answer = client.post(f"/gradio_api/run/{function}", content=sent, headers=JSON)
    told = answer.json()
    assert answer.status_code == 400
    assert told["what"].startswith(what)
    assert told["hint"]
    assert told["error"]
    assert studio.ledger.seq == 0


@pytest.mark.parametrize(
    "body", ["no json", "[]", "{}", '{"data": {"a": 1}}', '{"data": ' + "[" * 100_000, b"\xff\xfe"]
)
def test_body__that_is_no_call_is_refused(client: TestClient, body: str | bytes) -> None:
    for path in ("run/state", "call/state", "queue/join"):
        answer = client.post(f"/gradio_api/{path}", content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, path
        assert answer.json()["what"], path
        assert answer.json()["hint"] == HOW_TO_CALL, path


@pytest.mark.parametrize(
    ("path", "status"),
    [("/thumb/nobody", 404), ("/thumb/x?s=abc", 422), ("/media/x?s=NaN", 422), ("/thumb/%ff", 404), ("/nonesuch", 404)],
)
def test_route__says_what_and_hint(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.json()["what"]
    assert answer.json()["hint"]


def test_route__a_foreign_host_is_told_in_the_same_form(client: TestClient) -> None:
    told = client.get("/", headers={"host": "evil.example"}).json()
    assert (told["what"], told["hint"]) == (
        "this address does not belong to the studio",
        "open it under 127.0.0.1",
    )


def test_unknown_component_and_function_numbers_are_400(client: TestClient) -> None:
    sent = {"data": [], "component_id": 99_999, "fn_name": "x", "session_hash": "x"}
    assert client.post("/gradio_api/component_server", json=sent).status_code == 400
    joined = {"data": [], "fn_index": 99_999, "session_hash": "x"}
    assert client.post("/gradio_api/queue/join", json=joined).status_code == 400


@pytest.mark.parametrize("told", [None, 1, "x", [], [1], {}, {"image": ["x"], "class_name": {}}])
def test_scripts_of_components_are_answered_in_words(client: TestClient, told: object) -> None:
    components = client.get("/config").json()["components"]
    functions = [(one["id"], name) for one in components for name in one["props"].get("server_fns") or ()]
    assert len(functions) > 5
    for component, name in functions:
        sent = {"data": told, "component_id": component, "fn_name": name, "session_hash": "x"}
        answer = client.post("/gradio_api/component_server", json=sent)
        assert answer.status_code < 500, (name, answer.text)


def test_our_own_mistake_is_500_and_said_so() -> None:
    async def fail(request: Request) -> Response:
        note_call()
        raise KeyError("x")

    client = TestClient(Answers(Starlette(routes=[Route("/", fail)])))
    answer = client.get("/")
    assert answer.status_code == 500
    assert answer.json() == {
        "error": "the studio failed: KeyError('x')",
        "what": "the studio failed: KeyError('x')",
        "hint": OUR_MISTAKE,
    }


def test_pictures_and_successes_pass_as_they_are(client: TestClient, studio: Studio) -> None:
    assert client.get(f"/thumb/{studio.image_ids[0]}").headers["content-type"] == "image/jpeg"
    sent = {"data": [studio.image_ids[0], studio.class_names[0]]}
    answer = client.post("/gradio_api/run/state", content=json.dumps(sent), headers=JSON)
    assert answer.json()["data"][0] in ("positive", "negative", "unknown")


def test_a_page_that_the_server_has_forgotten_sets_nothing(client: TestClient, studio: Studio) -> None:
    config = client.get("/config").json()
    (button,) = [one["id"] for one in config["components"] if one["props"].get("value") == "● positive"]
    (event,) = [one["id"] for one in config["dependencies"] if [button, "click"] in one["targets"]]
    sent = {"data": [None, studio.class_names[0]], "fn_index": event, "session_hash": "of an earlier server"}
    answer = client.post("/gradio_api/run/predict", json=sent)
    assert (answer.status_code, answer.json()["what"]) == (400, "this page is from before the server's last start")
    assert studio.ledger.seq == 0
