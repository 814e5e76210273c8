import threading
from itertools import pairwise

import numpy as np
import psutil
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, Ledger, Source, read_journal
from logicmix_studio.store.fiftyone.documents import META, RUNS
from logicmix_studio.store.fiftyone.sync_worker import Mirror, connect
from logicmix_studio.store.fiftyone.mongod import Mongod

RUN = 4


def decide(desk, row, name, state, answer="set", score=None, who="ann", run=None):
    image_id = desk.table.image_ids[row]
    return desk.ledger.decide(
        [Decision(image_id, name, state, answer, score)], who=who, origin="stream", run=run
    )


def propose(desk, claims, scores=None, run=RUN, **options):
    """Hand in proposals given as {(row, column): state}; a claim has the score 0.97 or 0.02."""
    proposals = np.zeros(desk.table.states.shape, dtype=np.int8)
    array = np.full(desk.table.states.shape, 0.5, dtype=np.float32)
    for cell, state in claims.items():
        proposals[cell], array[cell] = state, 0.97 if state > 0 else 0.02
    desk.mirror.write_proposals(run, proposals, array if scores is None else scores, **options)


def flushed(desk) -> bool:
    return desk.mirror.flush(20)


def entry(desk, row, name, field="known"):
    document = desk.samples()[desk.table.image_ids[row]]
    return next(one for one in document[field]["classifications"] if one["label"] == name)


# decisions -------------------------------------------------------------------


def test_the_import_is_there_before_any_line(desk):
    assert [desk.labels(row) for row in range(4)] == [{"dog": "positive"}, {"$cash": "negative"}, {}, {}]
    assert [desk.samples()[i]["num_unknown"] for i in desk.table.image_ids] == [2, 2, 3, 3]


@pytest.mark.parametrize("name", ["dog", "$cash", "x.y"])  # two that MongoDB could take for something else
def test_a_decision_arrives_with_who_and_when(desk, name):
    receipt = decide(desk, 2, name, -1, score=0.25, run=RUN)
    assert flushed(desk)
    known = entry(desk, 2, name)
    assert (known["state"], known["source"], known["decided_by"], known["run"]) == (
        "negative",
        "human",
        "ann",
        RUN,
    )
    assert known["confidence"] == 0.75
    assert known["decided_at"].isoformat()[:23] == receipt.line.time[:23]
    assert desk.samples()[desk.table.image_ids[2]]["num_unknown"] == 2
    assert desk.mirror.status().applied_seq == receipt.line.seq


def test_a_changed_mind_replaces_the_entry(desk):
    decide(desk, 0, "dog", -1)
    assert flushed(desk)
    assert desk.labels(0) == {"dog": "negative"}
    decide(desk, 0, "dog", 0)
    assert flushed(desk)
    assert desk.labels(0) == {}
    assert desk.samples()[desk.table.image_ids[0]]["num_unknown"] == 3


def test_undo_brings_the_imported_entry_back_as_it_was(desk):
    before = desk.samples()[desk.table.image_ids[0]]["known"]
    decide(desk, 0, "dog", -1)
    desk.ledger.undo("ann")
    assert flushed(desk)
    assert desk.samples()[desk.table.image_ids[0]]["known"] == before


def test_a_bulk_is_one_line_and_arrives_whole(desk):
    cells = [
        Decision(image_id, name, 1) for image_id in desk.table.image_ids for name in desk.table.class_names
    ]
    desk.ledger.decide(cells, who="ann", origin="grid")
    assert flushed(desk)
    np.testing.assert_array_equal(desk.mirror.read_states(), np.ones((4, 3)))


def test_writing_lines_twice_changes_nothing(desk, database):
    decide(desk, 2, "dog", 1)
    decide(desk, 2, "x.y", -1)
    assert flushed(desk)
    once = {i: {**one, "last_modified_at": 0} for i, one in desk.samples().items()}
    database[META].update_one({"_id": desk.workspace_id}, {"$set": {"applied_seq": 0}})
    again = desk.reopened(desk.mirror._uri)
    assert again.flush(20)
    again.close()
    assert {i: {**one, "last_modified_at": 0} for i, one in desk.samples().items()} == once


def test_replay_takes_only_the_tail(desk):
    decide(desk, 2, "dog", 1)
    assert flushed(desk)
    second = Mirror(desk.mirror._uri, desk.workspace_id, desk.table)
    assert second.applied_seq == 1
    assert second.replay(read_journal(desk.journal_file)) == 0
    decide(desk, 2, "dog", -1)
    assert second.replay(read_journal(desk.journal_file)) == 1
    assert second.status().lag == 1
    second.close(0)


