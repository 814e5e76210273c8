"""Whatever people do, in whatever order, the journal alone gives the arrays back."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import Decision, Journal, Ledger, Receipt, Source, read_journal

NUM_IMAGES = 3
CLASS_NAMES = ("cat", "dog")
PEOPLE = ("ada", "ben")
IMPORTED = np.array([[0, 1], [0, 0], [-1, 0]], dtype=np.int8)
PATHS = [f"{number}.jpg" for number in range(NUM_IMAGES)]

rows = st.integers(0, NUM_IMAGES - 1)
columns = st.integers(0, len(CLASS_NAMES) - 1)
people = st.sampled_from(PEOPLE)
answers = st.tuples(
    rows, columns, st.sampled_from(("accept", "reject", "unsure", "skip", "set")), st.sampled_from((-1, 1))
)
decide = st.tuples(st.just("decide"), people, st.lists(answers, min_size=1, max_size=6), st.integers(1, 3))
undo = st.tuples(st.just("undo"), people)
redo = st.tuples(st.just("redo"), people)
revert = st.tuples(st.just("revert"), people, st.integers(0, 30))
repeat = st.tuples(st.just("repeat"), people, st.integers(0, 30))
actions = st.lists(st.one_of(decide, undo, redo, revert, repeat), max_size=30)


def make_table() -> LabelTable:
    return LabelTable.build(PATHS, CLASS_NAMES, IMPORTED)


def write(ledger: Ledger, action: tuple[Any, ...]) -> Receipt | None:
    """Do one action; None where there is nothing to undo, redo or revert."""
    kind, who = action[0], action[1]
    if kind == "decide":
        decisions = [
            Decision(ledger.table.image_ids[row], CLASS_NAMES[column], state, answer)
            for row, column, answer, state in action[2]
        ]
        return ledger.decide(decisions, who=who, origin="stream", run=action[3])
    try:
        if kind == "undo":
            return ledger.undo(who)
        if kind == "redo":
            return ledger.redo(who)
        if not ledger.lines:
            return None
        line = ledger.lines[action[2] % len(ledger.lines)]
        if kind == "revert":
            return ledger.undo(who, of=line.seq)
        return ledger.decide([], who=line.who, origin="stream", action_id=line.id)
    except StudioError:
        return None


def arrays(ledger: Ledger) -> list[np.ndarray[Any, Any]]:
    return [ledger.states, ledger.sources, ledger.unsure_run]


def assert_same(one: Ledger, other: Ledger) -> None:
    for mine, theirs in zip(arrays(one), arrays(other), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for who in PEOPLE:
        assert one.can_undo(who) == other.can_undo(who)
        assert one.can_redo(who) == other.can_redo(who)


def play(folder: Path, sequence: Sequence[tuple[Any, ...]]) -> tuple[Ledger, Path]:
    path = folder / "journal.jsonl"
    journal = Journal(path)
    ledger = Ledger(make_table(), journal=journal)
    for action in sequence:
        write(ledger, action)
    journal.close()
    return ledger, path


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions)
def test_journal__replay_gives_the_arrays_and_the_undo_stacks(sequence: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger, path = play(Path(folder), sequence)
        lines = list(read_journal(path))
    assert_same(ledger, Ledger(make_table(), lines))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions, cut=st.integers(0, 2**31))
def test_journal__replay_of_a_torn_file_gives_a_prefix(sequence: list[tuple[Any, ...]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, path = play(Path(folder), sequence)
        whole = list(read_journal(path))
        data = path.read_bytes()
        path.write_bytes(data[: cut % (len(data) + 1)])
        survived = list(read_journal(path))
    assert survived == whole[: len(survived)]
    at_the_time = Ledger(make_table(), whole[: len(survived)])
    assert_same(at_the_time, Ledger(make_table(), survived))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions, place=st.integers(0, 2**31), byte=st.integers(0, 255))
def test_journal__a_changed_byte_anywhere_loses_its_line_alone_and_says_so(
    sequence: list[tuple[Any, ...]], place: int, byte: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        _, path = play(Path(folder), sequence)
        whole = {line.seq: line for line in read_journal(path)}
        data = bytearray(path.read_bytes())
        if not data:
            return
        data[place % len(data)] = byte
        path.write_bytes(data)
        problems: list[str] = []
        survived = list(read_journal(path, problems))
        journal = Journal(path)
        ledger = Ledger(make_table(), survived, journal)
        written = ledger.note("on we go", who="ada", origin="python").line
        journal.close()
        again = list(read_journal(path))
    assert [line == whole[line.seq] for line in survived] == [True] * len(survived)
    lost = whole.keys() - {line.seq for line in survived}
    assert len(lost) <= 2  # two where the byte was the line break between them
    assert bool(problems) == bool(lost)
    assert again == [*survived, written]


odd = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(st.characters(categories=None))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    answer=answers,
    score=odd,
    run=st.integers(-2, 40_000) | odd,
    who=odd,
    note=odd,
    extra=st.dictionaries(st.sampled_from(["audit", "said", "image", "class", "ms", "withdrawn"]), odd),
)
def test_decide__what_is_accepted_can_be_replayed_and_what_is_not_is_refused_in_words(
    answer: tuple[int, int, str, int], score: Any, run: Any, who: Any, note: Any, extra: dict[str, Any]
) -> None:
    row, column, word, state = answer
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.jsonl"
        journal = Journal(path)
        ledger = Ledger(make_table(), journal=journal)
        decision = Decision(ledger.table.image_ids[row], CLASS_NAMES[column], state, word, score)
        try:
            ledger.decide([decision], who=who, origin="python", run=run, note=note, extra=extra)
        except StudioError:
            assert path.read_bytes() == b""
        journal.close()
        problems: list[str] = []
        again = Ledger(make_table(), read_journal(path, problems))
    assert problems == []
    assert again.lines == ledger.lines
    assert_same(ledger, again)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions)
def test_journal__lines_read_twice_change_nothing(sequence: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger, path = play(Path(folder), sequence)
        lines = list(read_journal(path))
    assert_same(ledger, Ledger(make_table(), [*lines, *lines]))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions)
def test_undo__all_the_way_back_is_the_import(sequence: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        ledger = Ledger(make_table(), journal=journal)
        for action in sequence:
            write(ledger, action)
        newest_first = [line.seq for line in reversed(ledger.lines) if line.kind == "decide"]
        standing = [seq for seq in newest_first if not ledger.is_undone(seq)]
        for seq in standing:
            ledger.undo("ada", of=seq)
        journal.close()
    only_decisions = all(action[0] in ("decide", "repeat") for action in sequence)
    if only_decisions:
        np.testing.assert_array_equal(ledger.states, IMPORTED)
        np.testing.assert_array_equal(ledger.unsure_run, np.full_like(ledger.unsure_run, -1))
    assert all(ledger.can_undo(who) is None for who in PEOPLE)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions)
def test_undo__then_redo_changes_nothing(sequence: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.jsonl")
        ledger = Ledger(make_table(), journal=journal)
        for action in sequence:
            write(ledger, action)
        before = [array.copy() for array in arrays(ledger)]
        if ledger.can_undo("ada") is not None:
            ledger.undo("ada")
            ledger.redo("ada")
        journal.close()
    for array, was in zip(arrays(ledger), before, strict=True):
        np.testing.assert_array_equal(array, was)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(sequence=actions)
def test_states__agree_with_their_sources(sequence: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger, _ = play(Path(folder), sequence)
    is_unknown = ledger.states == 0
    np.testing.assert_array_equal(is_unknown, ledger.sources == Source.NOBODY)
    touched = np.zeros(IMPORTED.shape, dtype=bool)
    for line in ledger.lines:
        for cell in line.cells:
            touched[ledger.position(cell.image_id, cell.class_name)] = True
    np.testing.assert_array_equal(ledger.states[~touched], IMPORTED[~touched])
