from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.files import write_json
from logicmix_studio.runs import Jobs
from logicmix_studio.runs.training_preview import ENOUGH_FOR_THOROUGH, FEW_FOR_BLENDS
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import QuickSettings, RunConfig
from logicmix_studio.training.feature_cache import FeatureCache, ImageFile, feature_folders, folder_name
from logicmix_studio.training.run_folder import RunFolder, RunState
from tests.workspaces import add_run


@pytest.fixture
def two_runs(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio with two finished runs."""
    return open_studio("two", runs=2)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let runs be created and marked as started, without a process."""
    numbers: list[int] = []

    def start(self: Jobs, run: int) -> Any:
        numbers.append(run)
        return self.info(run)

    monkeypatch.setattr(Jobs, "start", start)
    return numbers


def folder(studio: Studio, run: int) -> RunFolder:
    return RunFolder(studio.jobs.folder(run))


def cache_features(studio: Studio, image_ids: tuple[str, ...], weights: str = "0123456789abcdef") -> None:
    where = feature_folders(studio.workspace.cache) / folder_name(QuickSettings().backbone, weights)
    known = [ImageFile(image_id, Path("x.jpg"), "1 1") for image_id in image_ids]
    FeatureCache(where).add(known, np.zeros((len(known), 4), np.float16))


# starting ---------------------------------------------------------------------


def test_forecast__time_comes_from_an_earlier_run(studio: Studio) -> None:
    quick, full = studio.runs.forecast("fast"), studio.runs.forecast("thorough")
    assert quick.time is not None
    assert quick.time.basis == "judging by run 1"
    assert quick.line == "about 4 s judging by run 1"
    assert full.time is None
    assert full.line == "time not known yet"
    assert full.words == "600 epochs at the most. Not timed on this machine yet."


def test_forecast__features_that_are_there_take_no_time(studio: Studio) -> None:
    before = studio.runs.forecast("fast")
    assert before.to_embed == studio.table.num_images == 24
    assert before.words == "The features of 24 images are computed first."
    cache_features(studio, studio.image_ids[:10])
    after = studio.runs.forecast("fast")
    assert after.words == "The features of 14 of 24 images are computed first."
    assert after.time is not None
    assert before.time is not None
    assert after.time.seconds < before.time.seconds
    cache_features(studio, studio.image_ids)
    assert studio.runs.forecast("fast").words == "The features of all images are there already."


def test_forecast__weights_of_a_full_run_have_no_features_yet(studio: Studio) -> None:
    add_run(studio.workspace, studio.table, np.asarray(studio.states), run=2)
    config = RunConfig.create("2wayaug-pl", class_names=studio.class_names)
    folder(studio, 2).config_file.write_text(config.to_json())
    cache_features(studio, studio.image_ids)
    missing = [studio.runs.forecast("fast", init_from=start).to_embed for start in (None, 1, 2)]
    assert missing == [0, 0, studio.table.num_images]


def test_forecast__checks_and_scales(studio: Studio) -> None:
    usual, large = studio.runs.forecast("fast"), studio.runs.forecast("fast", {"backbone.image_size": 448})
    assert usual.time is not None
    assert large.time is not None
    assert large.time.seconds > 2 * usual.time.seconds
    assert large.words.startswith("1 setting changed.")
    with pytest.raises(StudioError, match="image_size must be at least 16"):
        studio.runs.forecast("fast", {"backbone.image_size": 4})


def test_forecast__of_a_machine_that_was_measured(studio: Studio) -> None:
    speeds = {"backbone": QuickSettings().backbone.name, "image_size": 224}
    trial = {**speeds, "score_images_per_s": 90, "train_images_per_s": 30}
    studio.workspace.cache.mkdir(exist_ok=True)
    (studio.workspace.cache / "speed.json").write_text(json.dumps({"trials": [trial]}))
    time = studio.runs.forecast("thorough").time
    assert time is not None
    assert time.basis == "judging by a short trial"


def test_readiness(studio: Studio) -> None:
    readiness = studio.runs.readiness()
    states = np.asarray(studio.states)[~studio.table.is_test]
    assert readiness.positive == int((states == 1).sum())
    assert readiness.is_ready
    assert readiness.since_last == 0
    assert "Nothing new since the last run." in readiness.words
    assert readiness.recommended == "fast"
    assert "Take the recipe fast" in readiness.words
    row, column = np.argwhere(states == 0)[0]
    studio.decide(studio.image_ids[row], studio.class_names[column], 1)
    assert " 1 answer since the last run." in studio.runs.readiness().words


def test_readiness__blends_have_not_paid_on_few_images(studio: Studio) -> None:
    readiness = replace(studio.runs.readiness(), positive=ENOUGH_FOR_THOROUGH)
    assert readiness.recommended == "thorough"
    assert 'make a run with "LogicMix: method none", too' in readiness.words
    assert "method none" not in replace(readiness, images=FEW_FOR_BLENDS).words
    assert "method none" not in replace(readiness, measured=("thorough", "It was measured here.")).words


BENCHMARK = {
    "made": "2026-11-27T20:00:00+00:00",
    "settings": {"backbone.image_size": 64},
    "rows": [
        {
            **{"method": name, "words": f"what {name} is", "recipe": recipe, "known_proportion": share, "seeds": 3},
            **{"map": value, "low": value - 0.02, "high": value + 0.02, "behind": 0.6 - value, "behind_low": low},
        }
        for share in (0.1, 0.9)
        for name, recipe, value, low in (
            ("logicmix", "2wayaug-pl", 0.6, 0.0),
            ("quick", "quick", 0.5, 0.08 - share / 10),
        )
    ],
}
"""At 10 % known the fast recipe is worse beyond noise, at 90 % it can't be told."""


@pytest.mark.parametrize(
    ("known", "recipe", "said"), [(0.2, "thorough", "beyond noise"), (0.9, "fast", "can't be told from quick")]
)
def test_a_benchmark_of_the_data_set_is_cited(
    open_studio: Callable[..., Studio], known: float, recipe: str, said: str
) -> None:
    studio = open_studio(known_proportion=known)
    assert studio.runs.benchmark() is None
    write_json(studio.workspace.benchmark_file, BENCHMARK)
    readiness = studio.runs.readiness()
    assert readiness.recommended == recipe
    assert readiness.words.endswith(f"Take the recipe {recipe}.")
    assert "logicmix was best with a mAP of 60.0 (58.0 to 62.0) %" in readiness.words
    assert said in readiness.words
    found = studio.runs.benchmark()
    assert found is not None
    assert found.about == "3 seeds; Network: image size 64"


def test_without_the_fast_recipe_a_benchmark_names_its_best_and_recommends_nothing_against_it(studio: Studio) -> None:
    write_json(studio.workspace.benchmark_file, {**BENCHMARK, "rows": BENCHMARK["rows"][:1]})
    readiness = studio.runs.readiness()
    assert "logicmix was best" in readiness.words
    assert "Take the recipe" not in readiness.words


@pytest.mark.parametrize("wrong", [{"rows": []}, {"rows": [{"method": "quick"}]}, {"made": ""}])
def test_a_broken_benchmark_is_told_and_stops_nothing(studio: Studio, wrong: dict[str, object]) -> None:
    write_json(studio.workspace.benchmark_file, wrong)
    assert studio.runs.readiness().recommended == "fast"
    with pytest.raises(StudioError, match="is no benchmark"):
        studio.runs.benchmark()


def test_readiness__nothing_known(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("bare", known_proportion=0.0, runs=0)
    readiness = studio.runs.readiness()
    assert not readiness.is_ready
    assert readiness.since_last is None
    assert "nothing to learn from yet" in readiness.words
    with pytest.raises(StudioError, match="nothing to learn from"):
        studio.runs.start("fast")


def test_start__writes_what_was_chosen(studio: Studio, started: list[int]) -> None:
    run = studio.runs.start("fast", {"head.epochs": 5}, 1, seed=7, name="warm", note="try")
    assert started == [run] == [2]
    config = folder(studio, 2).config()
    assert config.overrides() == {"head.epochs": 5}
    assert (config.recipe, config.init_from, config.seed) == ("quick", "0001", 7)
    info = studio.jobs.info(2)
    assert (info.name, info.note) == ("warm", "try")
    assert studio.runs.settings(2).to_numpy().tolist() == [
        ["seed", "7", "526"],
        ["started from", "run 1", "fresh start"],
        ["Last layer: epochs", "5", "60"],
    ]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"overrides": {"mixing.probability": 0.5}}, "no setting mixing.probability"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"recipe": "slow"}, "there is no recipe 'slow'"),
        ({"init_from": 9}, "there is no run 0009 to start from"),
    ],
)
def test_start__refuses_what_is_wrong(studio: Studio, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(StudioError, match=words):
        studio.runs.start(**asked)
    assert len(studio.jobs.list()) == 1


# watching ---------------------------------------------------------------------


def test_table__newest_first_in_words(two_runs: Studio) -> None:
    two_runs.jobs.annotate(1, name="<b>first</b>", star=True)
    table = two_runs.runs.table()
    assert table["run"].tolist() == [2, 1]
    assert table["name"].tolist() == ["◐", "★ <b>first</b>"]
    assert table["recipe"].tolist() == ["fast", "fast"]
    assert table["state"].tolist() == ["finished", "finished"]
    assert table["mAP"].tolist() == pytest.approx([0.76, 0.68])
    assert table["time"].tolist() == ["4 s", "4 s"]
    assert all("pseudo-label" in line for line in table["changed"])


def test_table__empty(open_studio: Callable[..., Studio]) -> None:
    assert open_studio(runs=0).runs.table().empty


def test_standing__says_what_a_run_waits_for(studio: Studio) -> None:
    me = folder(studio, 1)
    me.write_state(RunState("queued", "waiting for run 3 of /photos to leave cpu"))
    (me.path / "launch.json").unlink(missing_ok=True)
    assert studio.jobs.info(1).standing == "waiting for run 3 of /photos to leave cpu"
    me.write_state(RunState("paused", "on request", 0.4))
    assert studio.jobs.info(1).standing.startswith("paused at a checkpoint")


def test_warnings_are_part_of_a_run(studio: Studio) -> None:
    folder(studio, 1).write_state(RunState("finished", "done", 1.0, warnings=("2 images are left out",)))
    assert studio.jobs.info(1).warnings == ("2 images are left out",)


def test_curves__are_read_from_disk(studio: Studio) -> None:
    events = [{"event": "step", "time": 1.0, "step": 1, "loss_original": 0.5}]
    folder(studio, 1).events_file.write_text("".join(json.dumps(event) + "\n" for event in events))
    curves = studio.runs.curves(1)
    assert curves.lines("loss") == {"photographs": [[1, 0.5]]}
    assert curves.offset == folder(studio, 1).events_file.stat().st_size
    with pytest.raises(StudioError, match="there is no run 77"):
        studio.runs.curves(77)


def test_log__is_the_end_of_what_was_printed(studio: Studio) -> None:
    assert studio.runs.log(1) == ""
    folder(studio, 1).log_file.write_text("")
    assert studio.runs.log(1) == ""
    folder(studio, 1).log_file.write_text("one\n10 %\r20 %\r30 %\nthree\n")
    assert studio.runs.log(1) == "one\n30 %\nthree"
    assert studio.runs.log(1, lines=1) == "three"


def test_facts_of_a_finished_run(studio: Studio) -> None:
    facts = {words: number for number, words in studio.runs.facts(1)}
    change = studio.runs.change(studio.jobs.info(1))
    assert change is not None
    assert facts["mAP on held-out cells"] == "0.680"
    assert facts["pseudo-labels: present"] == str(change.positive)
    assert facts["time"] == "4 s"
    assert facts["on disk"].endswith("kB")


def test_what_a_run_was_measured_on_is_said(studio: Studio) -> None:
    held: dict[str, Any] = {"map": 0.65, "map_low": 0.55, "map_high": 0.75, "num_cells": 482, "num_positive": 39}
    held |= {"num_measured_images": 301, "num_without_positive": 7}
    test = {**held, "map": 0.43, "map_low": 0.38, "map_high": 0.47, "num_cells": 19_200, "num_positive": 1310}
    file = folder(studio, 1).result_file
    file.write_text(json.dumps({**held, "seconds": 3.0, "test": {**test, "num_measured_images": 960}}))
    words = "on 19,200 cells of 960 test images, 1,310 positive; 7 classes have none"
    assert studio.runs.facts(1)[:2] == [
        ("0.43", f"mAP (0.38 to 0.47) {words}"),
        ("0.65", "mAP (0.55 to 0.75) on 482 held-out cells of 301 images, 39 positive; 7 classes have none"),
    ]
    row = studio.runs.table().iloc[0]
    assert (row["mAP"], row["measured on"]) == (0.43, "0.38 to 0.47 · 19,200 test cells, 1,310 positive")
    info = studio.jobs.info(1)
    assert info.map == 0.43
    assert info.measured.startswith(f"mAP 0.43 (0.38 to 0.47) {words} · mAP 0.65")
    file.write_text(json.dumps({**held, "map": None, "num_positive": 3, "missing_positives": 7}))
    needed = "7 more known positives are needed among the held-out cells"
    assert studio.runs.facts(1)[0] == ("–", f"no mAP yet: {needed}")
    assert studio.runs.table().iloc[0]["measured on"] == needed


def test_precision_by_class(studio: Studio) -> None:
    file = folder(studio, 1).result_file
    file.write_text(json.dumps({"map": 0.5, "ap": {"square": 0.25, "circle": 0.75, "ring": None}}))
    table = studio.runs.precision(1)
    assert table["class"].tolist() == ["circle", "square", "ring"]
    assert np.isnan(table["average precision"].iloc[2])
    test = {"map": 0.4, "ap": {"square": 0.5, "circle": 0.25}}
    file.write_text(json.dumps({"map": 0.5, "ap": {"square": 0.25, "circle": 0.75}, "test": test}))
    assert studio.runs.precision(1)["average precision"].tolist() == [0.5, 0.25]


# changing ---------------------------------------------------------------------


def test_delete__says_what_it_takes_and_frees(two_runs: Studio) -> None:
    deletion = two_runs.runs.deletion(2)
    assert deletion.num_bytes == two_runs.jobs.size(2) > 0
    assert (deletion.is_current, deletion.next_current) == (True, 1)
    assert "those of run 1 will take their place" in deletion.words
    assert two_runs.runs.delete(2) == deletion.num_bytes
    assert two_runs.runs.table()["run"].tolist() == [1]
    assert two_runs.proposed.choice()[0] == 1
    assert "there will be none" in two_runs.runs.deletion(1).words


def test_delete__names_the_run_whose_scores_really_take_its_place(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("three", runs=3)
    file = folder(studio, 2).result_file
    file.write_text(json.dumps({**json.loads(file.read_text()), "comparison": {"better": 1}}))
    studio = Studio.open(studio.dataset.workspace.root, read_only=True)
    assert studio.proposed.choice()[0] == 3
    assert studio.runs.deletion(3).next_current == 1


def test_delete__names_the_runs_that_started_from_it(studio: Studio, started: list[int]) -> None:
    assert studio.runs.start("fast", init_from=1) == 2
    deletion = studio.runs.deletion(1)
    assert deletion.continued_by == (2,)
    assert deletion.words.endswith("Run 2 started from its weights and keeps its own.")


def test_choose__another_run_and_back(two_runs: Studio) -> None:
    two_runs.registry.choose(1)
    assert two_runs.runs.table()["name"].tolist() == ["", "◐"]
    two_runs.registry.choose(None)
    assert two_runs.proposed.choice()[0] == 2


# what changed -----------------------------------------------------------------


def test_change__a_run_takes_over_from_the_best_one_before_it(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("three", runs=3)
    file = folder(studio, 3).result_file
    file.write_text(json.dumps({**json.loads(file.read_text()), "comparison": {"best_run": 1}}))
    changes = [studio.runs.change(info) for info in studio.jobs.list()]
    assert [change.before for change in changes if change is not None] == [None, 1, 1]


def test_change__is_said_at_the_labels_of_its_time(two_runs: Studio) -> None:
    info = two_runs.jobs.info(2)
    before = two_runs.runs.change(info)
    two_runs.settings.update({"goal": 0.4})  # else the answer is remembered
    proposals = two_runs.proposed.array()
    row, column = np.argwhere(proposals != 0)[0]
    two_runs.decide(two_runs.image_ids[row], two_runs.class_names[column], int(proposals[row, column]))
    assert two_runs.runs.change(info) == before


def test_table__tells_why_a_run_is_broken(studio: Studio) -> None:
    add_run(studio.workspace, studio.table, np.asarray(studio.states), run=2).logits_file.unlink()
    studio.registry.refresh()
    first = studio.runs.table().iloc[0]
    assert (first["state"], first["changed"]) == ("broken", "logits.npy is missing")
    assert studio.runs.change_line(studio.jobs.info(2)) == ""


def test_empty_data_set(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio("none", num_images=0, runs=0)
    assert "There is no image to train on" in studio.runs.readiness().words
    assert studio.runs.preview().positive == 0
    assert studio.runs.forecast("fast").num_images == 0
