"""Labels of machines come with an import as a finished run: they are proposed, and are nobody's answer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio.cli.commands import collect_status, describe_run
from logicmix_studio.errors import StudioError
from logicmix_studio.importing import ImportOptions, import_dataset
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review.audit import Scope
from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.store import locate_workspace
from logicmix_studio.studio import Studio
from tests.tiny_runs import CLASS_NAMES, TINY, paint_images

LONG = "image,class,value,source,score\n"
SAID = {("0-001.png", "red"): 0.98, ("0-001.png", "blue"): 0.01, ("0-002.png", "green"): 0.7, ("0-003.png", "red"): 0.5}
NAME = "labels of machines in labels.csv"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Make 20 images; the first and most others are known in every class, of 1 to 4 only a machine has spoken."""
    root = tmp_path / "photos"
    seen = paint_images(root, 20)
    truth = np.where(np.arange(60).reshape(20, 3) % 2, 1, 0)
    rows = [
        f"{path},{name},{truth[row, column]},human,\n"
        for row, path in enumerate(seen.paths)
        for column, name in enumerate(CLASS_NAMES)
        if not 1 <= row <= 4
    ]
    rows += [f"{path},{name},,model,{score}\n" for (path, name), score in SAID.items()]
    (root / "labels.csv").write_text(LONG + "".join(rows))
    return root


def proposed(studio: Studio) -> dict[tuple[str, str], tuple[int, float, int]]:
    return {(one.path, one.class_name): (one.value, round(one.score, 2), one.run) for one in studio.proposals()}


