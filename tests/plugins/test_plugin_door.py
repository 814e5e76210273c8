"""The way from FiftyOne into the studio, as far as it needs no FiftyOne."""

import os
import socket

import numpy as np
import psutil
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.plugin_door import ServerDoor, StudioDoor, open_door, workspace_of
from logicmix_studio.store import Decision, ServerInfo, Workspace, WorkspaceLock, save_table, write_json


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    place = Workspace(root=tmp_path, folder=tmp_path / ".logicmix")
    save_table(place.labels_file, LabelTable.build(["a.jpg"], ["dog"], np.zeros((1, 1), dtype=np.int8)))
    write_json(place.info_file, {"format": 1, "name": "pets", "root": str(tmp_path)})
    return place


def publish(workspace: Workspace, url: str) -> None:
    me = psutil.Process()
    content = {"pid": me.pid, "process_started": me.create_time(), "url": url, "token": "t"}
    write_json(workspace.server_file, content)


def test_workspace_of_a_data_set(workspace):
    info = {"logicmix": {"workspace": str(workspace.folder), "root": str(workspace.root)}}
    assert workspace_of(info) == workspace


def test_workspace_of_a_foreign_data_set():
    with pytest.raises(StudioError, match="does not belong to LogicMix Studio"):
        workspace_of({})


def test_workspace_that_is_gone(tmp_path):
    info = {"logicmix": {"workspace": str(tmp_path / "gone"), "root": str(tmp_path)}}
    with pytest.raises(StudioError, match="gone"):
        workspace_of(info)


def test_a_serving_process_is_the_door(workspace):
    publish(workspace, "http://127.0.0.1:1")
    with open_door(workspace) as door:
        assert isinstance(door, ServerDoor)


def test_without_a_server_the_workspace_itself_is_opened_and_given_back(workspace):
    with open_door(workspace) as door:
        assert isinstance(door, StudioDoor)
        assert workspace.server_file.exists()
    assert not workspace.server_file.exists()


def test_a_holder_that_serves_nothing_is_named(workspace):
    lock = WorkspaceLock(workspace)
    with pytest.raises(StudioError, match=f"process {os.getpid()}"), open_door(workspace):
        pass
    lock.release()


def test_a_server_that_does_not_answer_is_said(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))  # bound, but nobody listens
        door = ServerDoor(ServerInfo(1, 1.0, f"http://127.0.0.1:{free.getsockname()[1]}", "t"), seconds=5)
        with pytest.raises(StudioError, match="does not answer"):
            door.decide([Decision("0" * 24, "dog", 1)], 1)
