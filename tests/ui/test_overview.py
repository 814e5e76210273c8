from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio
from logicmix_studio.explore.class_statistics import KnownCurve, count_cells, together, true_precision
from logicmix_studio.explore.next_step import next_steps
from tests.ui.conftest import page_client

STATES = np.array([[1, -1, 0], [1, 0, 0], [-1, -1, 0], [1, 1, 1]], dtype=np.int8)
PROPOSALS = np.array([[0, 0, 1], [0, -1, 0], [0, 0, -1], [0, 0, 0]], dtype=np.int8)


def _keys(studio: Studio) -> list[str]:
    return [step.key for step in next_steps(studio, count_cells(studio.states, studio.proposals_array()))]


def test_count_cells() -> None:
    counts = count_cells(STATES, PROPOSALS)
    assert counts.positive.tolist() == [3, 1, 1]
    assert counts.negative.tolist() == [1, 2, 0]
    assert counts.pseudo_positive.tolist() == [0, 0, 1]
    assert counts.pseudo_negative.tolist() == [0, 1, 1]
    assert counts.unknown.tolist() == [0, 0, 1]
    assert counts.known == 8
    assert counts.pseudo == 3
    assert counts.total == STATES.size


def test_count_cells__of_nothing() -> None:
    empty = np.zeros((0, 3), dtype=np.int8)
    assert count_cells(empty, empty).total == 0


def test_true_precision() -> None:
    complete = np.array([[1, -1, 1], [1, 1, -1], [-1, -1, -1], [1, 1, 0]], dtype=np.int8)
    found = true_precision(PROPOSALS, complete)
    assert found["positive"] == {"right": 1, "total": 1, "precision": 1.0}
    assert found["negative"] == {"right": 1, "total": 2, "precision": 0.5}


def test_true_precision__without_proposals_is_unknown() -> None:
    found = true_precision(np.zeros_like(STATES), STATES)
    assert found["positive"]["precision"] is None


def test_together__equals_the_naive_count() -> None:
    found = together(STATES, [0, 1])
    assert found["both"].tolist() == [[3, 1], [1, 1]]
    assert found["judged"].tolist() == [[3, 2], [1, 1]]


def test_known_curve__follows_decisions_and_undo(studio: Studio) -> None:
    row, column = next(zip(*(studio.states == 0).nonzero(), strict=True))
    imported = int(np.count_nonzero(studio.states))
    curve = KnownCurve(imported, "2024-01-01T00:00:00+00:00")
    assert [known for _, known in curve.read(studio.ledger.lines)] == [imported]
    studio.decide(studio.image_ids[row], studio.class_names[column], 1)
    assert [known for _, known in curve.read(studio.ledger.lines)] == [imported, imported + 1]
    studio.undo()
    assert [known for _, known in curve.read(studio.ledger.lines)] == [imported, imported + 1, imported]


def test_known_curve__thins_a_long_journal(studio: Studio) -> None:
    curve = KnownCurve(0, "")
    curve.times, curve.known = [str(i) for i in range(5000)], list(range(5000))
    points = curve.read([])
    assert len(points) <= 240
    assert points[-1] == ("4999", 4999)


class TestNextSteps:
    def test_without_a_run_it_is_a_first_round(self, open_studio: Callable[..., Studio]) -> None:
        assert _keys(open_studio(runs=0, num_images=100))[0] == "train"

    def test_all_unknown_asks_for_examples_first(self, open_studio: Callable[..., Studio]) -> None:
        keys = _keys(open_studio(runs=0, known_proportion=0.0))
        assert keys[:2] == ["no-positive", "no-negative"]
        assert "train" not in keys

    def test_all_known_says_so(self, open_studio: Callable[..., Studio]) -> None:
        assert _keys(open_studio(runs=0, known_proportion=1.0))[0] == "complete"

    def test_with_pseudo_labels_an_audit_is_due_before_review(self, studio: Studio) -> None:
        keys = _keys(studio)
        assert keys.index("audit") < keys.index("review")

    def test_many_new_answers_ask_for_a_new_round(self, studio: Studio) -> None:
        cells = [Decision(image, name, 1) for image in studio.image_ids for name in studio.class_names[:3]]
        studio.ledger.decide(cells, who="ada", origin="browse")
        assert _keys(studio)[0] == "retrain"

    def test_an_image_without_classes_has_no_step(self, open_studio: Callable[..., Studio]) -> None:
        assert _keys(open_studio(num_images=3, class_names=[], runs=0)) == []


class TestRoutes:
    def test_overview(self, client: TestClient, studio: Studio) -> None:
        facts = client.get("/api/overview").json()
        assert facts["total"] == 24 * 6
        assert facts["classes"]["name"] == list(studio.class_names)
        assert facts["known"] == int(np.count_nonzero(studio.states))
        parts = ("positive", "negative", "pseudo_positive", "pseudo_negative", "unknown")
        assert sum(facts[part] for part in parts) == facts["total"]
        assert facts["truth"] is None

    def test_overview__in_a_trial_says_how_right_the_pseudo_labels_are(
        self, open_studio: Callable[..., Studio]
    ) -> None:
        studio = open_studio(trial=True)
        facts = page_client(studio).get("/api/overview").json()
        assert facts["truth"]["positive"]["total"] == facts["pseudo_positive"]

    def test_history__has_every_run_with_the_answers_after_it(
        self, client: TestClient, studio: Studio
    ) -> None:
        studio.decide(studio.image_ids[0], "circle", 1, answer="set")
        history = client.get("/api/overview/history").json()
        assert history["rounds"][0]["run"] == 1
        assert history["rounds"][0]["map"] == pytest.approx(0.68)
        assert history["rounds"][0]["answers"] == {"cells": 1, "lines": 1}
        assert history["points"][0][0] == studio.info["created"]

    def test_together__of_named_classes(self, client: TestClient) -> None:
        found = client.get("/api/overview/together", params={"class": ["ring", "star"]}).json()
        assert found["classes"] == ["ring", "star"]
        assert client.get("/api/overview/together", params={"class": ["none"]}).status_code == 400

    @pytest.mark.parametrize(
        "options",
        [
            {"num_images": 1},
            {"class_names": ["only"]},
            {"known_proportion": 0.0},
            {"known_proportion": 1.0},
            {"num_images": 0, "runs": 0},
            {"class_names": [], "runs": 0},
            {"class_names": ["<script>alert(1)</script>", "🦊", "ünï", "a&b"]},
            {"paths": ["<b>.jpg", "🦊 fox.jpg", "a b/c#d?.jpg"], "num_images": 3},
        ],
        ids=[
            "one image",
            "one class",
            "all unknown",
            "all known",
            "no image",
            "no class",
            "odd names",
            "odd paths",
        ],
    )
    def test_odd_data_sets_are_shown_sensibly(
        self, open_studio: Callable[..., Studio], options: dict[str, Any]
    ) -> None:
        client = page_client(open_studio(**options))
        for path in ("", "/steps", "/history", "/together"):
            assert client.get(f"/api/overview{path}").status_code == 200, path
        view = client.get("/api/browse").json()
        assert view["total"] == len(view["items"])
        for item in view["items"]:
            assert client.get(f"/thumb/{item['id']}").status_code == 200
            assert client.get(f"/api/cells/image/{item['id']}").status_code == 200
