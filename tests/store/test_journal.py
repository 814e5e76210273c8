import errno
import json
import os

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.store import CellChange, CellValue, Journal, Line, read_journal


def a_line(seq: int = 1, **changes: object) -> Line:
    cell = CellChange("a" * 24, "dög, <b>", "accept", 0.97, CellValue(0, 0, -1), CellValue(1, 3, -1))
    content = {
        "seq": seq,
        "id": f"action-{seq}",
        "kind": "decide",
        "time": "2026-01-01T00:00:00.000000+00:00",
    }
    return Line(
        **{
            **content,
            "who": "ann",
            "origin": "stream",
            "cells": (cell,),
            "run": 2,
            "extra": {"ms": 812},
            **changes,
        }
    )


def test_line_survives_the_file(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    lines = [a_line(1), a_line(2, kind="undo", of=1), a_line(3, kind="note", cells=(), note="why")]
    for line in lines:
        journal.append(line)
    assert list(read_journal(journal.path)) == lines


def test_one_line_is_one_json_object(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(a_line())
    (text,) = journal.path.read_text().splitlines()
    assert json.loads(text)["cells"] == [["a" * 24, "dög, <b>", "accept", 0.97, [0, 0, -1], [1, 3, -1]]]


def test_missing_journal_has_no_lines(tmp_path):
    assert list(read_journal(tmp_path / "none.jsonl")) == []


def test_unfinished_last_line_is_set_aside(tmp_path):
    path = tmp_path / "journal.jsonl"
    Journal(path).append(a_line(1))
    with path.open("ab") as file:
        file.write(b'{"seq": 2, "id": "ha')
    assert [line.seq for line in read_journal(path)] == [1]

    journal = Journal(path)
    journal.append(a_line(2))

    assert [line.seq for line in read_journal(path)] == [1, 2]
    assert path.with_suffix(".torn").read_bytes() == b'{"seq": 2, "id": "ha\n'


def write_lines(path, *lines: Line | bytes) -> None:
    path.write_bytes(b"".join(one if isinstance(one, bytes) else one.to_json().encode() + b"\n" for one in lines))


def test_broken_line_in_the_middle_is_set_aside_and_named(tmp_path):
    path = tmp_path / "journal.jsonl"
    write_lines(path, a_line(1), b"not json\n", a_line(3))
    problems: list[str] = []
    assert [line.seq for line in read_journal(path, problems)] == [1, 3]
    assert len(problems) == 1
    assert problems[0].startswith(f"{path}:2: a line of the journal is set aside: Expecting value")


def test_two_lines_run_together_are_both_told(tmp_path):
    path = tmp_path / "journal.jsonl"
    two = a_line(2).to_json().encode() + b" " + a_line(3).to_json().encode() + b"\n"
    write_lines(path, a_line(1), two, a_line(4))
    problems: list[str] = []
    assert [line.seq for line in read_journal(path, problems)] == [1, 4]
    assert problems[1] == f"{path}: 2 actions before action 4 are lost with it"


@pytest.mark.parametrize(("numbers", "stay", "told"), [((1, 9, 3), [1, 3], 2), ((1, 2, 1), [1, 2], 3)])
def test_line_out_of_order_is_set_aside(tmp_path, numbers, stay, told):
    path = tmp_path / "journal.jsonl"
    write_lines(path, *(a_line(number) for number in numbers))
    problems: list[str] = []
    assert [line.seq for line in read_journal(path, problems)] == stay
    assert [problem.split(": ")[0] for problem in problems] == [f"{path}:{told}"]


def test_number_of_a_lost_line_is_not_given_again(tmp_path):
    path = tmp_path / "journal.jsonl"
    write_lines(path, a_line(1), b"{}\n")
    assert Journal(path).num_lines == 2


def test_journal_that_is_a_folder_is_named(tmp_path):
    with pytest.raises(StudioError, match=r"cannot be read: Is a directory"):
        list(read_journal(tmp_path))


def test_line_without_its_fields_is_refused():
    with pytest.raises(ValueError, match="not a journal line"):
        Line.from_json('{"seq": 1}')


def test_failed_write_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.append(a_line(1))
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudioError, match="No space left"):
        journal.append(a_line(2))
    monkeypatch.undo()
    assert path.read_bytes() == before
    journal.append(a_line(2))
    assert [line.seq for line in read_journal(path)] == [1, 2]


def test_append_waits_for_the_disk(tmp_path, monkeypatch):
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    sizes = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda descriptor: (sizes.append(os.fstat(descriptor).st_size), real(descriptor)))
    journal.append(a_line())
    assert sizes == [path.stat().st_size]


@pytest.mark.parametrize("is_replaced", [False, True])
def test_nothing_is_acknowledged_into_a_file_that_is_gone(tmp_path, is_replaced):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(a_line(1))
    journal.path.rename(tmp_path / "moved")
    if is_replaced:
        journal.path.touch()
    with pytest.raises(StudioError, match=r"not saved: (No such file|another file has taken its place)"):
        journal.append(a_line(2))
    (tmp_path / "moved").replace(journal.path)
    journal.append(a_line(2, who="bob"))
    assert list(read_journal(journal.path)) == [a_line(1), a_line(2, who="bob")]


def test_a_disk_that_refuses_everything_is_told_and_written_over_later(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(a_line(1))

    def broken(*given):
        patched.setattr(os, "ftruncate", broken)  # from now on
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", broken)
        with pytest.raises(StudioError, match="not saved: Input/output error"):
            journal.append(a_line(2, note="long" * 100))
    journal.append(a_line(2))
    assert list(read_journal(journal.path)) == [a_line(1), a_line(2)]
