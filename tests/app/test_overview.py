import json

import numpy as np
import pytest

from logicmix_studio.app.tabs.overview import rounds_plot, rounds_table
from logicmix_studio.app.tabs.train_run import end_words
from logicmix_studio.studio import Studio
from logicmix_studio.training.run_folder import RunFolder

HELD = {"map": 0.65, "map_low": 0.55, "map_high": 0.75, "num_cells": 482, "num_positive": 39}
TEST = {"map": 0.43, "map_low": 0.38, "map_high": 0.47, "num_cells": 19_200, "num_positive": 1310}
UNCLEAR = "run 2 can't be told from run 1 on 482 shared held-out cells (+0.012, −0.020 to +0.041)"
STAYS = f"{UNCLEAR}: run 1 stays; choose run 2 by hand in Train"


@pytest.fixture
def two_runs(open_studio):
    """Return a studio whose second run has a figure of split test and can't be told from the first, which has not."""
    studio = open_studio("two", runs=2)
    comparison = {"verdict": "unclear", "best_run": 1, "better": 1, "why": STAYS}
    results = {1: HELD, 2: {**HELD, "num_measured_images": 301, "comparison": comparison, "test": TEST}}
    for run, result in results.items():
        RunFolder(studio.jobs.folder(run)).result_file.write_text(json.dumps(result))
    return Studio.open(studio.workspace.root, read_only=True)


def test_rounds_tell_on_which_cells_they_were_measured(two_runs):
    table = rounds_table(two_runs.overview.rounds())
    assert table["mAP"].tolist() == ["0.430", "0.650"]
    assert table["Measured on"].tolist() == [
        "0.38 to 0.47 · 19,200 test cells, 1,310 positive",
        "0.55 to 0.75 · 482 held-out cells, 39 positive",
    ]
    assert [name.endswith("◐") for name in table["Round"]] == [False, True]


def test_rounds_of_test_and_of_held_out_cells_are_lines_of_their_own(two_runs):
    plot = rounds_plot(two_runs.overview.rounds())
    points = plot[plot["measure"].str.startswith("mAP")][["round", "share", "measure"]]
    assert points.to_numpy().tolist() == [["2", 0.43, "mAP, test"], ["1", 0.65, "mAP, held-out"]]


def test_rounds_without_a_figure(open_studio):
    studio = open_studio("one")
    file = RunFolder(studio.jobs.folder(1)).result_file
    file.write_text(json.dumps({"map": None, "num_cells": 58, "num_positive": 1, "missing_positives": 9}))
    rounds = Studio.open(studio.workspace.root, read_only=True).overview.rounds()
    assert np.isnan(rounds["map"].iloc[0])
    assert rounds_table(rounds).iloc[0]["mAP"] == "–"
    assert rounds_table(rounds).iloc[0]["Measured on"] == "9 more known positives are needed among the held-out cells"
    assert not rounds_plot(rounds)["measure"].str.startswith("mAP").any()


def test_what_is_said_when_a_run_ends(two_runs):
    words = end_words(two_runs, two_runs.jobs.info(2))
    assert words.startswith("Run 2: finished. ")
    assert ". mAP 0.43 (0.38 to 0.47) on 19,200 cells of 0 test images, 1,310 positive · mAP 0.65 (" in words
    assert words.endswith(f". The pseudo-labels come from run 1: {STAYS}")
