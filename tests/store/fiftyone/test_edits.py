"""Labels changed in FiftyOne come back as decisions of "fiftyone"."""

import threading
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, Journal, Ledger, Workspace, save_table, write_json
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.create import set_up
from logicmix_studio.store.fiftyone.dataset_sync import LOOK_SECONDS, DatasetSync
from logicmix_studio.store.fiftyone.documents import KNOWN
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker
from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace

pytestmark = pytest.mark.slow
NAMES = ["dog", "cat", "bird"]
STATES = np.array([[1, -1, 0], [0, 0, 0], [-1, 0, 1]], dtype=np.int8)


@pytest.fixture
def opened(tmp_path, fiftyone, mongod):
    """A data set behind a ledger, opened in FiftyOne too; edits are taken over when `take` is called."""
    table = LabelTable.build(["a.jpg", "b.jpg", "c.jpg"], NAMES, STATES)
    workspace = Workspace(root=tmp_path, folder=tmp_path / ".logicmix")
    save_table(workspace.labels_file, table)
    write_json(workspace.info_file, {"format": 1, "name": tmp_path.name, "root": str(tmp_path)})
    set_up(workspace, mongod.ensure())
    ledger = Ledger(table, journal=Journal(workspace.journal_file))
    worker = attach(workspace, ledger, mongod)
    worker.start()
    ledger.listen(worker.submit)
    dataset = fiftyone.load_dataset(worker.dataset_name)

    def take() -> list[tuple[str, str, int]]:
        before = len(ledger.lines)
        worker.take_edits(ledger)
        assert worker.flush(20)
        dataset.reload()
        lines = ledger.lines[before:]
        assert all((line.who, line.origin) == ("fiftyone", "fiftyone") for line in lines)
        return [(cell.image_id, cell.class_name, cell.after.state) for line in lines for cell in line.cells]

    yield SimpleNamespace(
        dataset=dataset,
        ledger=ledger,
        worker=worker,
        ids=table.image_ids,
        take=take,
        workspace=workspace,
        mongod=mongod,
    )
    worker.close()


def labels(opened, row):
    sample = opened.dataset[opened.ids[row]]
    return [sorted(label.label for label in sample[name].classifications) for name in KNOWN.values()]


def test_what_the_studio_writes_is_no_edit(opened):
    assert opened.take() == []
    opened.ledger.decide([Decision(opened.ids[1], "dog", 1)], who="ann", origin="grid")
    opened.ledger.undo("ann")
    opened.ledger.redo("ann")
    assert opened.worker.flush(20)
    assert opened.take() == []


def test_a_label_that_is_added_moved_or_taken_out_is_decided(opened, fiftyone):
    first, second, third = (opened.dataset[image_id] for image_id in opened.ids)
    first.positive_labels.classifications.append(fiftyone.Classification(label="bird"))
    first.negative_labels.classifications = []
    first.save()
    second.negative_labels = fiftyone.Classifications(classifications=[fiftyone.Classification(label="dog")])
    second.save()
    (dog,) = third.negative_labels.classifications
    third.positive_labels.classifications.append(dog)  # left in the other field, too: what is new counts
    third.save()
    a, b, c = opened.ids
    assert opened.take() == [(a, "cat", 0), (a, "bird", 1), (b, "dog", -1), (c, "dog", 1)]
    assert [labels(opened, row) for row in range(3)] == [[["bird", "dog"], []], [[], ["dog"]], [["bird", "dog"], []]]
    assert opened.dataset.values("unknown") == [["cat"], ["cat", "bird"], ["cat"]]
    assert opened.dataset[b].negative_labels.classifications[0].decided_by == "fiftyone"
    assert opened.take() == []


def test_an_edit_stays_one_when_the_studio_writes_to_the_image_before_it_looks(opened, fiftyone):
    a, b, _ = opened.ids
    for image_id in (a, b):
        sample = opened.dataset[image_id]
        sample.positive_labels = fiftyone.Classifications(classifications=[fiftyone.Classification(label="bird")])
        sample.save()
    opened.ledger.decide([Decision(b, "cat", -1)], who="ann", origin="grid")
    claims = np.array([[0, 0, 0], [0, 0, 0], [0, 1, 0]], dtype=np.int8)
    opened.worker.write_proposals(1, claims, np.full((3, 3), 0.9))
    assert opened.worker.flush(20)
    assert opened.take() == [(a, "dog", 0), (a, "bird", 1), (b, "bird", 1)]
    assert opened.take() == []


def test_bulk_edits_and_renamed_labels_are_decided(opened, fiftyone):
    everywhere = [fiftyone.Classifications(classifications=[fiftyone.Classification(label="cat")]) for _ in range(3)]
    opened.dataset.set_values("positive_labels", everywhere)
    a, b, c = opened.ids
    assert opened.take() == [(a, "dog", 0), (a, "cat", 1), (b, "cat", 1), (c, "bird", 0), (c, "cat", 1)]
    assert len(opened.ledger.lines) == 1
    opened.dataset.select(a).set_values("positive_labels.classifications.label", [["bird"]])
    assert opened.take() == [(a, "cat", 0), (a, "bird", 1)]