def test_a_line_about_an_image_that_is_gone_is_passed_over(desk, database):
    meta = database[META].find_one({"_id": desk.workspace_id})
    database[f"samples.{meta['dataset_id']}"].delete_one({"image_id": desk.table.image_ids[2]})
    decide(desk, 2, "dog", 1)
    decide(desk, 3, "dog", 1)
    assert flushed(desk)
    assert desk.labels(3) == {"dog": "positive"}


def test_a_workspace_without_data_set_is_refused(mongod, table):
    with pytest.raises(StudioError, match="rebuild"):
        Mirror(mongod.ensure(), "nobody", table)


# proposals -------------------------------------------------------------------


def test_proposals_are_shown_tagged_and_published(desk, database):
    propose(desk, {(2, 0): 1, (2, 1): -1})
    assert flushed(desk)
    assert desk.labels(2, "pseudo") == {"dog": "positive", "$cash": "negative"}
    negative = entry(desk, 2, "$cash", "pseudo")
    assert (negative["source"], negative["run"], round(negative["confidence"], 2)) == ("model", RUN, 0.98)
    run = database[RUNS].find_one({"workspace": desk.workspace_id, "run": RUN})
    assert (run["status"], run["positive"], run["negative"]) == ("complete", 1, 1)
    assert desk.mirror.status().run == RUN


def test_a_known_cell_is_never_proposed(desk):
    propose(desk, {(0, 0): -1, (1, 1): 1, (1, 0): 1})
    assert flushed(desk)
    assert desk.labels(0, "pseudo") == {}
    assert desk.labels(1, "pseudo") == {"dog": "positive"}
    assert desk.labels(1) == {"$cash": "negative"}


def test_a_later_run_supersedes_and_its_summary_stays(desk, database):
    propose(desk, {(2, 0): 1}, run=4)
    assert flushed(desk)
    propose(desk, {(1, 0): 1}, run=5)
    assert flushed(desk)
    assert (desk.labels(1, "pseudo"), desk.labels(2, "pseudo")) == ({"dog": "positive"}, {})
    status = {one["run"]: one["status"] for one in database[RUNS].find({"workspace": desk.workspace_id})}
    assert status == {4: "superseded", 5: "complete"}
    propose(desk, {(2, 0): 1}, run=4)  # a person goes back to the earlier run
    assert flushed(desk)
    status = {one["run"]: one["status"] for one in database[RUNS].find({"workspace": desk.workspace_id})}
    assert status == {4: "complete", 5: "superseded"}


@pytest.mark.parametrize(("state", "answer"), [(1, "accept"), (-1, "reject")])
def test_an_answered_proposal_leaves_and_undo_brings_it_back(desk, state, answer):
    propose(desk, {(2, 0): 1})
    assert flushed(desk)
    proposed = entry(desk, 2, "dog", "pseudo")
    decide(desk, 2, "dog", state, answer, score=0.97, run=RUN)
    assert flushed(desk)
    assert desk.labels(2, "pseudo") == {}
    assert entry(desk, 2, "dog")["source"] == ("accepted" if answer == "accept" else "human")
    desk.ledger.undo("ann")
    assert flushed(desk)
    assert desk.labels(2) == {}
    back = entry(desk, 2, "dog", "pseudo")
    assert {**back, "confidence": 0} == {**proposed, "confidence": 0}
    assert back["confidence"] == pytest.approx(proposed["confidence"])


def test_unsure_leaves_the_queue_and_undo_brings_it_back(desk):
    propose(desk, {(2, 1): -1})
    decide(desk, 2, "$cash", 0, "unsure", score=0.02, run=RUN)
    assert flushed(desk)
    assert (desk.labels(2), desk.labels(2, "pseudo")) == ({}, {})
    desk.ledger.undo("ann")
    assert flushed(desk)
    assert desk.labels(2, "pseudo") == {"$cash": "negative"}


def test_a_cell_below_the_threshold_or_of_the_test_split_does_not_come_back(desk):
    propose(desk, {(2, 0): 1})
    for row, score in ((1, 0.9), (3, 0.99)):
        decide(desk, row, "dog", 1, score=score, run=RUN)
        desk.ledger.undo("ann")
    assert flushed(desk)
    assert (desk.labels(1, "pseudo"), desk.labels(3, "pseudo")) == ({}, {})


def test_answers_given_after_the_proposals_were_computed_hold(desk):
    before = desk.ledger.seq
    decide(desk, 2, "dog", 0, "unsure", score=0.97, run=RUN)
    decide(desk, 2, "$cash", 1, "set", run=RUN)
    assert flushed(desk)
    propose(desk, {(2, 0): 1, (2, 1): -1, (2, 2): 1}, seq=before)
    assert flushed(desk)
    assert desk.labels(2, "pseudo") == {"x.y": "positive"}


