from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.runs.estimate import (
    HEAD_S_PER_MILLION_ROWS,
    START_S,
    PastRun,
    Speed,
    SpeedTrial,
    estimate,
    num_epochs,
)
from logicmix_studio.training.config import RunConfig

QUICK = RunConfig.create("quick")
FULL = RunConfig.create("2wayaug-pl")
SPEED = Speed(FULL.settings.backbone.name, 224, score_images_per_s=100.0, train_images_per_s=20.0)


def seconds(
    config: RunConfig, images: int, past: list[PastRun], speeds: list[Speed], to_embed: int | None = None
) -> float:
    found = estimate(config, images, past, speeds, to_embed)
    assert found is not None
    return found.seconds


def test_nothing_known_is_no_estimate() -> None:
    assert estimate(QUICK, 1000, [], []) is None


def test_same_run_takes_as_long_again() -> None:
    found = estimate(QUICK, 1000, [PastRun(3, QUICK, 1000, 40.0, num_embedded=1000, embed_seconds=30.0)], [])
    assert found is not None
    assert found.seconds == pytest.approx(40.0)
    assert found.basis == "judging by run 3"


def test_features_in_the_cache_cost_nothing() -> None:
    first = PastRun(1, QUICK, 1000, seconds=112.0, num_embedded=1000, embed_seconds=100.0)
    assert seconds(QUICK, 1000, [first], [], to_embed=0) == pytest.approx(12.0)
    second = PastRun(2, QUICK, 1000, seconds=11.0)
    assert seconds(QUICK, 1000, [first, second], [], to_embed=0) == pytest.approx(11.0)
    assert seconds(QUICK, 1000, [first, second], [], to_embed=250) == pytest.approx(11.0 + 25.0)


def test_features_of_larger_images_cost_by_their_pixels() -> None:
    large = RunConfig.create("quick", overrides={"backbone.image_size": 448})
    first = PastRun(1, QUICK, 1000, seconds=112.0, num_embedded=1000, embed_seconds=100.0)
    assert seconds(large, 1000, [first], [], to_embed=1000) == pytest.approx(12.0 + 400.0)


def test_a_run_that_embedded_nothing_leaves_that_open() -> None:
    rested = [PastRun(2, QUICK, 1000, seconds=11.0)]
    assert estimate(QUICK, 1000, rested, [], 500) is None
    assert seconds(QUICK, 1000, rested, [SPEED], to_embed=500) == pytest.approx(11.0 + 500 / 100.0)


def test_a_first_quick_run_is_known_by_a_trial() -> None:
    rest = START_S + 1000 * QUICK.settings.head.epochs / 1e6 * HEAD_S_PER_MILLION_ROWS
    assert seconds(QUICK, 1000, [], [SPEED]) == pytest.approx(rest + 10.0)
    assert seconds(QUICK, 1000, [], [SPEED], to_embed=0) == pytest.approx(rest)


def test_twice_the_images_take_twice_as_long() -> None:
    assert seconds(FULL, 20_000, [PastRun(1, FULL, 10_000, 40.0)], []) == pytest.approx(80.0)


def test_larger_images_cost_by_their_pixels() -> None:
    large = RunConfig.create("2wayaug-pl", overrides={"backbone.image_size": 448})
    assert seconds(large, 5000, [PastRun(1, FULL, 5000, 100.0)], []) == pytest.approx(400.0)


def test_another_recipe_or_backbone_says_nothing() -> None:
    other = RunConfig.create("quick", overrides={"backbone.name": "resnet18"})
    assert estimate(FULL, 1000, [PastRun(1, QUICK, 1000, 40.0)], []) is None
    assert estimate(QUICK, 1000, [PastRun(1, other, 1000, 40.0)], []) is None


def test_the_latest_run_counts() -> None:
    past = [PastRun(1, FULL, 1000, 40.0), PastRun(2, FULL, 1000, 10.0)]
    assert seconds(FULL, 1000, past, []) == pytest.approx(10.0)


def test_trial_counts_every_epoch() -> None:
    found = estimate(FULL, 10_000, [], [SPEED])
    assert found is not None
    assert found.basis == "judging by a short trial"
    assert found.seconds > 60 * 10_000 / 20.0  # 60 epochs of training, and scoring beside


def test_starting_takes_as_long_whatever_the_size() -> None:
    past = [PastRun(1, FULL, 10_000, 40.0, start_seconds=7.0)]
    assert seconds(FULL, 20_000, past, []) == pytest.approx(7.0 + 80.0)


def test_a_run_beats_a_trial() -> None:
    assert seconds(FULL, 1000, [PastRun(1, FULL, 1000, 50.0)], [SPEED]) == pytest.approx(50.0)


def test_small_sets_get_more_epochs() -> None:
    assert num_epochs(FULL, 100_000) == 60
    assert num_epochs(FULL, 100) == 600  # one step an epoch, 600 steps at least
    assert num_epochs(QUICK, 100) is None


def fake_trial(tmp_path: Path, code: str) -> SpeedTrial:
    return SpeedTrial(tmp_path / "speed.json", [sys.executable, "-c", code])


def test_trial__is_kept(tmp_path: Path) -> None:
    trial = fake_trial(tmp_path, 'print("warming up"); print(\'{"score": 80.5, "train": 20}\')')
    expected = Speed("resnet18", 224, 80.5, 20.0)
    assert trial.measure("resnet18", 224) == expected
    assert trial.measure("resnet18", 224) == expected
    assert SpeedTrial(tmp_path / "speed.json").speeds() == [expected]


@pytest.mark.parametrize(
    ("code", "words"),
    [("raise SystemExit('no such network')", "no such network"), ("import sys; sys.exit(3)", "no message")],
)
def test_trial__failure_is_told(tmp_path: Path, code: str, words: str) -> None:
    with pytest.raises(StudioError, match=words):
        fake_trial(tmp_path, code).measure("resnet18", 224)


def test_trial__really_measures() -> None:
    from logicmix_studio.runs.speed_trial import measure

    speeds: dict[str, Any] = measure("test_resnet", 32, least_s=0.0)
    assert set(speeds) == {"score", "train"}
    assert all(value > 0 for value in speeds.values())
