import threading
import time
from itertools import pairwise

import numpy as np
import psutil
import pytest
from bson import ObjectId

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, Ledger, read_journal
from logicmix_studio.store.fiftyone.documents import CONFLICTS, KNOWN, META, PSEUDO
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.store.fiftyone.stored import differences
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker, connect

RUN = 4


def decide(synced, row, name, state, answer="set", score=None, who="ann", run=None):
    image_id = synced.table.image_ids[row]
    return synced.ledger.decide([Decision(image_id, name, state, answer, score)], who=who, origin="stream", run=run)


def propose(synced, claims, scores=None, run=RUN, **options):
    """Hand in proposals given as {(row, column): state}; a claim has the score 0.97 or 0.02."""
    proposals = np.zeros(synced.table.states.shape, dtype=np.int8)
    array = np.full(synced.table.states.shape, 0.5, dtype=np.float32)
    for cell, state in claims.items():
        proposals[cell], array[cell] = state, 0.97 if state > 0 else 0.02
    synced.worker.write_proposals(run, proposals, array if scores is None else scores, **options)


def flushed(synced) -> bool:
    return synced.worker.flush(20)


def entry(synced, row, name, fields=KNOWN):
    document = synced.samples()[synced.table.image_ids[row]]
    labels = (one for field in fields.values() for one in document[field]["classifications"])
    return next(one for one in labels if one["label"] == name)


# decisions -------------------------------------------------------------------


def test_the_import_is_there_before_any_line(synced):
    assert [synced.labels(row) for row in range(4)] == [{"dog": "positive"}, {"$cash": "negative"}, {}, {}]
    assert [synced.samples()[i]["num_unknown"] for i in synced.table.image_ids] == [2, 2, 3, 3]
    assert [synced.samples()[i]["unknown"] for i in synced.table.image_ids[:2]] == [["$cash", "x.y"], ["dog", "x.y"]]


def test_what_differs_from_the_journal_is_told(synced):
    decide(synced, 2, "x.y", -1)
    assert flushed(synced)
    assert differences(synced.database, synced.workspace_id, synced.ledger) == []
    meta = synced.database[META].find_one({"_id": synced.workspace_id})
    samples = synced.database[f"samples.{meta['dataset_id']}"]
    samples.update_one({"_id": ObjectId(synced.table.image_ids[2])}, {"$set": {KNOWN[-1]: None}})
    told = "c.jpg, x.y: negative in the journal, unknown in the data set"
    assert differences(synced.database, synced.workspace_id, synced.ledger) == [told]
    with pytest.raises(StudioError, match="no data set of this workspace"):
        differences(synced.database, "another", synced.ledger)


@pytest.mark.parametrize("name", ["dog", "$cash", "x.y"])  # two that MongoDB could take for something else
def test_a_decision_arrives_with_who_and_when(synced, name):
    receipt = decide(synced, 2, name, -1, score=0.25, run=RUN)
    assert flushed(synced)
    known = entry(synced, 2, name)
    assert synced.labels(2) == {name: "negative"}
    assert (known["source"], known["decided_by"], known["run"]) == ("human", "ann", RUN)
    assert "confidence" not in known  # a person said so, whatever the model thought
    assert known["decided_at"].isoformat()[:23] == receipt.line.time[:23]
    assert synced.samples()[synced.table.image_ids[2]]["num_unknown"] == 2
    assert synced.worker.status().applied_seq == receipt.line.seq


def test_a_changed_mind_replaces_the_entry(synced):
    decide(synced, 0, "dog", -1)
    assert flushed(synced)
    assert synced.labels(0) == {"dog": "negative"}
    decide(synced, 0, "dog", 0)
    assert flushed(synced)
    assert synced.labels(0) == {}
    assert synced.samples()[synced.table.image_ids[0]]["num_unknown"] == 3


def test_undo_brings_the_imported_entry_back_as_it_was(synced):
    before = entry(synced, 0, "dog")
    decide(synced, 0, "dog", -1)
    synced.ledger.undo("ann")
    assert flushed(synced)
    assert (entry(synced, 0, "dog"), synced.labels(0)) == (before, {"dog": "positive"})


