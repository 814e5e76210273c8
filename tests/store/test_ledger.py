from dataclasses import replace

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable, image_id
from logicmix_studio.store import Decision, Journal, Ledger, Source, read_journal

PATHS = ("a.jpg", "b.jpg", "c.jpg")
A, B, C = (image_id(path) for path in PATHS)


@pytest.fixture
def table() -> LabelTable:
    states = np.array([[1, 0], [0, -1], [0, 0]], dtype=np.int8)
    return LabelTable(image_ids=(A, B, C), paths=PATHS, class_names=("dog", "cat"), states=states, splits=("", "", ""))


@pytest.fixture
def ledger(table, tmp_path) -> Ledger:
    return Ledger(table, journal=Journal(tmp_path / "journal.jsonl"))


def replayed(ledger: Ledger, tmp_path) -> Ledger:
    return Ledger(ledger.table, read_journal(tmp_path / "journal.jsonl"))


def assert_same(one: Ledger, other: Ledger) -> None:
    np.testing.assert_array_equal(one.states, other.states)
    np.testing.assert_array_equal(one.sources, other.sources)
    np.testing.assert_array_equal(one.unsure_run, other.unsure_run)


def test_import_is_where_it_starts(ledger):
    assert ledger.sources.tolist() == [[Source.IMPORTED, 0], [0, Source.IMPORTED], [0, 0]]
    assert ledger.seq == 0


def test_accept_sets_the_state_and_says_so(ledger, tmp_path):
    receipt = ledger.decide([Decision(C, "dog", 1, "accept", 0.97)], who="ann", origin="stream", run=4)
    assert ledger.states[2, 0] == 1
    assert ledger.sources[2, 0] == Source.ACCEPTED
    assert receipt.line.seq == 1
    assert_same(replayed(ledger, tmp_path), ledger)


def test_reject_of_a_proposed_positive_is_a_persons_negative(ledger):
    ledger.decide([Decision(C, "dog", -1, "reject")], who="ann", origin="stream")
    assert (ledger.states[2, 0], ledger.sources[2, 0]) == (-1, Source.HUMAN)


def test_unsure_leaves_the_state_and_names_the_run(ledger):
    ledger.decide([Decision(C, "dog", 1, "unsure")], who="ann", origin="stream", run=4)
    assert (ledger.states[2, 0], ledger.unsure_run[2, 0]) == (0, 4)


def test_accept_never_changes_a_known_cell(ledger):
    receipt = ledger.decide(
        [Decision(A, "dog", -1, "reject"), Decision(C, "dog", 1, "accept")], who="ann", origin="grid"
    )
    assert [decision.image_id for decision in receipt.skipped] == [A]
    assert ledger.states[0, 0] == 1
    assert ledger.states[2, 0] == 1


def test_another_number_of_cells_than_expected_writes_nothing(ledger, tmp_path):
    answers = [Decision(A, "dog", -1, "reject"), Decision(C, "dog", 1, "accept")]
    with pytest.raises(StudioError, match="1 cells would be written, 2 were named"):
        ledger.decide(answers, who="ann", origin="grid", expected=2)
    assert not (tmp_path / "journal.jsonl").read_bytes()
    once = {"who": "ann", "origin": "grid", "expected": 1, "action_id": "x"}
    assert len(ledger.decide(answers, **once).line.cells) == 1
    assert ledger.decide(answers, **once).repeated


def test_nothing_left_to_write_writes_nothing(ledger):
    receipt = ledger.decide([Decision(A, "dog", -1, "reject")], who="ann", origin="grid")
    assert receipt.line is None
    assert ledger.seq == 0


def test_set_changes_a_known_cell_and_back_to_unknown(ledger):
    ledger.decide([Decision(A, "dog", 0)], who="ann", origin="browse")
    assert (ledger.states[0, 0], ledger.sources[0, 0]) == (0, Source.NOBODY)


def test_same_id_twice_is_one_action(ledger, tmp_path):
    first = ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream", action_id="x")
    again = ledger.decide([Decision(C, "dog", -1)], who="ann", origin="stream", action_id="x")
    assert again.repeated
    assert again.line == first.line
    assert ledger.states[2, 0] == 1
    assert len(list(read_journal(tmp_path / "journal.jsonl"))) == 1


