"""A run taken to another folder of images, trained there and brought back, with the commands that the documentation names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from logicmix_studio.cli.main import app
from logicmix_studio.errors import StudioError
from logicmix_studio.importing import store_tables
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import locate_workspace
from logicmix_studio.studio import Studio
from logicmix_studio.training.run_folder import RunFolder, RunState
from tests.tiny_runs import CLASS_NAMES, TINY, paint_images
from tests.workspaces import make_workspace


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Forty coloured images of which half the cells are known."""
    snapshot = paint_images(tmp_path / "photos", 40)
    table = LabelTable.build(snapshot.paths.tolist(), CLASS_NAMES, snapshot.states, snapshot.splits.tolist())
    store_tables(locate_workspace(tmp_path / "photos"), table, None)
    return tmp_path / "photos"


def command(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.slow
def test_a_run_is_trained_elsewhere_and_brought_back(photos: Path, tmp_path: Path) -> None:
    settings = [word for name, value in TINY.items() for word in ("--set", f"{name}={value}")]
    told = json.loads(command("train", photos, *settings, "--prepare", "--json"))
    assert (told["run"], told["status"], told["message"]) == (1, "paused", "prepared")
    command("runs", "export", photos, 1, tmp_path / "run1.zip")

    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(photos, elsewhere / "images", ignore=shutil.ignore_patterns(".logicmix"))
    shutil.unpack_archive(tmp_path / "run1.zip", elsewhere / "run1")
    moved = photos.rename(tmp_path / "not there")
    trainer = [sys.executable, "-m", "logicmix_studio.training", str(elsewhere / "run1"), "--root"]
    subprocess.run([*trainer, str(elsewhere / "images")], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    moved.rename(photos)
    shutil.make_archive(str(tmp_path / "trained"), "zip", elsewhere / "run1")
    shutil.rmtree(elsewhere)

    back = json.loads(command("runs", "import", photos, tmp_path / "trained.zip", "--json"))
    assert (back["run"], back["status"], back["current_run"]) == (2, "finished", 2)
    assert not RunFolder(locate_workspace(photos).runs / "0002").lock_file.exists()  # of that machine
    with Studio.open(photos, who="ada") as studio:
        folder = RunFolder(studio.jobs.folder(2))
        assert (folder.config().root, folder.config().cache) == (str(photos), None)
        assert not (folder.path / "cache").exists()
        assert studio.registry.scores(2).is_scored.all()
        assert studio.jobs.info(1).status == "paused"


def test_what_is_no_run_of_this_data_set_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    make_workspace(tmp_path / "photos", runs=1)
    make_workspace(tmp_path / "others", class_names=("dog", "cat"), runs=0)
    (tmp_path / "nothing.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    with Studio.open(tmp_path / "photos") as studio, Studio.open(tmp_path / "others") as other:
        studio.jobs.pack(1, tmp_path / "run.zip")
        shutil.unpack_archive(tmp_path / "run.zip", tmp_path / "broken")
        (tmp_path / "broken" / "config.json").write_text("{", encoding="utf-8")
        shutil.make_archive(str(tmp_path / "broken"), "zip", tmp_path / "broken")
        for name, words in {
            "run.zip": "of another data set",
            "broken.zip": "holds a broken run: .*config.json",
            "nothing.zip": "no packed run",
            "none.zip": "no such file",
        }.items():
            with pytest.raises(StudioError, match=words):
                other.jobs.unpack(tmp_path / name, root=other.workspace.root, table=other.table)
        assert other.jobs.list() == []
        assert [path.name for path in other.jobs.runs_dir.iterdir()] == ["counter.json"]


def test_a_run_that_was_under_way_is_paused_where_it_comes_to(tmp_path: Path) -> None:
    make_workspace(tmp_path / "photos", runs=1)
    with Studio.open(tmp_path / "photos") as studio:
        studio.jobs.pack(1, tmp_path / "run.zip")
        with zipfile.ZipFile(tmp_path / "run.zip") as archive:
            archive.extractall(tmp_path / "copy")
        RunFolder(tmp_path / "copy").write_state(RunState("running", "epoch 3", 0.5, pid=os.getpid()))
        shutil.make_archive(str(tmp_path / "copy"), "zip", tmp_path / "copy")
        run = studio.jobs.unpack(tmp_path / "copy.zip", root=studio.workspace.root, table=studio.table)
        info = studio.jobs.info(run)
        assert (info.status, info.is_active, info.is_resumable) == ("paused", False, True)
