import numpy as np
import pytest

from logicmix_studio.files import plain
from logicmix_studio.training.figures import Figure, figure_words, figures_of, main_figure, match, measure_figure
from logicmix_studio.training.metrics import average_precisions


def cells(num_images=200, num_classes=5, noise=1.0, seed=0):
    generator = np.random.default_rng(seed)
    states = np.where(generator.random((num_images, num_classes)) < 0.2, 1, -1).astype(np.int8)
    return states + generator.normal(0, noise, states.shape), states


def test_a_figure_counts_its_cells_and_the_classes_left_out():
    logits, states = cells()
    states[:, 3], states[:, 4] = -np.abs(states[:, 3]), np.abs(states[:, 4])
    states[::2] = 0
    logits[1] = np.nan  # an image that could not be read
    figure, precision = measure_figure(logits, states, "held-out")

    measured = np.arange(200) % 2 == 1
    measured[1] = False
    assert figure.map == pytest.approx(np.nanmean(average_precisions(logits[measured], states[measured])))
    assert figure.map_low < figure.map < figure.map_high
    assert (figure.num_cells, figure.num_measured_images) == (99 * 5, 99)
    assert figure.num_positive == int((states[measured] > 0).sum())
    assert (figure.num_measured_classes, figure.num_without_positive, figure.num_without_negative) == (3, 1, 1)
    assert np.isnan(precision).tolist() == [False] * 3 + [True] * 2
    assert figure.words.endswith(" positive; 1 class has none; 1 class has no negative")


def test_with_few_positives_there_is_no_figure_but_the_number_that_is_missing():
    logits, states = cells(40)
    states = np.where(np.cumsum(states.ravel() > 0).reshape(states.shape) > 3, -1, states).astype(np.int8)
    figure, precision = measure_figure(logits, states, "held-out")

    assert (figure.map, figure.map_low, figure.num_positive, figure.missing_positives) == (None, None, 3, 7)
    assert np.isnan(precision).all()
    assert figure.words == "no mAP yet: 7 more known positives are needed among the held-out cells"
    assert (figure.number, figure.short) == ("–", "7 more known positives are needed among the held-out cells")


def test_ten_positives_without_a_negative_make_no_figure():
    logits, states = cells(20)
    figure, _ = measure_figure(logits, np.abs(states), "test")
    assert figure.words == "no mAP yet: no class has known cells of both signs among the test cells"


@pytest.mark.parametrize(
    ("figure", "words"),
    [
        (Figure(0.43, 0.38, 0.47, 482, 39, 301, 13), "mAP 0.43 (0.38 to 0.47) on 482 held-out cells of 301 images, 39 positive"),
        (Figure(0.434, 0.43, 0.438, 9, 8, 1), "mAP 0.434 (0.430 to 0.438) on 9 held-out cells of 1 image, 8 positive"),
        (Figure(None, None, None, 9, 9), "no mAP yet: no class has known cells of both signs among the held-out cells"),
    ],
)  # fmt: skip
def test_words(figure, words):
    assert figure.words == words
    if figure.map is not None:
        assert figure.about == words.replace(f"mAP {figure.number}", "mAP")
        assert figure.short.startswith(f"{figure.interval} · {figure.num_cells} held-out cells, ")


def test_results_of_earlier_versions_are_read():
    assert figure_words({"map": 0.68}) == "mAP 0.680 on held-out cells"
    assert figure_words({"map": 0.68, "num_cells": 1482}) == "mAP 0.680 on 1,482 held-out cells"
    assert figure_words({"map": None, "num_cells": 4}).startswith("no mAP yet")
    assert main_figure({"map": 0.68}).short == "held-out cells"
    assert figures_of({}) == ()
    assert main_figure({}) is None


def test_the_test_split_comes_first_where_it_has_a_figure():
    held, test = {"map": 0.7, "map_low": 0.6, "map_high": 0.8, "num_cells": 90}, {"map": 0.4, "num_cells": 960}
    both = plain({**held, "test": {**test, "map_low": 0.35, "map_high": 0.45}})
    assert [figure.place for figure in figures_of(both)] == ["test", "held-out"]
    assert main_figure(both).map == 0.4
    assert main_figure({**held, "test": {"map": None, "missing_positives": 2}}).map == 0.7
    assert main_figure({"map": None, "test": {"map": None}}).place == "held-out"
    assert figure_words(both).index("test images") < figure_words(both).index("held-out cells")


def test_a_match_is_better_worse_or_cannot_be_told():
    good, states = cells(noise=0.8)
    poor, alike = states + 4 * (good - states), good + np.random.default_rng(1).normal(0, 0.05, good.shape)
    assert match(good, poor, states).verdict == "better"
    assert match(poor, good, states).verdict == "worse"
    found = match(good, alike, states)
    assert found.verdict == "unclear"
    assert found.low <= 0 <= found.high
    assert found.words(3, 2).startswith("run 3 can't be told from run 2 on 1,000 shared held-out cells (")
    assert found.difference == pytest.approx(found.map - found.other_map, abs=1e-6)
    assert found.as_dict()["verdict"] == "unclear"
    assert match(good, good, states).verdict == "unclear"


def test_a_match_on_few_positives_tells_what_is_missing():
    logits, states = cells(40)
    few = np.where(np.cumsum(states.ravel() > 0).reshape(states.shape) > 9, -1, states).astype(np.int8)
    found = match(logits, -logits, few)
    assert (found.verdict, found.map, found.difference) == ("unclear", None, None)
    needed = "1 more known positive is needed among the shared held-out cells"
    assert found.words(3, 2) == f"run 3 can't be told from run 2: {needed}"
    away = np.full_like(logits, np.nan)
    assert match(logits, away, states).num_cells == 0