def test_replaying_a_line_twice_changes_nothing(ledger, table):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.undo("ann")
    twice = [line for line in ledger.lines for _ in range(2)]
    assert_same(Ledger(table, twice), ledger)


def test_undo_and_redo_bulk_across_a_restart(ledger, table, tmp_path):
    everything = [Decision(image, name, -1) for image in (A, B, C) for name in ("dog", "cat")]
    ledger.decide(everything, who="ann", origin="grid")
    ledger.decide([Decision(C, "cat", 1)], who="ann", origin="stream")

    later = Ledger(table, read_journal(tmp_path / "journal.jsonl"), Journal(tmp_path / "journal.jsonl"))
    later.undo("ann")
    assert later.states.tolist() == [[-1, -1]] * 3
    later.undo("ann")
    assert_same(later, Ledger(table))
    later.redo("ann")
    later.redo("ann")
    assert later.states.tolist() == [[-1, -1], [-1, -1], [-1, 1]]
    assert_same(replayed(later, tmp_path), later)


def test_new_decision_clears_what_could_be_redone(ledger):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.undo("ann")
    ledger.decide([Decision(C, "cat", 1)], who="ann", origin="stream")
    with pytest.raises(StudioError, match="nothing to redo"):
        ledger.redo("ann")


def test_undo_is_a_persons_own(ledger):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.decide([Decision(C, "cat", 1)], who="bob", origin="stream")
    ledger.undo("ann")
    assert ledger.states[2].tolist() == [0, 1]
    with pytest.raises(StudioError, match="nothing to undo"):
        ledger.undo("ann")


def test_revert_leaves_cells_that_changed_later(ledger):
    ledger.decide([Decision(C, "dog", 1), Decision(C, "cat", 1)], who="ann", origin="grid")
    ledger.decide([Decision(C, "cat", -1)], who="bob", origin="browse")
    receipt = ledger.undo("carl", of=1)
    assert [cell.class_name for cell in receipt.left_alone] == ["cat"]
    assert ledger.states[2].tolist() == [0, -1]
    with pytest.raises(StudioError, match="line 1 is undone already"):
        ledger.undo("ann", of=1)
    ledger.redo("carl")
    assert ledger.states[2].tolist() == [1, -1]


def test_undo_of_an_undo_is_refused(ledger):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.undo("ann")
    with pytest.raises(StudioError, match="line 2 is not a decision"):
        ledger.undo("ann", of=2)


@pytest.mark.parametrize("run", [[1], {}, "1", 40_000])
def test_a_run_that_is_none_is_refused_in_words(ledger, run):
    with pytest.raises(StudioError, match="is none: runs are whole numbers"):
        ledger.decide([Decision(C, "dog", 0, "unsure")], who="ann", origin="stream", run=run)
    assert ledger.lines == []


def test_undo_of_unsure_brings_the_earlier_run_back(ledger):
    ledger.decide([Decision(C, "dog", 0, "unsure")], who="ann", origin="stream", run=1)
    ledger.decide([Decision(C, "dog", 0, "unsure")], who="ann", origin="stream", run=2)
    ledger.undo("ann")
    assert ledger.unsure_run[2, 0] == 1


def test_history_of_a_cell(ledger):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.decide([Decision(C, "cat", 1)], who="ann", origin="stream")
    ledger.undo("ann", of=1)
    assert [line.seq for line in ledger.history(C, "dog")] == [1, 3]


def test_states_as_of_a_time(ledger):
    first = ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream").line
    ledger.decide([Decision(C, "cat", 1)], who="ann", origin="stream")
    assert ledger.states_at(first.time)[2].tolist() == [1, 0]