def test_conflicts_are_flagged_until_someone_answers(desk):
    conflicts = np.zeros((4, 3), dtype=np.int8)
    conflicts[0, 0] = -1
    scores = np.full((4, 3), 0.01, dtype=np.float16)
    desk.mirror.write_proposals(RUN, np.zeros((4, 3), dtype=np.int8), scores, conflicts)
    assert flushed(desk)
    assert desk.labels(0, "conflicts") == {"dog": "negative"}
    assert desk.labels(0) == {"dog": "positive"}
    decide(desk, 0, "dog", 1)
    assert flushed(desk)
    assert desk.labels(0, "conflicts") == {}


def test_arrays_of_another_shape_are_refused(desk):
    with pytest.raises(ValueError, match=r"proposals has shape \(1, 3\), expected \(4, 3\)"):
        desk.mirror.write_proposals(1, np.zeros((1, 3), dtype=np.int8), np.zeros((4, 3)))


def test_the_limits_of_the_shown_run_survive_a_restart(desk):
    propose(desk, {(2, 0): 1})
    assert flushed(desk)
    desk.mirror.close()
    decide(desk, 2, "dog", 1, "accept", score=0.97, run=RUN)
    desk.ledger.undo("ann")
    again = desk.reopened(desk.mirror._uri)
    assert again.flush(20)
    again.close()
    assert desk.labels(2, "pseudo") == {"dog": "positive"}


def test_an_empty_data_set_takes_a_run(desk_of, mongod, database):
    nothing = LabelTable.build([], ["dog"], np.zeros((0, 1), dtype=np.int8))
    desk = desk_of(mongod.ensure(), database, nothing)
    desk.mirror.write_proposals(1, np.zeros((0, 1), dtype=np.int8), np.zeros((0, 1)))
    assert flushed(desk)
    assert desk.mirror.status().run == 1


# all at once -----------------------------------------------------------------


def many(count: int, classes: int = 6) -> LabelTable:
    names = [f"class {column}" for column in range(classes)]
    return LabelTable.build(
        [f"{row}.jpg" for row in range(count)], names, np.zeros((count, classes), dtype=np.int8)
    )


def test_decisions_while_proposals_are_rewritten_contradict_nothing(desk_of, mongod, database):
    """The race of a reviewer against the writer of a run: no cell may ever be both known and proposed."""
    table = many(600)
    desk = desk_of(mongod.ensure(), database, table)
    proposals = np.ones(table.states.shape, dtype=np.int8)
    scores = np.full(table.states.shape, 0.99, dtype=np.float32)
    done = threading.Event()

    def rewrite() -> None:
        run = 1
        while not done.is_set():
            desk.mirror.write_proposals(run, proposals, scores, seq=0)
            desk.mirror.flush(20)
            run += 1

    writer = threading.Thread(target=rewrite)
    writer.start()
    rng = np.random.default_rng(5)
    for row, column in zip(rng.integers(0, 600, 400).tolist(), rng.integers(0, 6, 400).tolist(), strict=True):
        state, answer = (1, "accept") if row % 3 else (0, "unsure")
        decide(desk, row, table.class_names[column], state, answer, score=0.99, run=1)
    done.set()
    writer.join(60)
    assert flushed(desk)
    contradictions = 0
    for document in desk.samples().values():
        labels = [
            [one["label"] for one in document[field]["classifications"]] for field in ("known", "pseudo")
        ]
        contradictions += len(set(labels[0]) & set(labels[1]))
        assert document["num_unknown"] == 6 - len(labels[0])
        assert all(len(set(names)) == len(names) for names in labels)
    assert contradictions == 0
    np.testing.assert_array_equal(desk.mirror.read_states(), desk.ledger.states)
    assert desk.ledger.states.sum() > 200


def kill(running: Mongod) -> None:
    process = psutil.Process(running.pid)
    process.kill()
    psutil.wait_procs([process], timeout=10)


@pytest.fixture
def _impatient(monkeypatch):
    monkeypatch.setattr("logicmix_studio.store.fiftyone.sync_worker.SERVER_SELECTION_MS", 500)


