"""``simulate`` on a tiny trial: what it prints, writes, keeps and leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from logicmix_studio.cli.main import app
from tests.evaluation.test_published import make_coco
from tests.tiny_runs import TINY
from tests.workspaces import make_workspace

NO_MODEL = ["--strategies", "images,cells", "--seeds", "1,2", "--error-rate", "0", "--known-proportion", "0.3"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_workspace(tmp_path / "photos", num_images=36, trial=True, runs=0)
    return tmp_path / "photos"


def simulate(photos: Path, out: Path, *more: str) -> str:
    result = CliRunner().invoke(app, ["simulate", str(photos), *NO_MODEL, "--out", str(out), *more])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_ways_without_a_model_are_compared(photos: Path, tmp_path: Path) -> None:
    told: dict[str, Any] = json.loads(simulate(photos, tmp_path / "out", "--json"))
    images, cells = told["headlines"]
    assert (images["strategy"], images["reached"], cells["strategy"]) == ("images", 2, "cells")
    assert images["share"]["mean"] == 1.0
    assert cells["share"]["mean"] > 1.0
    assert told["is_whole"]
    curves = pd.read_csv(tmp_path / "out" / "curves.csv")
    assert set(curves["strategy"]) == {"images", "cells"}
    assert curves.groupby(["strategy", "seed"])["right"].last().ge(0.99).all()


def test_the_table_names_ways_and_the_file_of_curves(photos: Path, tmp_path: Path) -> None:
    printed = simulate(photos, tmp_path / "out")
    assert "2 of 2" in printed
    assert "curves.csv" in printed


def test_finished_trials_are_not_made_again_and_the_workspace_stays(photos: Path, tmp_path: Path) -> None:
    before = sorted(path.relative_to(photos) for path in photos.rglob("*"))
    simulate(photos, tmp_path / "out")
    kept = {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "cells").iterdir()}
    simulate(photos, tmp_path / "out")
    assert {file: file.stat().st_mtime_ns for file in (tmp_path / "out" / "cells").iterdir()} == kept
    assert sorted(path.relative_to(photos) for path in photos.rglob("*")) == before


@pytest.mark.parametrize("wrong", [["--seeds", "one"], ["--cost", "tile"]])
def test_what_cannot_be_read_is_wrong_usage(photos: Path, wrong: list[str]) -> None:
    result = CliRunner().invoke(app, ["simulate", str(photos), *wrong])
    assert result.exit_code == 2


def test_a_published_set_is_compared_as_its_archives_unpack(tmp_path: Path) -> None:
    make_coco(tmp_path / "coco")
    tiny = [f"--set={name}={value}" for name, value in TINY.items()]
    asked = ["benchmark", "run", str(tmp_path / "coco"), "--published", "coco2014", "--proportions", "0.9", *tiny]
    result = CliRunner().invoke(app, [*asked, "--methods", "quick", "--seeds", "1", "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    table = pd.read_csv(tmp_path / "out" / "runs.csv")
    assert table[["data_name", "method"]].to_numpy().tolist() == [["COCO 2014", "quick"]]


def test_fetching_what_nobody_published_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["benchmark", "fetch", "imagenet", str(tmp_path)])
    assert result.exit_code == 1
    assert "choose among voc2007, coco2014, vg200" in " ".join(str(result.exception).split())