def test_a_clock_that_is_set_back_changes_nothing_but_the_times(ledger, table, tmp_path, monkeypatch):
    times = [f"2026-11-27T{hour}:00:00.000000+00:00" for hour in ("10", "11", "09", "08", "12")]
    monkeypatch.setattr("logicmix_studio.store.ledger.utc_now", iter(times).__next__)
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.decide([Decision(C, "cat", 1)], who="ann", origin="stream")
    ledger.decide([Decision(C, "cat", -1)], who="ann", origin="stream")
    assert ledger.undo("ann").line.of == 3
    assert ledger.redo("ann").line.of == 3
    assert ledger.states[2].tolist() == [1, -1]
    assert_same(ledger, replayed(ledger, tmp_path))
    assert [line.time for line in ledger.lines] == times
    assert ledger.states_at(times[0])[2].tolist() == [1, 0]
    assert ledger.states_at(times[1])[2].tolist() == [1, 1]  # the redo is later


def test_lines_of_a_class_that_is_gone_are_passed_over(ledger, table):
    ledger.decide([Decision(C, "dog", 1), Decision(C, "cat", 1)], who="ann", origin="grid")
    fewer = LabelTable(
        image_ids=table.image_ids,
        paths=table.paths,
        class_names=("dog",),
        states=table.states[:, :1],
        splits=table.splits,
    )
    after = Ledger(fewer, ledger.lines)
    assert after.states[2].tolist() == [1]
    assert len(after.lines) == 1
    assert after.states[:, 0].tolist() == [1, 0, 1]


def test_listeners_hear_each_line_once(ledger):
    heard = []
    ledger.listen(heard.append)
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream", action_id="x")
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream", action_id="x")
    assert [line.seq for line in heard] == [1]


def test_listener_that_fails_takes_nothing_back(ledger, tmp_path):
    heard = []

    def fail(line):
        raise KeyError("audit")

    ledger.listen(fail)
    ledger.listen(heard.append)
    receipt = ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    assert receipt.line == heard[0]
    assert_same(replayed(ledger, tmp_path), ledger)
    assert ledger.warnings == [
        "action 1 is saved, but counts may be old until the next start: KeyError('audit')",
    ]


def test_undo_and_redo_of_a_lost_line_set_their_cells(ledger, table):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.undo("ann")
    ledger.redo("ann")
    after = Ledger(table, [line for line in ledger.lines if line.seq != 1])
    np.testing.assert_array_equal(after.states, ledger.states)
    assert after.can_undo("ann") is None
    assert after.warnings == [
        "action 2 is the undo of action 1, which is lost",
        "action 3 is the redo of action 1, which is lost",
    ]


def test_undo_of_what_did_not_stand_is_told(ledger, table):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.undo("ann")
    again = replace(ledger.lines[1], seq=3, id="again")
    assert Ledger(table, [*ledger.lines, again]).warnings == ["action 3 is the undo of action 1, which did not stand"]


def test_number_of_a_line_that_was_set_aside_is_not_given_again(ledger, table, tmp_path):
    ledger.decide([Decision(C, "dog", 1)], who="ann", origin="stream")
    ledger.decide([Decision(C, "cat", 1)], who="ann", origin="stream")
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":x'))
    later = Ledger(table, read_journal(path), Journal(path))
    assert later.decide([Decision(C, "cat", -1)], who="ann", origin="stream").line.seq == 3


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (Decision("nobody", "dog", 1), "no image 'nobody'"),
        (Decision(A, "leash", 1), "no class 'leash'"),
        (Decision(A, "dog", 2), r"must be one of \(-1, 0, 1\), got 2"),
        (Decision(C, "dog", 0, "accept"), r"must be one of \(-1, 1\), got 0"),
        (Decision(A, "dog", 1, "maybe"), "unknown answer 'maybe'"),
    ],
)
def test_bad_decision_writes_nothing(ledger, decision, message):
    with pytest.raises(StudioError, match=message):
        ledger.decide([Decision(C, "cat", 1), decision], who="ann", origin="stream")
    assert ledger.seq == 0


def test_without_a_journal_it_is_read_only(table):
    with pytest.raises(StudioError, match="reading only"):
        Ledger(table).decide([Decision(C, "dog", 1)], who="ann", origin="python")


def test_note_is_a_line_without_cells(ledger):
    line = ledger.note("accepted without an audit", who="ann", origin="audit", extra={"override": True}).line
    assert (line.kind, line.cells, line.extra) == ("note", (), {"override": True})