@pytest.mark.usefixtures("_impatient")
def test_nothing_acknowledged_is_lost_when_mongod_is_killed(tmp_path, desk_of):
    """Killed in mid-write, three times; every line of the journal is in the data set in the end."""
    table = many(300)
    with Mongod(tmp_path / "db", environ={}) as own:
        client = connect(own.ensure())
        desk = desk_of(own.ensure(), client["fiftyone"], table, revive=own.ensure)
        proposals = np.ones(table.states.shape, dtype=np.int8)
        desk.mirror.write_proposals(1, proposals, np.full(table.states.shape, 0.99), seq=0)
        for step in range(600):
            row, column = step % 300, step % 6
            decide(desk, row, table.class_names[column], 1 if step % 2 else -1, "set")
            if step in (100, 250, 400):
                own.ensure()  # back from the kill before
                kill(own)
        assert desk.mirror.flush(60), desk.mirror.status()
        assert own.alive()
        np.testing.assert_array_equal(desk.mirror.read_states(), desk.ledger.states)
        assert desk.mirror.status().applied_seq == desk.ledger.seq == 600
        open_cells = {(i, name) for i in table.image_ids for name in table.class_names}
        shown = {
            (i, e["label"]) for i, one in desk.samples().items() for e in one["pseudo"]["classifications"]
        }
        answered = {(cell.image_id, cell.class_name) for line in desk.ledger.lines for cell in line.cells}
        assert shown == open_cells - answered
        client.close()
        desk.mirror.close()


@pytest.mark.usefixtures("_impatient")
def test_a_database_that_is_down_is_reported_and_the_tail_kept(tmp_path, desk_of):
    with Mongod(tmp_path / "db", environ={}) as own:
        client = connect(own.ensure())
        desk = desk_of(own.ensure(), client["fiftyone"], many(3))
        decide(desk, 0, "class 0", 1)
        assert flushed(desk)
        kill(own)
        decide(desk, 1, "class 0", 1)
        assert desk.mirror._changed.acquire(timeout=5)
        desk.mirror._changed.wait_for(lambda: desk.mirror._error, 20)
        desk.mirror._changed.release()
        status = desk.mirror.status()
        assert (status.applied_seq, status.lag) == (1, 1)
        assert status.error
        assert not desk.mirror.close(0)
        own.ensure()
        again = desk.reopened(own.uri)
        assert again.flush(20)
        assert again.status().error == ""
        again.close()
        assert desk.labels(1) == {"class 0": "positive"}
        client.close()


def test_a_data_set_made_anew_equals_the_old_one(desk_of, mongod, database, table):
    """Import and journal alone give the same documents, whatever way led there."""
    desk = desk_of(mongod.ensure(), database, table)
    propose(desk, {(2, 0): 1, (2, 1): -1})
    for row, name, state in ((0, "dog", -1), (2, "dog", 1), (1, "x.y", -1), (0, "dog", 0), (3, "$cash", 1)):
        decide(desk, row, name, state)
    desk.ledger.undo("ann")
    desk.ledger.undo("ann")
    desk.ledger.redo("ann")
    assert flushed(desk)

    new = desk_of(mongod.ensure(), database, table)
    new.mirror.replay(read_journal(desk.journal_file))
    propose(new, {(2, 1): -1})
    assert flushed(new)

    def content(documents):
        fields = ("known", "pseudo", "conflicts")
        return {
            i: (
                one["num_unknown"],
                *(sorted(one[f]["classifications"], key=lambda e: e["label"]) for f in fields),
            )
            for i, one in documents.items()
        }

    assert content(new.samples()) == content(desk.samples())
    replayed = Ledger(table, read_journal(desk.journal_file))
    np.testing.assert_array_equal(new.mirror.read_states(), replayed.states)


def test_write_states_full_gives_the_arrays(desk):
    propose(desk, {(2, 0): 1, (2, 2): 1})
    assert flushed(desk)
    states = np.array([[0, 0, 1], [0, -1, 0], [1, 0, 0], [0, 0, 0]], dtype=np.int8)
    sources = np.where(states == 0, Source.NOBODY, Source.HUMAN).astype(np.uint8)
    desk.mirror.write_states_full(states, sources, seq=9)
    np.testing.assert_array_equal(desk.mirror.read_states(), states)
    assert desk.labels(2, "pseudo") == {"x.y": "positive"}
    assert [desk.samples()[i]["num_unknown"] for i in desk.table.image_ids] == [2, 2, 2, 3]
    assert desk.mirror.applied_seq == 9


def test_lines_are_taken_in_order_and_the_number_only_rises(desk):
    seen = []
    for _ in range(30):
        decide(desk, 2, "dog", 1 if len(seen) % 2 else -1)
        assert flushed(desk)
        seen.append(desk.mirror.applied_seq)
    assert all(later == earlier + 1 for earlier, later in pairwise(seen))
