from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.images.demo import CLASS_NAMES, SCENE_SIZE, TRUTH_FILE, Demo, draw_scene, make_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    return make_demo(tmp_path_factory.mktemp("demo") / "scenes", 200, seed=3)


def test_is_read_as_it_was_made(demo: Demo) -> None:
    result = read_dataset(demo.folder)
    assert result.table == demo.known
    assert result.bad_images == ()
    assert read_dataset(demo.folder, labels=demo.folder / TRUTH_FILE).table == demo.complete


def test_labels(demo: Demo) -> None:
    known, complete = demo.known.states, demo.complete.states
    assert demo.known.class_names == CLASS_NAMES
    assert (complete != 0).all()
    assert np.array_equal(known[known != 0], complete[known != 0])
    counts = (complete == 1).sum(axis=1)
    assert (counts.min(), counts.max()) == (1, 4)
    assert demo.known.is_test.sum() == 30
    assert (known[demo.known.is_test] != 0).all()
    assert 0.15 < (known[~demo.known.is_test] != 0).mean() < 0.25


def test_files(demo: Demo) -> None:
    with Image.open(demo.folder / "images" / "00000.jpg") as image:
        assert image.size == (SCENE_SIZE, SCENE_SIZE)
    assert "CC BY 4.0" in (demo.folder / "README.txt").read_text()
    with (demo.folder / "labels.csv").open() as stream:
        assert next(csv.reader(stream)) == ["image", "split", *CLASS_NAMES]


def test_same_seed_same_files(tmp_path: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    first = make_demo(tmp_path / "a", 8, seed=1, progress=lambda *step: seen.append(step))
    second = make_demo(tmp_path / "b", 8, seed=1)
    other = make_demo(tmp_path / "c", 8, seed=2)
    assert seen == [(8, 8, "drawing scenes")]
    assert first.complete == second.complete
    assert first.complete != other.complete
    for path in first.known.paths:
        assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()


def test_existing_labels_are_kept(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("mine")
    with pytest.raises(StudioError, match="holds labels already"):
        make_demo(tmp_path, 2)
    assert (tmp_path / "labels.csv").read_text() == "mine"


def test_scene__bright_digits_on_a_dark_ground() -> None:
    rng = np.random.default_rng(0)
    blank, full = np.zeros((8, 8)), np.full((8, 8), 16.0)
    ground = np.asarray(draw_scene([blank], rng))
    assert ground.max() < 100
    for count in (1, 2, 3, 4):
        scene = np.asarray(draw_scene([full] * count, rng))
        share = (scene.min(axis=2) > 200).mean()
        assert 0.85 < share / (count * 77**2 / SCENE_SIZE**2) < 1.1
