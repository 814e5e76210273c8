import os
import resource
import signal
import subprocess
import sys
from collections import namedtuple

import psutil
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.store import WorkspaceLock, locate_workspace, read_json, server_of, write_json
from logicmix_studio.store import workspace as module

Partition = namedtuple("Partition", "device mountpoint fstype opts")


def test_workspace_lies_beside_the_images(tmp_path):
    assert locate_workspace(tmp_path).folder == tmp_path / ".logicmix"
    assert not (tmp_path / ".logicmix").exists()


def test_workspace_can_be_named(tmp_path):
    assert locate_workspace(tmp_path, tmp_path / "else").folder == tmp_path / "else"


def test_missing_folder_is_said(tmp_path):
    with pytest.raises(StudioError, match="nowhere is not a folder"):
        locate_workspace(tmp_path / "nowhere")


def test_network_folder_goes_to_the_users_data(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    images = tmp_path / "images"
    images.mkdir()
    partitions = [Partition("x", "/", "ext4", ""), Partition("server:/x", str(tmp_path), "nfs4", "")]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: partitions)
    folder = locate_workspace(images).folder
    assert folder.parent == tmp_path / "data" / "logicmix-studio"
    assert folder.name.startswith("images-")


def test_read_only_folder_goes_to_the_users_data(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(module, "_is_writable", lambda folder: False)
    assert locate_workspace(tmp_path).folder.is_relative_to(tmp_path / "data")


def test_info_of_no_workspace_says_what_to_do(tmp_path):
    with pytest.raises(StudioError, match="import the images first"):
        locate_workspace(tmp_path).info()


def test_info_of_a_later_format(tmp_path):
    place = locate_workspace(tmp_path)
    write_json(place.info_file, {"format": 99}, new_folders=1)
    with pytest.raises(StudioError, match="has format 99, expected 1"):
        place.info()


def test_lock_is_for_one(tmp_path):
    place = locate_workspace(tmp_path)
    lock = WorkspaceLock(place)
    lock.publish(url="http://127.0.0.1:7860", token="t")
    program = (
        "import sys; from pathlib import Path; from logicmix_studio.store import *;\n"
        "try: WorkspaceLock(locate_workspace(Path(sys.argv[1])))\n"
        "except Exception as error: print(error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert f"in use by process {os.getpid()}, at http://127.0.0.1:7860" in said
    assert "logicmix-studio stop" in said
    lock.release()
    WorkspaceLock(place).release()


def test_server_file_is_for_its_owner_only(tmp_path):
    place = locate_workspace(tmp_path)
    lock = WorkspaceLock(place)
    assert place.server_file.stat().st_mode & 0o077 == 0
    assert server_of(place).pid == os.getpid()
    lock.release()
    assert server_of(place) is None


def test_dead_server_is_nobody(tmp_path):
    place = locate_workspace(tmp_path)
    write_json(place.server_file, {"pid": os.getpid(), "process_started": 1.0, "url": "", "token": ""}, new_folders=1)
    assert server_of(place) is None


def test_commands_that_are_shown_name_the_workspace(tmp_path):
    assert locate_workspace(tmp_path).command("stop") == f"logicmix-studio stop {tmp_path}"
    elsewhere = locate_workspace(tmp_path, tmp_path / "a b")
    assert elsewhere.command("stop") == f"logicmix-studio stop {tmp_path} --workspace '{tmp_path}/a b'"


def test_workspace_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudioError, match=r"cannot write .*file.*: Not a directory"):
        WorkspaceLock(locate_workspace(tmp_path, tmp_path / "file" / "workspace"))


def test_full_disk_is_said_and_leaves_the_old_file(tmp_path):
    file = tmp_path / "settings.json"
    write_json(file, {"old": 1})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StudioError, match=r"cannot write .*settings.json: File too large"):
            write_json(file, {"new": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
    assert read_json(file) == {"old": 1}


def test_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.W_OK)
    with pytest.raises(StudioError, match=r"cannot read the folder .*: permission denied"):
        locate_workspace(tmp_path)