def test_tags_and_own_fields_are_no_decisions(opened):
    opened.dataset.tag_samples("seen")
    opened.dataset.tag_labels("sure", label_fields="positive_labels")
    sample = opened.dataset[opened.ids[0]]
    sample["note"] = "mine"
    sample.save()
    assert opened.take() == []


def test_what_is_no_class_stays_and_is_said(opened, fiftyone, caplog):
    sample = opened.dataset[opened.ids[1]]
    sample.positive_labels.classifications.append(fiftyone.Classification(label="unicorn"))
    sample.save()
    assert opened.take() == []
    assert "'unicorn', which is no class" in caplog.text
    assert labels(opened, 1) == [["unicorn"], []]


def test_a_cell_that_was_answered_meanwhile_stays_as_answered(opened, fiftyone):
    opened.worker.close()
    sample = opened.dataset[opened.ids[1]]
    sample.positive_labels.classifications = [fiftyone.Classification(label=name) for name in ("dog", "cat")]
    sample.save()
    opened.ledger.decide([Decision(opened.ids[1], "dog", -1)], who="ann", origin="grid")
    again = attach(opened.workspace, opened.ledger, opened.mongod)
    again.start()
    again.replay(opened.ledger.lines)
    assert again.close(20)
    assert opened.ledger.states[1].tolist() == [-1, 1, 0]
    opened.dataset.reload()
    assert labels(opened, 1) == [["cat"], ["dog"]]


def test_edits_are_taken_before_another_import_is_written(opened, fiftyone):
    opened.worker.close()
    sample = opened.dataset[opened.ids[1]]
    sample.positive_labels.classifications.append(fiftyone.Classification(label="dog"))
    sample.save()
    opened.dataset.select(opened.ids[0]).tag_samples("seen")  # saved, too, but its labels are of the import before
    states = np.array([[0, 1, 1], [0, 0, -1], [-1, 0, 1]], dtype=np.int8)
    newer = LabelTable.build(["a.jpg", "b.jpg", "c.jpg"], NAMES, states)
    save_table(opened.workspace.labels_file, newer)
    ledger = Ledger(newer, opened.ledger.lines, Journal(opened.workspace.journal_file))
    again = attach(opened.workspace, ledger, opened.mongod)
    again.start()
    again.replay(ledger.lines)
    assert again.close(20)
    assert ledger.states.tolist() == [[0, 1, 1], [1, 0, -1], [-1, 0, 1]]
    opened.dataset.reload()
    assert [labels(opened, row) for row in range(2)] == [[["bird", "cat"], []], [["dog"], ["bird"]]]


def test_an_open_studio_sees_an_edit_within_two_seconds(tmp_path, fiftyone, mongod, monkeypatch):
    """It looks each second, and the first look after an edit decides it: a busy machine is slower, but skips no step."""
    assert LOOK_SECONDS <= 1
    looks, at_look, decided = [], [], threading.Event()
    take = SyncWorker.take_edits

    def counted(worker, ledger) -> None:
        looks.append(worker)
        take(worker, ledger)

    def hear(line) -> None:
        at_look.append(len(looks))
        decided.set()

    monkeypatch.setattr(SyncWorker, "take_edits", counted)
    workspace = make_workspace(tmp_path / "shapes")
    root, name = workspace.root, set_up(workspace, mongod.ensure())
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", mongod.ensure())
    with Studio.open(root, who="ada") as studio:
        sync = DatasetSync(studio.dataset, studio.proposed)
        sync.start()
        assert sync.wait_until_written(60)
        row, column = np.argwhere(studio.states == 0)[0].tolist()
        studio.ledger.listen(hear)
        sample = fiftyone.load_dataset(name)[studio.image_ids[row]]
        sample.positive_labels.classifications.append(fiftyone.Classification(label=studio.class_names[column]))
        sample.save()
        before = len(looks)
        assert decided.wait(60)
        sync.close()
        assert studio.states[row, column] == 1
        assert at_look[0] <= before + 1
        assert (studio.ledger.lines[-1].who, len(at_look)) == ("fiftyone", 1)


def test_an_edit_is_noticed_after_the_clock_was_set_back(opened, fiftyone):
    later = datetime.now(UTC) + timedelta(hours=1)
    samples = opened.dataset._sample_collection
    samples.update_many({}, {"$set": {"last_modified_at": later, "synced_at": later}})
    opened.worker._watched_until = later
    opened.dataset.reload()
    sample = opened.dataset[opened.ids[1]]
    sample.positive_labels.classifications.append(fiftyone.Classification(label="cat"))
    sample.save()
    assert samples.find_one({"_id": sample._id})["last_modified_at"].replace(tzinfo=UTC) < later

    assert opened.take() == [(opened.ids[1], "cat", 1)]
    assert opened.take() == []