def test_a_bulk_is_one_line_and_arrives_whole(synced):
    cells = [Decision(image_id, name, 1) for image_id in synced.table.image_ids for name in synced.table.class_names]
    synced.ledger.decide(cells, who="ann", origin="grid")
    assert flushed(synced)
    np.testing.assert_array_equal(synced.states(), np.ones((4, 3)))


def test_writing_lines_twice_changes_nothing(synced, database):
    decide(synced, 2, "dog", 1)
    decide(synced, 2, "x.y", -1)
    assert flushed(synced)
    once = {i: {**one, "last_modified_at": 0, "synced_at": 0} for i, one in synced.samples().items()}
    database[META].update_one({"_id": synced.workspace_id}, {"$set": {"applied_seq": 0}})
    again = synced.reopened(synced.worker._uri)
    assert again.flush(20)
    again.close()
    assert {i: {**one, "last_modified_at": 0, "synced_at": 0} for i, one in synced.samples().items()} == once


def test_replay_takes_only_the_tail(synced):
    decide(synced, 2, "dog", 1)
    assert flushed(synced)
    second = SyncWorker(synced.worker._uri, synced.workspace_id, synced.table)
    assert second.status().applied_seq == 1
    assert second.replay(read_journal(synced.journal_file)) == 0
    decide(synced, 2, "dog", -1)
    assert second.replay(read_journal(synced.journal_file)) == 1
    assert second.status().lag == 1
    second.close(0)


def test_a_line_about_an_image_that_is_gone_is_passed_over(synced, database):
    meta = database[META].find_one({"_id": synced.workspace_id})
    database[f"samples.{meta['dataset_id']}"].delete_one({"_id": ObjectId(synced.table.image_ids[2])})
    decide(synced, 2, "dog", 1)
    decide(synced, 3, "dog", 1)
    assert flushed(synced)
    assert synced.labels(3) == {"dog": "positive"}


def test_a_workspace_without_data_set_is_refused(mongod, table):
    with pytest.raises(StudioError, match="rebuild"):
        SyncWorker(mongod.ensure(), "nobody", table)


# proposals -------------------------------------------------------------------


def test_proposals_are_shown_and_published(synced):
    propose(synced, {(2, 0): 1, (2, 1): -1})
    assert flushed(synced)
    assert synced.labels(2, PSEUDO) == {"dog": "positive", "$cash": "negative"}
    negative = entry(synced, 2, "$cash", PSEUDO)
    assert (negative["run"], round(negative["confidence"], 2)) == (RUN, 0.98)
    assert [synced.samples()[i].get("run") for i in synced.table.image_ids] == [None, None, RUN, None]
    assert synced.worker.status().run == RUN


def test_a_known_cell_is_never_proposed(synced):
    propose(synced, {(0, 0): -1, (1, 1): 1, (1, 0): 1})
    assert flushed(synced)
    assert synced.labels(0, PSEUDO) == {}
    assert synced.labels(1, PSEUDO) == {"dog": "positive"}
    assert synced.labels(1) == {"$cash": "negative"}


def test_a_later_run_takes_the_place_of_an_earlier_one_and_back(synced):
    propose(synced, {(2, 0): 1}, run=4)
    assert flushed(synced)
    propose(synced, {(1, 0): 1}, run=5)
    assert flushed(synced)
    assert (synced.labels(1, PSEUDO), synced.labels(2, PSEUDO)) == ({"dog": "positive"}, {})
    assert synced.worker.status().run == 5
    propose(synced, {(2, 0): 1}, run=4)  # a person goes back to the earlier run
    assert flushed(synced)
    assert synced.worker.status().run == 4
    assert synced.labels(2, PSEUDO) == {"dog": "positive"}