def test_machines_propose_with_score_and_run_and_make_no_cell_known(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        assert not studio.states[1:5].any()
        expected = {("0-001.png", "red"): (1, 0.98, 1), ("0-001.png", "blue"): (-1, 0.01, 1)}
        assert proposed(studio) == expected
        current = studio.proposed.current
        assert current is not None
        assert np.count_nonzero(current.is_scored) == len(SAID)
        studio.bulk.set_threshold(0.69, who="ada", class_name="green", sign=1)
        assert proposed(studio) == expected | {("0-002.png", "green"): (1, 0.7, 1)}
        [one] = studio.proposals("red")
        studio.decide(one.image_id, "red", one.value, answer="accept")
        assert "red" not in {name for _, name in proposed(studio)}
        studio.undo()
        assert ("0-001.png", "red") in proposed(studio)


def test_a_cell_without_a_score_is_shown_without_one(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        ids = dict(zip(studio.table.paths, studio.image_ids, strict=True))
        assert studio.proposed.score_of(ids["0-001.png"], "green") is None
        assert studio.proposed.score_of(ids["0-003.png"], "red") == 0.5
        assert studio.images.explain(ids["0-001.png"], "green").endswith("Run 1 says nothing of it.")
        batch = studio.review.next_batch(QueueSpec.of(scope="open"), who="ada", holder="tab")
        scores = {(card.path, card.class_name): card.score for card in batch.cards}
        assert len(scores) == 12
        assert {cell for cell, score in scores.items() if score is not None} == set(SAID)
        assert studio.overview.expected_positives() == 2  # of what was scored: 0.98 + 0.01 + 0.7 + 0.5


def test_nothing_misses_features_or_figures(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        assert studio.images.similar(studio.image_ids[0]) == (None, [])
        assert len(studio.audits.reliability()) == 0
        assert "train" in [step.key for step in studio.overview.next_steps()]
        assert len(studio.overview.rounds()) >= 1
        row = studio.runs.table().iloc[0]
        assert (row["name"], row["recipe"], row["state"]) == (f"◐ {NAME}", "imported", "finished")
        report = studio.runs.report(1)
        assert report.changed == "+2 pseudo-labels in 2 classes"
        assert (len(report.precision), report.log, report.info.figure) == (0, "", None)
        preview = studio.runs.preview()
        assert (preview.run, preview.new, preview.blends) == (1, 0, None)
        assert list(preview.table.columns)[-1] == "unknown"
        assert len(studio.runs.settings(1)) == 0
        assert studio.proposed.choice() == (
            1,
            "run 1 is what machines said in label files, and there is no trained run",
        )
        status = describe_run(collect_status(photos, None)["runs"][0])
        assert status == f"run 1 (imported): {NAME}"
        assert studio.runs.readiness().since_last is None
        assert studio.runs.facts(1)
        assert studio.runs.forecast("fast").line
        assert studio.audits.start([Scope(POSITIVE)], who="ada", count=1).number == 1
        with pytest.raises(StudioError, match="run 1 is imported: it has no weights"):
            studio.runs.start("fast", init_from=1)
        with pytest.raises(StudioError, match="run 1 has finished"):
            studio.jobs.resume(1)
        assert studio.runs.deletion(1).next_current is None
        assert (
            "The next import brings its scores back; decisions that people made stay." in studio.runs.deletion(1).words
        )
        assert studio.runs.delete(1) > 0
        assert studio.proposals() == []


def test_a_trained_run_takes_over_whatever_is_imported_later(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        info = studio.train("fast", **{name.replace(".", "__"): value for name, value in TINY.items()})
        assert (info.run, info.status, info.result["comparison"]) == (2, "finished", None)
        assert studio.proposed.choice() == (2, "run 2 is the latest")
        comparison = studio.runs.compare(1, 2)
        assert comparison.pseudo_labels is not None
        assert "run 2 can't be told from run 1" in comparison.words
        assert list(studio.runs.table()["recipe"]) == ["fast", "imported"]
        studio.runs.report(2)
        labels = photos / "labels.csv"
        studio.import_again()
        assert [one.run for one in studio.jobs.list()] == [1, 2]
        labels.write_text(labels.read_text() + "0-004.png,blue,1,model,0.99\n")
        studio.import_again()
        assert [(one.run, one.recipe) for one in studio.jobs.list()] == [(1, "imported"), (2, "quick"), (3, "imported")]
        assert studio.proposed.choice() == (2, "run 2 is the latest")
        studio.registry.choose(3)
        assert proposed(studio)["0-004.png", "blue"] == (1, 0.99, 3)
        studio.registry.choose(None)
        studio.runs.delete(2)
        assert studio.proposed.choice() == (
            3,
            "run 3 is what machines said in label files, and there is no trained run",
        )


def test_scores_follow_renamed_classes_and_moved_images(photos: Path) -> None:
    with Studio.open(photos, who="ada") as studio:
        studio.rename_class("red", "rouge")
        (photos / "0-001.png").rename(photos / "moved.png")
        labels = photos / "labels.csv"
        labels.write_text(labels.read_text().replace("0-001.png", "moved.png"))
        studio.import_again()
        assert set(proposed(studio)) == {("moved.png", "rouge"), ("moved.png", "blue")}
        assert len(studio.jobs.list()) == 1


def test_a_stop_while_scores_are_written_leaves_no_half_run(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, replace = locate_workspace(photos), Path.replace

    def stop(self: Path, target: Path) -> Path:
        if target.name == "config.json":
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        import_dataset(place, ImportOptions())
    monkeypatch.undo()
    with Studio.open(photos) as studio:
        assert (studio.jobs.list(), studio.proposals()) == ([], [])
        studio.import_again()
        assert [one.run for one in studio.proposals()] == [2, 2]


@pytest.mark.parametrize("kind", ["open-images", "label-studio", "coco-json"])
def test_other_formats(photos: Path, kind: str) -> None:
    (photos / "labels.csv").unlink()
    if kind == "open-images":
        text = "ImageID,Source,LabelName,Confidence\n0-000.png,verification,red,1\n0-001.png,machine,red,0.99\n"
        (photos / "train.csv").write_text(text)
    elif kind == "label-studio":
        results = [{"type": "choices", "value": {"choices": ["red"]}, "score": 0.99}]
        task = {"data": {"image": "0-001.png"}, "annotations": [], "predictions": [{"result": results}]}
        (photos / "tasks.json").write_text(json.dumps([task]))
    else:
        images = [{"id": 1, "file_name": "0-001.png"}]
        annotations = [{"image_id": 1, "category_id": 1, "score": 0.99}]
        categories = [{"id": 1, "name": "red"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (photos / "labels.json").write_text(json.dumps(content))
    with Studio.open(photos) as studio:
        assert proposed(studio) == {("0-001.png", "red"): (1, 0.99, 1)}
        assert not studio.states[1:].any()
