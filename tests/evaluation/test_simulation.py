"""A simulated person works at the real services; a tiny run trains in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.costs import CostModel
from logicmix_studio.evaluation.simulation import SimulationPlan, headlines, simulate, thin_classes
from logicmix_studio.evaluation.trial import Goal, stand
from logicmix_studio.importing import ImportOptions
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Workspace
from logicmix_studio.studio import Studio
from logicmix_studio.trials import TrialMaker, read_complete
from tests.tiny_runs import TINY
from tests.workspaces import make_workspace

PLAN: dict[str, Any] = {"known_proportion": 0.3, "error_rate": 0.0, "seeds": (3,), "overrides": TINY}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> tuple[LabelTable, TrialMaker]:
    root = tmp_path_factory.mktemp("photos")
    table = read_complete(make_workspace(root, num_images=144, trial=True, runs=0), ImportOptions())
    return table, TrialMaker(root, table, tmp_path_factory.mktemp("out"))


def result_of(complete: tuple[LabelTable, TrialMaker], name: str, **changes: Any) -> dict[str, Any]:
    table, maker = complete
    [settings] = SimulationPlan(strategies=(name,), **{**PLAN, **changes}).cells(table)
    return dict(simulate(settings, table, maker.open))


def test_labels_are_compared_with_the_truth_by_hand() -> None:
    truth = np.array([[1, 1, -1, -1]], dtype=np.int8)
    states = np.array([[1, -1, 0, -1]], dtype=np.int8)
    found = stand(states, truth, np.array([[False, True, False, False]]), np.array([[0.9, 0.9, 0.6, 0.1]]))
    assert (found.known, found.right, found.found) == (0.75, 0.5, 0.5)
    assert (found.guessed_right, found.guessed_found) == (0.5, 0.5)
    assert (found.wrong, found.wrong_accepted) == (1, 1)


def test_image_by_image_costs_what_the_model_says(complete: tuple[LabelTable, TrialMaker]) -> None:
    table, maker = complete
    seen: list[tuple[int, int]] = []

    @contextmanager
    def watched(known_proportion: float, seed: int) -> Iterator[Studio]:
        with maker.open(known_proportion, seed) as studio:
            rows = ~studio.table.is_test
            seen.append((int((studio.states[rows] == 0).any(axis=1).sum()), int((studio.states[rows] > 0).sum())))
            yield studio

    plan = SimulationPlan(strategies=("images",), **{**PLAN, "error_rate": 0.0})
    [settings] = plan.cells(table)
    result = simulate({**settings, "goal": {"right": 1.0, "found": 1.0}}, table, watched)
    num_images, num_known = seen[0]
    marks = int((table.states[~table.is_test] > 0).sum()) - num_known
    assert result["reached"]["seconds"] == pytest.approx(2.0 * num_images + marks)
    assert (result["reached"]["looks"], result["reached"]["keys"]) == (num_images, num_images + marks)
    assert set(result["by_class"].values()) == {1.0}


@pytest.mark.parametrize("name", ["images", "classes", "cells"])
def test_without_a_model_the_goal_is_reached(complete: tuple[LabelTable, TrialMaker], name: str) -> None:
    result = result_of(complete, name)
    assert result["reached"] is not None
    assert result["rows"][0]["seconds"] == 0.0
    assert result["end"]["right"] >= 0.99
    assert result["training_seconds"] == 0.0


def test_a_person_who_errs_too_often_never_reaches_the_goal(complete: tuple[LabelTable, TrialMaker]) -> None:
    result = result_of(complete, "cells", error_rate=0.3)
    assert result["reached"] is None
    assert 0.65 < result["end"]["right"] < 0.85
    assert result["end"]["known"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["recommended", "stream-95"])
def test_ways_with_a_model_train_and_come_to_an_end(complete: tuple[LabelTable, TrialMaker], name: str) -> None:
    result = result_of(complete, name, known_proportion=0.5, goal=Goal(0.6, 0.6))
    assert result["training_seconds"] > 0.0
    assert [row["event"] for row in result["rows"] if row["event"]][:2] == ["start", "trained"]
    assert result["reached"] is not None
    assert result["end"]["right"] >= 0.6
    assert result["end"]["found"] >= 0.6


@pytest.mark.slow
def test_where_nothing_is_known_photographs_come_first(complete: tuple[LabelTable, TrialMaker]) -> None:
    result = result_of(complete, "recommended", known_proportion=0.0, goal=Goal(0.9, 0.9))
    trained = next(row for row in result["rows"] if row["event"] == "trained")
    assert result["rows"][0]["known"] == 0.0
    assert trained["keys"] > trained["looks"] > 0
    assert result["end"]["found"] > trained["found"]


def test_the_headline_compares_with_the_best_way_without_a_model(complete: tuple[LabelTable, TrialMaker]) -> None:
    table, maker = complete
    plan = SimulationPlan(strategies=("images", "cells"), **{**PLAN, "seeds": (3, 4)})
    done = [(settings, simulate(settings, table, maker.open)) for settings in plan.cells(table)]
    images, cells = headlines(done)
    assert (images.strategy, images.reached, images.seeds) == ("images", 2, 2)
    took = [result["reached"]["seconds"] for _, result in done]
    assert images.share.mean == pytest.approx(np.mean([took[0] / min(took[:2]), took[2] / min(took[2:])]))
    assert cells.seconds.count == 2


def test_temporary_workspaces_go_and_the_users_stays(complete: tuple[LabelTable, TrialMaker]) -> None:
    with complete[1].open(0.3, 1) as studio:
        place = studio.workspace.folder
        assert place.is_dir()
        assert studio.complete is not None
    assert not place.exists()


def test_thin_classes_are_named() -> None:
    states = np.full((30, 3), -1, dtype=np.int8)
    states[:12, 0], states[:3, 1] = 1, 1
    assert thin_classes(LabelTable.build([f"{i}.png" for i in range(30)], ["a", "b", "c"], states)) == ["b"]


@pytest.mark.parametrize(
    "changes", [{"strategies": ("magic",)}, {"known_proportion": 1.5}, {"seeds": ()}, {"error_rate": -0.1}]
)
def test_a_plan_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(StudioError, match=r"strategy|proportion|seed|error rate"):
        SimulationPlan(**changes)


def test_labels_with_unknown_cells_are_refused(tmp_path: Path) -> None:
    make_workspace(tmp_path / "photos", runs=0)
    (tmp_path / "photos" / "labels.csv").write_text("image,class,value\npart0/image-00000.jpg,circle,1\n")
    table = read_complete(Workspace(tmp_path / "photos", tmp_path / "none"), ImportOptions())
    with pytest.raises(StudioError, match="cells are unknown"):
        TrialMaker(tmp_path / "photos", table, tmp_path / "out")


def test_costs_of_a_plan_are_part_of_its_cells(complete: tuple[LabelTable, TrialMaker]) -> None:
    table, _ = complete
    one, other = (SimulationPlan(costs=CostModel(tile=tile)).cells(table)[0] for tile in (0.3, 0.5))
    assert one != other