@pytest.mark.parametrize(("state", "answer"), [(1, "accept"), (-1, "reject")])
def test_an_answered_proposal_leaves_and_undo_brings_it_back(synced, state, answer):
    propose(synced, {(2, 0): 1})
    assert flushed(synced)
    proposed = entry(synced, 2, "dog", PSEUDO)
    decide(synced, 2, "dog", state, answer, score=0.97, run=RUN)
    assert flushed(synced)
    assert synced.labels(2, PSEUDO) == {}
    assert entry(synced, 2, "dog")["source"] == ("accepted" if answer == "accept" else "human")
    synced.ledger.undo("ann")
    assert flushed(synced)
    assert synced.labels(2) == {}
    back = entry(synced, 2, "dog", PSEUDO)
    assert {**back, "confidence": 0} == {**proposed, "confidence": 0}
    assert back["confidence"] == pytest.approx(proposed["confidence"])


def test_unsure_leaves_the_queue_and_undo_brings_it_back(synced):
    propose(synced, {(2, 1): -1})
    decide(synced, 2, "$cash", 0, "unsure", score=0.02, run=RUN)
    assert flushed(synced)
    assert (synced.labels(2), synced.labels(2, PSEUDO)) == ({}, {})
    synced.ledger.undo("ann")
    assert flushed(synced)
    assert synced.labels(2, PSEUDO) == {"$cash": "negative"}


def test_a_cell_below_the_threshold_or_of_the_test_split_does_not_come_back(synced):
    propose(synced, {(2, 0): 1})
    for row, score in ((1, 0.9), (3, 0.99)):
        decide(synced, row, "dog", 1, score=score, run=RUN)
        synced.ledger.undo("ann")
    assert flushed(synced)
    assert (synced.labels(1, PSEUDO), synced.labels(3, PSEUDO)) == ({}, {})


def test_answers_given_after_the_proposals_were_computed_hold(synced):
    before = synced.ledger.seq
    decide(synced, 2, "dog", 0, "unsure", score=0.97, run=RUN)
    decide(synced, 2, "$cash", 1, "set", run=RUN)
    assert flushed(synced)
    propose(synced, {(2, 0): 1, (2, 1): -1, (2, 2): 1}, seq=before)
    assert flushed(synced)
    assert synced.labels(2, PSEUDO) == {"x.y": "positive"}


def test_conflicts_are_flagged_until_someone_answers(synced):
    conflicts = np.zeros((4, 3), dtype=np.int8)
    conflicts[0, 0] = -1
    scores = np.full((4, 3), 0.01, dtype=np.float16)
    synced.worker.write_proposals(RUN, np.zeros((4, 3), dtype=np.int8), scores, conflicts)
    assert flushed(synced)
    assert synced.conflicts(0) == {"dog": "positive"}
    assert synced.labels(0) == {"dog": "positive"}
    decide(synced, 0, "dog", 1)
    assert flushed(synced)
    assert synced.conflicts(0) == {}


def test_some_images_of_the_shown_run_are_written_again(synced):
    propose(synced, {(2, 0): 1, (2, 1): -1, (3, 0): 1})
    assert flushed(synced)
    decide(synced, 0, "dog", -1)
    conflicts = np.zeros((4, 3), dtype=np.int8)
    conflicts[0, 0] = 1
    scores = np.full((4, 3), 0.97, dtype=np.float32)
    rows = np.array([0, 3])
    synced.worker.write_proposals(RUN, np.zeros((4, 3), dtype=np.int8), scores, conflicts, rows=rows)
    assert flushed(synced)
    assert synced.conflicts(0) == {"dog": "negative"}
    assert (synced.labels(3, PSEUDO), synced.labels(2, PSEUDO)) == (
        {},
        {"dog": "positive", "$cash": "negative"},
    )
    assert synced.worker.status().run == RUN


def test_some_images_of_a_run_that_is_not_shown_yet_are_all_of_them(synced):
    rows = np.array([3])
    propose(synced, {(2, 0): 1}, rows=rows)
    assert flushed(synced)
    assert synced.labels(2, PSEUDO) == {"dog": "positive"}
    assert synced.worker.status().run == RUN


def test_arrays_of_another_shape_are_refused(synced):
    with pytest.raises(ValueError, match=r"proposals has shape \(1, 3\), expected \(4, 3\)"):
        synced.worker.write_proposals(1, np.zeros((1, 3), dtype=np.int8), np.zeros((4, 3)))


