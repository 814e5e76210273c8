import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logicmix_studio.store import CellChange, CellValue, Line

IMAGE = "a" * 24
TIME = "2026-01-01T00:00:00.000000+00:00"
CELL = CellChange(IMAGE, "dög, <b>", "accept", 0.97, CellValue(0, 0, -1), CellValue(1, 3, -1))


def a_line(**changes: Any) -> Line:
    facts = {"seq": 1, "id": "x", "kind": "decide", "time": TIME, "who": "ann", "origin": "stream", "cells": (CELL,)}
    return Line(**{**facts, **changes})


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (a_line(run=100_000), "run 100000 is none"),
        (a_line(run="7"), "run '7' is none"),
        (a_line(run=True), "run True is none"),
        (a_line(seq=0), "its number is 0"),
        (a_line(kind="erase"), "unknown kind 'erase'"),
        (a_line(kind="undo"), "undo of line None"),
        (a_line(of=1), "decide of line 1"),
        (a_line(time="yesterday"), "'yesterday' is no time"),
        (a_line(time="2026-01-01T00:00:00"), "is no time with a zone"),
        (a_line(who="\ud800"), "is no text"),
        (a_line(note=7), "7 is no text"),
        (a_line(extra={"audit": "x", "said": 1}), "extra has 'audit': 'x'"),
        (a_line(extra={"audit": 1, "said": 1}, cells=()), "an audit's answer without a cell"),
        (a_line(extra={"ms": float("nan")}), "extra has 'ms': nan"),
        (a_line(extra={1: 2}), "extra has 1"),
        (a_line(extra=[1]), "extra is no object"),
        (a_line(cells=(CELL._replace(image_id="nobody"),)), "'nobody' is no image's id"),
        (a_line(cells=(CELL._replace(class_name=None),)), "None is no class's name"),
        (a_line(cells=(CELL._replace(answer="maybe"),)), "unknown answer 'maybe'"),
        (a_line(cells=(CELL._replace(score=1.5),)), "the score 1.5 is not between 0 and 1"),
        (a_line(cells=(CELL._replace(score=float("inf")),)), "the score inf is not"),
        (a_line(cells=(CELL._replace(after=CellValue(999, 3, -1)),)), "the state 999 is not -1, 0 or 1"),
        (a_line(cells=(CELL._replace(after=CellValue(1, 0, -1)),)), "the source 0 does not fit the state 1"),
        (a_line(cells=(CELL._replace(after=CellValue(1, 3, 40_000)),)), "unsure in run 40000"),
    ],
)
def test_to_json__refuses_what_could_not_be_read(line: Line, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        line.to_json()


def test_from_json__takes_what_earlier_versions_wrote() -> None:
    raw = json.loads(a_line().to_json())
    del raw["crc"]
    assert Line.from_json(json.dumps(raw)) == a_line()


def test_from_json__notices_another_value() -> None:
    with pytest.raises(ValueError, match="its checksum does not fit"):
        Line.from_json(a_line().to_json().replace('"ann"', '"anm"'))


@pytest.mark.parametrize("text", ["[]", "7", "null", '"crc"', "{}", '{"cells": 7}', '{"cells": [[1]]}', "[" * 100_000])
def test_from_json__names_what_is_no_line(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Line.from_json(text)


numbers = st.integers(-(2**70), 2**70) | st.floats() | st.booleans() | st.none()
texts = st.text(st.characters(codec=None, categories=None), max_size=8)
json_values = st.recursive(
    numbers | texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
)
values = st.tuples(st.integers(-2, 2), st.integers(-1, 4), st.sampled_from([-2, -1, 3, 32_767, 32_768])).map(
    lambda value: CellValue(*value)
)
cells = st.builds(
    CellChange,
    st.sampled_from([IMAGE, "b" * 24, "", "x"]),
    texts,
    st.sampled_from(["accept", "set", "unsure", "x"]),
    st.none() | st.floats(-0.1, 1.1) | json_values,
    values,
    values,
)
lines = st.builds(
    a_line,
    seq=st.integers(-1, 2**54),
    kind=st.sampled_from(["decide", "undo", "redo", "note", "x"]),
    who=texts,
    note=texts,
    cells=st.lists(cells, max_size=2).map(tuple),
    run=st.none() | st.integers(-1, 40_000) | json_values,
    of=st.none() | st.integers(-1, 5),
    extra=st.dictionaries(texts | st.sampled_from(["audit", "said", "image", "class", "withdrawn"]), json_values),
)


@given(line=lines)
def test_line__what_is_accepted_is_read_again(line: Line) -> None:
    try:
        text = line.to_json()
    except ValueError:
        return
    assert Line.from_json(text.encode() + b"\n") == line
