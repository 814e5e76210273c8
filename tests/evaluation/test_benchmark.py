"""The whole path of a benchmark on a tiny set, and its measures by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import precision_recall_curve

from logicmix_studio.cli.evaluating import run_benchmark, run_report
from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.benchmark import (
    BenchmarkPlan,
    classes_with_enough,
    eleven_point,
    eleven_point_map,
    epoch_rows,
    proposal_quality,
    summarize,
)
from logicmix_studio.evaluation.cells import Slots
from logicmix_studio.evaluation.methods import METHODS, find_method
from logicmix_studio.evaluation.report import scenario_means, write_report
from logicmix_studio.files import write_json
from logicmix_studio.importing import ImportOptions
from logicmix_studio.runs.benchmark import read_benchmark
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.run_folder import EventWriter, RunFolder, Snapshot, save_array
from tests.tiny_runs import TINY, TINY_FULL
from tests.workspaces import make_workspace


@pytest.mark.slow
def test_two_methods_run_resume_and_make_a_report(tmp_path: Path) -> None:
    root, out = tmp_path / "photos", tmp_path / "out"
    make_workspace(root, num_images=48, trial=True, runs=0)
    shared = {**TINY_FULL, "schedule.epochs": 3, "pseudo.positive_logit": 0.0, "pseudo.negative_logit": 0.0}
    plan = BenchmarkPlan(("pseudo-labels", "quick"), (0.5,), (1, 2), shared)
    told = run_benchmark(root, None, ImportOptions(), plan, out, None, Slots(["cpu"], 2), with_parquet=True)
    assert told["is_whole"]
    kept = {file: file.stat().st_mtime_ns for file in (out / "cells").iterdir()}
    assert run_benchmark(root, None, ImportOptions(), plan, out)["runs"] == 4
    assert {file: file.stat().st_mtime_ns for file in (out / "cells").iterdir()} == kept

    table = pd.read_csv(out / "runs.csv")
    for name in ("runs", "epochs"):
        pd.testing.assert_frame_equal(pd.read_parquet(out / f"{name}.parquet"), pd.read_csv(out / f"{name}.csv"))
    assert table[["method", "seed"]].to_numpy().tolist() == [
        ["pseudo-labels", 1],
        ["quick", 1],
        ["pseudo-labels", 2],
        ["quick", 2],
    ]
    assert table["realised_proportion"].between(0.35, 0.65).all()
    assert table[["map", "map_enough"]].stack().between(0.0, 1.0).all()
    assert (table["images_per_second"] > 0).all()
    with Studio.open(root) as studio:
        summary = studio.runs.benchmark()
        assert summary is not None
        assert {row.method for row in summary.rows} == {"pseudo-labels", "quick"}
        assert "In the benchmark of this data set at 50% known (2 seeds" in studio.runs.readiness().words
    epochs = pd.read_csv(out / "epochs.csv").groupby(["method", "seed"])
    assert epochs["epoch"].apply(list)["pseudo-labels", 2] == [1, 2, 3]
    made = epochs.get_group(("pseudo-labels", 1))
    assert made["loss_original"].notna().all()
    assert made[["pseudo_positive_recall", "pseudo_negative_recall"]].notna().all(axis=None)
    assert epochs.get_group(("quick", 1)).filter(like="pseudo_").isna().all(axis=None)
    report = run_report(out)
    assert {Path(file).name for file in report} == {"report.md", "methods.svg", "methods.png"}
    text = (out / "report.md").read_text()
    assert "50% known, quick:" in text
    assert "there are 1: none is made" in text
    assert not list(out.glob("trial-*"))


def test_a_table_of_many_scenarios_is_tested(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = [
        {
            "data_name": "made-up",
            "method": name,
            "known_proportion": share / 10,
            "seed": seed,
            "realised_proportion": share / 10,
            "map_enough": 0.5 + 0.03 * place + 0.001 * generator.random(),
            **dict.fromkeys(
                ["map", "map_11_point", "of1", "cf1", "calibration_error", "seconds", "images_per_second"], 0.5
            ),
            **{f"pseudo_{sign}_{what}": 0.5 for sign in ("positive", "negative") for what in ("precision", "recall")},
        }
        for share in range(1, 10)
        for place, name in enumerate(["partial-bce", "partial-asl", "logicmix"])
        for seed in (1, 2)
    ]
    names, values = scenario_means(pd.DataFrame(rows))
    assert (names, values.shape) == (["partial-bce", "partial-asl", "logicmix"], (9, 3))
    files = write_report(pd.DataFrame(rows), tmp_path)
    assert {file.name for file in files} == {"report.md", "methods.svg", "methods.png", "ranks.svg", "ranks.png"}
    text = (tmp_path / "report.md").read_text()
    assert "Friedman's test over 9 scenarios" in text
    assert "partial-bce against logicmix | -6.0 | -1.00 | 0.0117 |" in text
    assert "Published, on other data" in text


def test_a_report_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"runs\.csv is missing"):
        run_report(tmp_path)


@pytest.mark.parametrize("name", [*METHODS, *(f"{name}+cft" for name in METHODS if name != "quick")])
def test_every_method_is_a_recipe_with_settings_that_it_has(name: str) -> None:
    method = find_method(name)
    config = RunConfig.create(method.recipe, overrides=method.overrides)
    assert set(config.overrides()) <= set(method.overrides)
    assert config.overrides().get("finetune.is_enabled", False) == name.endswith("+cft")


def test_methods_differ_only_in_what_they_name() -> None:
    def differing(name: str) -> set[str]:
        return set(RunConfig.create("2wayaug-pl", overrides=METHODS[name].overrides).overrides())

    assert differing("logicmix-dp-asl") == {"pseudo.is_enabled"}
    assert differing("cutmix") ^ differing("logicmix") == {"mixing.method"}
    assert differing("assume-negative") - differing("partial-bce") == {"loss.unknown_as"}
    assert differing("pseudo-labels") ^ differing("partial-asl") == {"pseudo.is_enabled"}


def test_a_setting_that_a_recipe_lacks_is_left_out() -> None:
    states = np.array([[1, -1], [-1, 1]], dtype=np.int8)
    from logicmix_studio.labels import LabelTable

    table = LabelTable.build(["a.png", "b.png"], ["x", "y"], states)
    plan = BenchmarkPlan(("quick",), (0.5,), (1,), {**TINY, "mixing.probability": 0.3})
    [cell] = plan.cells(table, "made-up")
    assert cell["overrides"] == TINY
    assert json.dumps(cell)


@pytest.mark.parametrize(
    "changes", [{"methods": ("magic",)}, {"methods": ("quick+cft",)}, {"proportions": (0.0,)}, {"seeds": ()}]
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, tuple[object, ...]]) -> None:
    with pytest.raises(StudioError, match=r"method|nothing but the last layer|proportion|nothing to compare"):
        BenchmarkPlan(**changes)  # type: ignore[arg-type]  # wrong on purpose


def test_classes_count_that_have_enough_positives_on_both_sides() -> None:
    states, is_test = np.full((40, 4), -1, dtype=np.int8), np.arange(40) < 20
    states[:, 0] = 1
    states[:10, 1] = states[20:30, 1] = 1
    states[:10, 2] = states[20:29, 2] = 1
    assert classes_with_enough(states, is_test).tolist() == [True, True, False, False]
    assert classes_with_enough(states[:, 2:], is_test).all()


def test_eleven_points_by_hand() -> None:
    # Right, wrong, right, wrong: precision 1 up to a recall of 0.5, 2/3 beyond.
    found = eleven_point(np.array([0.9, 0.8, 0.7, 0.1]), np.array([True, False, True, False]))
    assert found == pytest.approx((6 * 1.0 + 5 * 2 / 3) / 11)


def test_eleven_points_agree_with_the_curve_of_scikit_learn() -> None:
    generator = np.random.default_rng(1)
    scores, truth = generator.random(200), generator.random(200) < 0.3
    precision, recall, _ = precision_recall_curve(truth, scores)
    precision, recall = precision[:-1], recall[:-1]  # without its added point of recall 0
    expected = np.mean([precision[recall >= step / 10].max() for step in range(11)])
    assert eleven_point(scores, truth) == pytest.approx(expected)


def test_classes_without_both_signs_do_not_count_to_the_mean() -> None:
    scores = np.array([[0.9, 0.2], [0.1, np.nan], [0.3, 0.4]])
    states = np.array([[1, 1], [-1, -1], [0, 1]], dtype=np.int8)
    assert eleven_point_map(scores, states) == 1.0
    assert np.isnan(eleven_point_map(scores[:, 1:], states[:, 1:]))


def test_pseudo_labels_are_judged_on_hidden_cells_by_hand() -> None:
    proposals = np.array([[1, 1, -1, 0], [1, -1, -1, 1]], dtype=np.int8)
    hidden = np.array([[1, -1, -1, 1], [0, 1, -1, 1]], dtype=np.int8)
    found = proposal_quality(proposals, hidden)
    assert found["pseudo_positive_precision"] == pytest.approx(2 / 3)
    assert found["pseudo_positive_recall"] == pytest.approx(2 / 4)
    assert found["pseudo_negative_precision"] == pytest.approx(2 / 3)
    assert found["pseudo_negative_recall"] == pytest.approx(2 / 3)


def test_pseudo_labels_of_each_epoch_are_judged_where_they_trained(tmp_path: Path) -> None:
    folder, states = RunFolder(tmp_path), np.zeros((3, 2), dtype=np.int8)
    names = (["a", "b", "c"], ["a.png", "b.png", "c.png"], ["x", "y"], ["train", "train", "test"])
    Snapshot(states, *(np.array(each) for each in names)).save(folder.snapshot_file)
    events = EventWriter(folder.events_file)
    for epoch in (1, 2):
        events.write("epoch", epoch=epoch, epochs=2, loss_original=1 / epoch, loss_mixed=None, map=0.5)
    events.close()
    save_array(folder.pseudo_file(2), np.array([[1, -1], [1, 0], [0, 0]], dtype=np.int8), new_folders=1)
    first, second = epoch_rows(folder, np.array([[1, 1], [-1, 0], [1, -1]], dtype=np.int8))
    assert first == {"epoch": 1, "loss_original": 1.0, "loss_mixed": None, "heldout_map": 0.5}
    assert (second["loss_original"], second["pseudo_positive_precision"]) == (0.5, 0.5)
    assert second["pseudo_positive_recall"] == 0.5, "the test image's positive is nobody's to find"
    assert (second["pseudo_negative_precision"], second["pseudo_negative_recall"]) == (0.0, 0.0)


def test_a_summary_tells_what_can_be_told_from_the_best(tmp_path: Path) -> None:
    maps = {"quick": [0.50, 0.52, 0.51], "logicmix": [0.40, 0.43, 0.41], "partial-asl": [0.40, 0.55, 0.52]}
    rows = [
        {"method": name, "known_proportion": share, "seed": seed, "map_enough": value + share - 0.1}
        for share in (0.5, 0.1)
        for name, values in maps.items()
        for seed, value in enumerate(values)
    ]
    found = summarize(
        pd.DataFrame([*rows, {"method": "cutmix", "known_proportion": 0.1, "seed": 0, "map_enough": np.nan}])
    )
    assert [(row["known_proportion"], row["method"]) for row in found[:3]] == [
        (0.1, "quick"),
        (0.1, "partial-asl"),
        (0.1, "logicmix"),
    ]
    assert len(found) == 6
    assert [row["behind_low"] > 0 for row in found[:3]] == [False, False, True]
    assert found[2]["behind"] == pytest.approx(0.51 - 0.41333, abs=1e-4)
    write_json(tmp_path / "benchmark.json", {"made": "2026-11-27", "settings": {"schedule.epochs": 4}, "rows": found})
    read = read_benchmark(tmp_path / "benchmark.json")
    assert read is not None
    assert read.table["told from the best"].tolist()[:3] == ["no", "no", "yes"]
    recipe, words = read.advice(0.2)
    assert (recipe, "at 10% known" in words) == ("fast", True)
    assert "quick was best with a mAP of 51.0 (48.5 to 53.5) %, and can't be told from partial-asl." in words
    assert "3 seeds; Schedule: epochs 4" in words