def test_the_limits_of_the_shown_run_survive_a_restart(synced):
    propose(synced, {(2, 0): 1})
    assert flushed(synced)
    synced.worker.close()
    decide(synced, 2, "dog", 1, "accept", score=0.97, run=RUN)
    synced.ledger.undo("ann")
    again = synced.reopened(synced.worker._uri)
    assert again.flush(20)
    again.close()
    assert synced.labels(2, PSEUDO) == {"dog": "positive"}


def test_an_empty_data_set_takes_a_run(make_synced, mongod, database):
    nothing = LabelTable.build([], ["dog"], np.zeros((0, 1), dtype=np.int8))
    synced = make_synced(mongod.ensure(), database, nothing)
    synced.worker.write_proposals(1, np.zeros((0, 1), dtype=np.int8), np.zeros((0, 1)))
    assert flushed(synced)
    assert synced.worker.status().run == 1


# all at once -----------------------------------------------------------------


def many(count: int, classes: int = 6) -> LabelTable:
    names = [f"class {column}" for column in range(classes)]
    return LabelTable.build([f"{row}.jpg" for row in range(count)], names, np.zeros((count, classes), dtype=np.int8))


def test_decisions_while_proposals_are_rewritten_contradict_nothing(make_synced, mongod, database):
    """The race of a reviewer against the writer of a run: no cell may ever be both known and proposed."""
    table = many(600)
    synced = make_synced(mongod.ensure(), database, table)
    proposals = np.ones(table.states.shape, dtype=np.int8)
    scores = np.full(table.states.shape, 0.99, dtype=np.float32)
    done = threading.Event()

    def rewrite() -> None:
        run = 1
        while not done.is_set():
            synced.worker.write_proposals(run, proposals, scores, seq=0)
            synced.worker.flush(20)
            run += 1

    writer = threading.Thread(target=rewrite)
    writer.start()
    rng = np.random.default_rng(5)
    for row, column in zip(rng.integers(0, 600, 400).tolist(), rng.integers(0, 6, 400).tolist(), strict=True):
        state, answer = (1, "accept") if row % 3 else (0, "unsure")
        decide(synced, row, table.class_names[column], state, answer, score=0.99, run=1)
    done.set()
    writer.join(60)
    assert flushed(synced)
    contradictions = 0
    for document in synced.samples().values():
        labels = [
            [one["label"] for field in fields.values() for one in document[field]["classifications"]]
            for fields in (KNOWN, PSEUDO)
        ]
        contradictions += len(set(labels[0]) & set(labels[1]))
        assert document["num_unknown"] == len(document["unknown"]) == 6 - len(labels[0])
        assert all(len(set(names)) == len(names) for names in labels)
    assert contradictions == 0
    np.testing.assert_array_equal(synced.states(), synced.ledger.states)
    assert synced.ledger.states.sum() > 200


def test_a_run_gets_into_the_data_set_while_people_answer_without_pause(make_synced, mongod, database, monkeypatch):
    monkeypatch.setattr("logicmix_studio.store.fiftyone.sync_worker.PROPOSAL_IMAGES", 1)
    table = many(300)
    synced = make_synced(mongod.ensure(), database, table)
    proposals, scores = np.ones(table.states.shape, dtype=np.int8), np.full(table.states.shape, 0.99)
    synced.worker.write_proposals(1, proposals, scores, shown="by hand")
    until, row = time.monotonic() + 60, 0
    while not synced.worker.flush(0.1) and time.monotonic() < until:
        proposals, row = proposals.copy(), row + 1
        proposals[row % 300, 0] = 0  # as somebody has answered it
        synced.worker.write_proposals(1, proposals, scores, rows=np.array([row % 300]), shown="by hand")
    assert synced.worker.status().run == 1
    assert flushed(synced)
    named = [[one["label"] for one in image[PSEUDO[1]]["classifications"]] for image in synced.samples().values()]
    assert sum("class 0" not in names for names in named) == min(row, 300)


def kill(running: Mongod) -> None:
    process = psutil.Process(running.pid)
    process.kill()
    psutil.wait_procs([process], timeout=60)


@pytest.fixture
def _impatient(monkeypatch):
    monkeypatch.setattr("logicmix_studio.store.fiftyone.sync_worker.SERVER_SELECTION_MS", 500)


