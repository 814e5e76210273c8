from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from logicmix_studio.runs import Jobs
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import QuickSettings, RunConfig
from logicmix_studio.training.feature_cache import FeatureCache, ImageFile, feature_folders, folder_name
from logicmix_studio.training.metrics import measure
from logicmix_studio.training.run_folder import RunFolder, RunState
from logicmix_studio.runs.service import RunService
from logicmix_studio.runs.compare import (
    RunChange,
    compare_runs,
    precision_difference,
    run_change,
    settings_difference,
)
from tests.ui.conftest import page_client
from tests.workspaces import add_run


@pytest.fixture
def two_runs(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio with two finished runs."""
    return open_studio("two", runs=2)


@pytest.fixture
def never_starts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let runs be created and marked as started, without a process."""
    started: list[int] = []

    def start(self: Jobs, run: int) -> Any:
        started.append(run)
        return self.info(run)

    monkeypatch.setattr(Jobs, "start", start)
    return started


def folder(studio: Studio, run: int) -> RunFolder:
    return RunFolder(studio.jobs.folder(run))


def add_unfinished(studio: Studio, status: str = "paused", run: int = 2) -> RunFolder:
    made = add_run(studio.workspace, studio.table, np.asarray(studio.states), run=run)
    for file in (made.result_file, made.scores_file):
        file.unlink()
    made.write_state(RunState(status, "epoch 3 of 60", 0.4))  # type: ignore[arg-type]
    studio.refresh()
    return made


# starting ---------------------------------------------------------------------


def test_recipes__every_setting_is_described(client: TestClient) -> None:
    answer = client.get("/api/train/recipes").json()
    assert [recipe["name"] for recipe in answer["recipes"]] == ["quick", "2wayaug-pl", "2wayaug-pl-released"]
    for recipe in answer["recipes"]:
        assert recipe["title"]
        assert recipe["words"]
        for field in recipe["fields"]:
            assert field["help"], field["name"]
            assert field["source"], field["name"]


def test_recipes__time_comes_from_an_earlier_run(client: TestClient) -> None:
    quick, full, _ = client.get("/api/train/recipes").json()["recipes"]
    assert quick["time"]["basis"] == "after run 1"
    assert quick["time"]["seconds"] > 0
    assert full["time"] is None


def test_readiness(client: TestClient, studio: Studio) -> None:
    readiness = client.get("/api/train/recipes").json()["readiness"]
    states = np.asarray(studio.states)[~studio.table.is_test]
    assert readiness["positive"] == int((states == 1).sum())
    assert readiness["is_ready"] is True
    assert readiness["since_last"] == 0
    row, column = np.argwhere(states == 0)[0]
    studio.decide(studio.image_ids[row], studio.class_names[column], 1)
    assert client.get("/api/train/recipes").json()["readiness"]["since_last"] == 1


def test_readiness__nothing_known(open_studio: Callable[..., Studio]) -> None:
    client = page_client(open_studio("bare", known_proportion=0.0, runs=0))
    readiness = client.get("/api/train/recipes").json()["readiness"]
    assert readiness["is_ready"] is False
    assert readiness["since_last"] is None
    answer = client.post("/api/train/start", json={"recipe": "quick"})
    assert answer.status_code == 400
    assert "nothing to learn from" in answer.json()["error"]


def test_recipes__features_that_are_there_take_no_time(client: TestClient, studio: Studio) -> None:
    def quick_time() -> Any:
        return client.get("/api/train/recipes").json()["recipes"][0]["time"]

    before = quick_time()
    assert before["to_embed"] == studio.table.num_images
    settings = QuickSettings().backbone
    cache = feature_folders(studio.workspace.cache) / folder_name(settings, "0123456789abcdef")
    kept = [ImageFile(image_id, Path("x.jpg"), "1 1") for image_id in studio.image_ids[:10]]
    FeatureCache(cache).add(kept, np.zeros((10, 4), np.float16))
    after = quick_time()
    assert after["to_embed"] == studio.table.num_images - 10
    assert after["seconds"] < before["seconds"]


def test_preview__weights_of_a_full_run_have_no_features_yet(client: TestClient, studio: Studio) -> None:
    add_run(studio.workspace, studio.table, np.asarray(studio.states), run=2)
    config = RunConfig.create("2wayaug-pl", class_names=studio.class_names)
    RunFolder(studio.jobs.folder(2)).config_file.write_text(config.to_json())
    cache = feature_folders(studio.workspace.cache) / folder_name(config.settings.backbone, "0" * 16)
    kept = [ImageFile(image_id, Path("x.jpg"), "1 1") for image_id in studio.image_ids]
    FeatureCache(cache).add(kept, np.zeros((len(kept), 4), np.float16))
    for start, missing in ((None, 0), (1, 0), (2, studio.table.num_images)):
        asked = {"recipe": "quick", "init_from": start}
        assert client.post("/api/train/preview", json=asked).json()["time"]["to_embed"] == missing


def test_seed__is_described_checked_and_used(client: TestClient, never_starts: list[int]) -> None:
    for recipe in client.get("/api/train/recipes").json()["recipes"]:
        field = recipe["fields"][0]
        assert (field["name"], field["default"]) == ("seed", RunConfig.create("quick").seed)
    for wrong in (-1, 2**31):
        answer = client.post("/api/train/preview", json={"recipe": "quick", "seed": wrong})
        assert answer.status_code in (400, 422)
        assert "seed" in answer.json()["error"]
    run = client.post("/api/train/start", json={"recipe": "quick", "seed": 7}).json()["run"]
    assert client.get(f"/api/train/runs/{run}/details").json()["seed"] == 7
    assert never_starts == [run]


def test_preview__checks_and_scales(client: TestClient) -> None:
    asked = {"recipe": "quick", "overrides": {"backbone.image_size": 448}}
    usual = client.post("/api/train/preview", json={"recipe": "quick"}).json()["time"]["seconds"]
    assert client.post("/api/train/preview", json=asked).json()["time"]["seconds"] > 2 * usual
    wrong = {"recipe": "quick", "overrides": {"backbone.image_size": 4}}
    answer = client.post("/api/train/preview", json=wrong)
    assert answer.status_code == 400
    assert "image_size must be at least 16" in answer.json()["error"]


def test_start__writes_what_was_chosen(client: TestClient, studio: Studio, never_starts: list[int]) -> None:
    body = {"recipe": "quick", "overrides": {"head.epochs": 5}, "init_from": 1, "name": "warm", "note": "try"}
    answer = client.post("/api/train/start", json=body).json()
    assert answer["run"] == 2
    assert never_starts == [2]
    config = folder(studio, 2).config()
    assert config.overrides() == {"head.epochs": 5}
    assert config.init_from == "0001"
    assert studio.jobs.info(2).name == "warm"
    assert answer["runs"][0]["note"] == "try"


def test_start__refuses_a_wrong_setting(client: TestClient, studio: Studio) -> None:
    answer = client.post(
        "/api/train/start", json={"recipe": "quick", "overrides": {"mixing.probability": 0.5}}
    )
    assert answer.status_code == 400
    assert "no setting mixing.probability" in answer.json()["error"]
    assert len(studio.jobs.list()) == 1


# watching ---------------------------------------------------------------------


def test_runs__newest_first_with_current_and_reason(two_runs: Studio) -> None:
    answer = page_client(two_runs).get("/api/train/runs").json()
    assert [card["run"] for card in answer["runs"]] == [2, 1]
    assert answer["current"]["run"] == 2
    assert answer["current"]["reason"]
    assert answer["current"]["is_chosen"] is False
    assert [card["is_current"] for card in answer["runs"]] == [True, False]


def test_run__curves_come_once(client: TestClient, studio: Studio) -> None:
    events = [{"event": "step", "time": 1.0, "step": 1, "loss_original": 0.5}]
    folder(studio, 1).events_file.write_text("".join(json.dumps(event) + "\n" for event in events))
    first = client.get("/api/train/runs/1").json()
    assert first["curves"]["steps"]["loss_original"] == [[1, 0.5]]
    again = client.get("/api/train/runs/1", params={"offset": first["offset"]}).json()
    assert "curves" not in again
    assert again["card"]["status"] == "finished"


def test_run__survives_a_restarted_server(client: TestClient, studio: Studio) -> None:
    folder(studio, 1).events_file.write_text('{"event": "epoch", "epoch": 1, "map": 0.5}\n')
    before = client.get("/api/train/runs/1").json()
    assert page_client(studio).get("/api/train/runs/1").json() == before


def test_run__that_does_not_exist(client: TestClient) -> None:
    answer = client.get("/api/train/runs/77")
    assert answer.status_code == 400
    assert "there is no run 77" in answer.json()["error"]


def test_log__is_the_end_of_what_was_printed(client: TestClient, studio: Studio) -> None:
    assert client.get("/api/train/runs/1/log").json() == {"lines": [], "is_cut": False}
    folder(studio, 1).log_file.write_text("")
    assert client.get("/api/train/runs/1/log").json()["lines"] == []
    folder(studio, 1).log_file.write_text("one\n10 %\r20 %\r30 %\nthree\n")
    assert client.get("/api/train/runs/1/log").json()["lines"] == ["one", "30 %", "three"]
    answer = client.get("/api/train/runs/1/log", params={"lines": 1}).json()
    assert answer == {"lines": ["three"], "is_cut": True}


def test_details__names_what_differs_from_the_recipe(client: TestClient, studio: Studio) -> None:
    answer = client.get("/api/train/runs/1/details").json()
    assert answer["changed"] == []
    assert answer["bytes"] == studio.jobs.size(1)
    config = json.loads(folder(studio, 1).config_file.read_text())
    config["settings"]["head"]["epochs"] = 7
    folder(studio, 1).config_file.write_text(json.dumps(config))
    changed = client.get("/api/train/runs/1/details").json()["changed"]
    assert [(one["name"], one["value"]) for one in changed] == [("head.epochs", 7)]


# changing ---------------------------------------------------------------------


def test_control__asks_the_jobs(client: TestClient, studio: Studio, never_starts: list[int]) -> None:
    add_unfinished(studio)
    answer = client.post("/api/train/runs/2/control", json={"action": "resume"}).json()
    assert never_starts == [2]
    assert answer["card"]["run"] == 2
    refused = client.post("/api/train/runs/2/control", json={"action": "pause"})
    assert refused.status_code == 400
    assert "not being trained" in refused.json()["error"]
    assert client.post("/api/train/runs/2/control", json={"action": "explode"}).status_code == 422


def test_control__cancels_a_paused_run(client: TestClient, studio: Studio) -> None:
    add_unfinished(studio)
    answer = client.post("/api/train/runs/2/control", json={"action": "cancel"}).json()
    assert answer["card"]["status"] == "cancelled"
    assert answer["card"]["is_resumable"] is True


def test_meta__is_kept_in_the_run_folder(client: TestClient, studio: Studio) -> None:
    client.post("/api/train/runs/1/meta", json={"name": "first", "star": True})
    card = client.post("/api/train/runs/1/meta", json={"note": "<i>good</i>"}).json()
    assert (card["name"], card["star"], card["note"]) == ("first", True, "<i>good</i>")
    kept = json.loads(folder(studio, 1).meta_file.read_text())
    assert kept == {"name": "first", "star": True, "note": "<i>good</i>"}


def test_delete__says_what_it_takes_and_frees(two_runs: Studio) -> None:
    client = page_client(two_runs)
    loss = client.get("/api/train/runs/2/deletion").json()
    assert loss["bytes"] == two_runs.jobs.size(2) > 0
    assert (loss["is_current"], loss["next_current"]) == (True, 1)
    answer = client.post("/api/train/runs/2/delete").json()
    assert answer["bytes"] == loss["bytes"]
    assert [card["run"] for card in answer["runs"]] == [1]
    assert two_runs.current_choice()[0] == 1


def test_delete__names_the_runs_that_started_from_it(client: TestClient, never_starts: list[int]) -> None:
    client.post("/api/train/start", json={"recipe": "quick", "init_from": 1})
    assert client.get("/api/train/runs/1/deletion").json()["heirs"] == [2]


def test_choose__another_run_and_back(two_runs: Studio) -> None:
    client = page_client(two_runs)
    answer = client.post("/api/train/choose", json={"run": 1}).json()
    assert answer["run"] == 1
    assert "chosen" in answer["reason"]
    assert client.get("/api/train/runs").json()["current"]["is_chosen"] is True
    assert client.post("/api/train/choose", json={"run": None}).json()["run"] == 2
    assert client.post("/api/train/choose", json={"run": 9}).status_code == 400


# what changed, and how two runs differ ------------------------------------------


def test_change__line_in_words() -> None:
    assert RunChange(312, 0, 14, 6, 9, 300, 26, 1).line() == (
        "+312 pseudo-labels in 9 classes, 14 flipped, 6 conflicts"
    )
    assert RunChange(1, 2, 0, 1, 1, 1, 0, 1).line() == "+1 pseudo-label in 1 class, 2 withdrawn, 1 conflict"
    assert RunChange(0, 0, 0, 0, 0, 0, 0, None).line() == "no new pseudo-label"


def test_change__counts_against_the_run_before(two_runs: Studio) -> None:
    states, is_test = np.asarray(two_runs.states), two_runs.table.is_test
    first, second = (two_runs.propose(two_runs.run_scores(run)) for run in (1, 2))
    change = run_change(two_runs, 2, 1)
    assert change.new == int(((first == 0) & (second != 0)).sum())
    assert change.flipped == int((first * second == -1).sum())
    assert change.positive + change.negative == int((second != 0).sum())
    assert not ((states != 0) | is_test[:, None])[second != 0].any()
    assert run_change(two_runs, 1, None).new == int((first != 0).sum())


def test_change__a_run_takes_over_from_the_best_one_before_it(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("three", runs=3)
    file = folder(studio, 3).result_file
    result = json.loads(file.read_text())
    file.write_text(json.dumps({**result, "comparison": {"best_run": 1}}))
    befores = [card["change"]["before"] for card in RunService(studio).runs()]
    assert befores == [1, 1, None]


def test_change__is_said_at_the_labels_of_its_time(two_runs: Studio) -> None:
    before = run_change(two_runs, 2, 1)
    proposals = two_runs.proposals_array()
    row, column = np.argwhere(proposals != 0)[0]
    two_runs.decide(two_runs.image_ids[row], two_runs.class_names[column], int(proposals[row, column]))
    assert run_change(two_runs, 2, 1) == before


def test_change__of_a_run_whose_scores_are_gone(client: TestClient, studio: Studio) -> None:
    add_run(studio.workspace, studio.table, np.asarray(studio.states), run=2).scores_file.unlink()
    studio.settings.update({"chosen_run": 1})
    studio.refresh()
    card = client.get("/api/train/runs").json()["runs"][0]
    assert card["change"]["is_broken"] is True
    assert "can't be read" in card["change"]["line"]


def test_compare__settings_that_differ(two_runs: Studio) -> None:
    assert settings_difference(two_runs, 1, 2) == []
    config = json.loads(folder(two_runs, 2).config_file.read_text())
    config["settings"]["head"]["epochs"] = 7
    folder(two_runs, 2).config_file.write_text(json.dumps({**config, "init_from": "0001"}))
    rows = {row["name"]: row["values"] for row in settings_difference(two_runs, 1, 2)}
    assert rows["started from"] == [None, 1]
    assert rows["head.epochs"][1] == 7
    assert set(rows) == {"started from", "head.epochs"}


def test_compare__precision_by_the_largest_difference() -> None:
    first, second = {"ap": {"dog": 0.5, "cat": 0.5, "cow": None}}, {"ap": {"dog": 0.6, "cat": 0.1}}
    rows = precision_difference(("cow", "dog", "cat"), first, second)
    assert [row["class"] for row in rows] == ["cat", "dog", "cow"]
    assert rows[0]["ap"] == [0.5, 0.1]
    assert rows[2]["ap"] == [None, None]


def test_compare__measures_both_runs_on_the_same_held_out_cells(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("many", runs=2, num_images=200, known_proportion=0.5)
    # The first run had trained on some cells that the second holds out: they do not count.
    heldout_file = folder(studio, 1).heldout_file
    fewer = np.load(heldout_file)
    fewer[::2] = False
    np.save(heldout_file, fewer)
    states = np.where(fewer, studio.table.states, 0).astype(np.int8)
    expected = [measure(studio.run_scores(run).scores, states).map for run in (1, 2)]
    assert compare_runs(studio, 1, 2)["map"] == expected
    assert compare_runs(studio, 2, 1)["map"] == expected[::-1]


def test_compare__pseudo_labels(two_runs: Studio) -> None:
    pseudo = compare_runs(two_runs, 1, 2)["pseudo"]
    one, other = (two_runs.propose(two_runs.run_scores(run)) for run in (1, 2))
    assert pseudo["totals"] == {
        "same": int(((one != 0) & (one == other)).sum()),
        "first": int(((one != 0) & (other == 0)).sum()),
        "second": int(((one == 0) & (other != 0)).sum()),
        "opposite": int((one * other == -1).sum()),
    }
    assert sum(row["same"] for row in pseudo["per_class"]) == pseudo["totals"]["same"]
    opposite = [example["opposite"] for example in pseudo["examples"]]
    assert opposite == sorted(opposite, reverse=True)


def test_compare__with_an_unfinished_run(client: TestClient, studio: Studio) -> None:
    add_unfinished(studio)
    answer = client.get("/api/train/compare", params={"first": 1, "second": 2}).json()
    assert answer["pseudo"] is None
    assert len(answer["curves"]) == 2


def test_room__reads_everything_from_disk(studio: Studio) -> None:
    assert RunService(studio).runs() == RunService(studio).runs()


def test_empty_data_set(open_studio: Callable[..., Studio], tmp_path: Path) -> None:
    client = page_client(open_studio("empty", num_images=0, runs=0))
    assert client.get("/api/train/runs").json()["runs"] == []
    readiness = client.get("/api/train/recipes").json()["readiness"]
    assert (readiness["images"], readiness["is_ready"]) == (0, False)
