"""The plugin's way into the studio, as far as it needs no FiftyOne."""

import importlib.util
import os
import socket
import sys
from pathlib import Path

import gradio as gr
import numpy as np
import psutil
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, ServerInfo, Workspace, WorkspaceLock, save_table, write_json
from logicmix_studio.studio import current_user

CLIENT = Path(__file__).parents[2] / "plugins" / "logicmix" / "client.py"


@pytest.fixture(scope="module")
def client():
    """Load the module by its path: its package imports FiftyOne."""
    spec = importlib.util.spec_from_file_location("plugin_client", CLIENT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    place = Workspace(root=tmp_path, folder=tmp_path / ".logicmix")
    save_table(place.labels_file, LabelTable.build(["a.jpg"], ["dog"], np.zeros((1, 1), dtype=np.int8)))
    write_json(place.info_file, {"format": 1, "name": "pets", "root": str(tmp_path)})
    return place


@pytest.fixture
def server():
    """A small page with the studio's functions; it notes what it was asked."""
    asked = []

    def decide(
        cells: list[list],
        note: str = "",
        run: int | None = None,
        action_id: str | None = None,
        origin: str = "program",
        keep_known: bool = False,
        expected: int | None = None,
        request: gr.Request | None = None,
    ) -> dict:
        asked.append((cells, run, action_id, origin, expected, dict(request.headers)))
        if run == 9:
            raise gr.Error("there is no run 9: choose a finished run", print_exception=False)
        return {"line": 1, "cells": len(cells) - 1, "skipped": [["0" * 24, "dog"]]}

    def train(recipe: str = "fast") -> int:
        asked.append(recipe)
        return 7

    def undo(line: int | None = None, action_id: str | None = None) -> dict:
        asked.append((line, action_id))
        return {"line": 2, "cells": 3}

    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.api(decide, api_name="decide", queue=False)
        gr.api(undo, api_name="undo", queue=False)
        gr.api(train, api_name="train")
    blocks.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", show_error=True)
    yield ServerInfo(1, 1.0, blocks.local_url, "secret"), asked
    blocks.close()


def publish(workspace: Workspace, url: str) -> None:
    me = psutil.Process()
    content = {"pid": me.pid, "process_started": me.create_time(), "url": url, "token": "t"}
    write_json(workspace.server_file, content)


def test_a_serving_process_is_asked(client, workspace):
    publish(workspace, "http://127.0.0.1:1")
    with client.connect(workspace) as found:
        assert isinstance(found, client.ServerClient)


def test_without_a_server_the_workspace_itself_is_opened_and_given_back(client, workspace):
    with client.connect(workspace) as found:
        assert isinstance(found, client.LocalClient)
        assert workspace.server_file.exists()
    assert not workspace.server_file.exists()


def test_a_holder_that_serves_nothing_is_named(client, workspace):
    lock = WorkspaceLock(workspace)
    with pytest.raises(StudioError, match=f"process {os.getpid()}"), client.connect(workspace):
        pass
    lock.release()


def test_answers_and_runs_go_through_the_server(client, server, monkeypatch):
    info, asked = server
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy for the outside world
    found = client.ServerClient(info)
    decisions = [Decision("0" * 24, "dog", 1, "accept", 0.98), Decision("1" * 24, "dog", -1, "reject", 0.9)]
    assert found.decide(decisions, 3, 2) == (1, 1)
    ((cells, run, action_id, origin, expected, headers),) = asked
    assert cells == [["0" * 24, "dog", 1, "accept", 0.98], ["1" * 24, "dog", -1, "reject", 0.9]]
    assert (run, origin, expected, len(action_id)) == (3, "fiftyone", 2, 32)
    assert headers["x-logicmix-token"] == "secret"
    assert headers["x-logicmix-person"] == current_user()
    assert found.undo() == 3
    assert asked[-1][0] is None
    assert found.train("thorough") == 7
    assert asked[-1] == "thorough"


def test_a_refusal_is_shown_in_its_own_words(client, server):
    with pytest.raises(StudioError, match="there is no run 9: choose a finished run"):
        client.ServerClient(server[0]).decide([Decision("0" * 24, "dog", 1)], 9)


def test_a_server_that_does_not_answer_is_said(client):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, but nobody listens
        info = ServerInfo(1, 1.0, f"http://127.0.0.1:{free.getsockname()[1]}", "t")
        with pytest.raises(StudioError, match="does not answer"):
            client.ServerClient(info, seconds=5).decide([Decision("0" * 24, "dog", 1)], 1)