@pytest.mark.usefixtures("_impatient")
def test_nothing_acknowledged_is_lost_when_mongod_is_killed(tmp_path, make_synced):
    """Killed in mid-write, three times; every line of the journal is in the data set in the end."""
    table = many(300)
    with Mongod(tmp_path / "db", environ={}) as own:
        client = connect(own.ensure())
        synced = make_synced(own.ensure(), client["fiftyone"], table, revive=own.ensure)
        proposals = np.ones(table.states.shape, dtype=np.int8)
        synced.worker.write_proposals(1, proposals, np.full(table.states.shape, 0.99), seq=0)
        for step in range(600):
            row, column = step % 300, step % 6
            decide(synced, row, table.class_names[column], 1 if step % 2 else -1, "set")
            if step in (100, 250, 400):
                own.ensure()  # back from the kill before
                kill(own)
        assert synced.worker.flush(60), synced.worker.status()
        assert own.alive()
        np.testing.assert_array_equal(synced.states(), synced.ledger.states)
        assert synced.worker.status().applied_seq == synced.ledger.seq == 600
        open_cells = {(i, name) for i in table.image_ids for name in table.class_names}
        shown = {
            (i, label["label"])
            for i, one in synced.samples().items()
            for name in PSEUDO.values()
            for label in one[name]["classifications"]
        }
        answered = {(cell.image_id, cell.class_name) for line in synced.ledger.lines for cell in line.cells}
        assert shown == open_cells - answered
        client.close()
        synced.worker.close()


@pytest.mark.usefixtures("_impatient")
def test_a_database_that_is_down_is_reported_and_the_tail_kept(tmp_path, make_synced):
    with Mongod(tmp_path / "db", environ={}) as own:
        client = connect(own.ensure())
        synced = make_synced(own.ensure(), client["fiftyone"], many(3))
        decide(synced, 0, "class 0", 1)
        assert flushed(synced)
        kill(own)
        decide(synced, 1, "class 0", 1)
        assert synced.worker._changed.acquire(timeout=60)
        synced.worker._changed.wait_for(lambda: synced.worker._error, 60)
        synced.worker._changed.release()
        status = synced.worker.status()
        assert (status.applied_seq, status.lag) == (1, 1)
        assert status.error
        assert not synced.worker.close(0)
        own.ensure()
        again = synced.reopened(own.ensure())
        assert again.flush(20)
        assert again.status().error == ""
        again.close()
        assert synced.labels(1) == {"class 0": "positive"}
        client.close()


def test_a_data_set_made_anew_equals_the_old_one(make_synced, mongod, database, table):
    """Import and journal alone give the same documents, whatever way led there."""
    synced = make_synced(mongod.ensure(), database, table)
    propose(synced, {(2, 0): 1, (2, 1): -1})
    for row, name, state in ((0, "dog", -1), (2, "dog", 1), (1, "x.y", -1), (0, "dog", 0), (3, "$cash", 1)):
        decide(synced, row, name, state)
    synced.ledger.undo("ann")
    synced.ledger.undo("ann")
    synced.ledger.redo("ann")
    assert flushed(synced)

    new = make_synced(mongod.ensure(), database, table)
    new.worker.replay(read_journal(synced.journal_file))
    propose(new, {(2, 1): -1})
    assert flushed(new)

    def content(documents):
        fields = (*KNOWN.values(), *PSEUDO.values(), CONFLICTS)
        return {
            i: (
                one["unknown"],
                *(sorted(one[f]["classifications"], key=lambda e: e["label"]) for f in fields),
            )
            for i, one in documents.items()
        }

    assert content(new.samples()) == content(synced.samples())
    replayed = Ledger(table, read_journal(synced.journal_file))
    np.testing.assert_array_equal(new.states(), replayed.states)


def test_lines_are_taken_in_order_and_the_number_only_rises(synced):
    seen = []
    for _ in range(30):
        decide(synced, 2, "dog", 1 if len(seen) % 2 else -1)
        assert flushed(synced)
        seen.append(synced.worker.status().applied_seq)
    assert all(later == earlier + 1 for earlier, later in pairwise(seen))
