"""The journal as people read it."""

from __future__ import annotations

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.review.history import HistoryFilter, parse_time
from logicmix_studio.store import Decision
from logicmix_studio.studio import Studio


def settle(studio: Studio, count: int, *, who: str = "ada", state: int = 1) -> list[Decision]:
    """Set the first unknown cells, each as a line of its own."""
    rows, columns = np.nonzero(studio.states == UNKNOWN)
    decisions = [
        Decision(studio.image_ids[row], studio.class_names[column], state)
        for row, column in list(zip(rows.tolist(), columns.tolist(), strict=True))[:count]
    ]
    for decision in decisions:
        studio.ledger.decide([decision], who=who, origin="stream", run=1)
    return decisions


def lines(studio: Studio, limit: int = 60, **wanted: str | int) -> list[int]:
    return studio.review.history(HistoryFilter(**wanted), limit)["line"].tolist()  # type: ignore[arg-type]  # by name


def test_history__newest_first_with_who_and_what(studio: Studio) -> None:
    settle(studio, 2)
    (third,) = settle(studio, 1, who="ben", state=-1)
    found = studio.review.history()
    newest = found.iloc[0]
    assert found["line"].tolist() == [3, 2, 1]
    assert (newest["who"], newest["where"], newest["run"]) == ("ben", "stream", 1)
    assert newest["what"] == f"{third.class_name}: negative"


def test_history__filters_and_pages(studio: Studio) -> None:
    decisions = settle(studio, 5)
    settle(studio, 2, who="ben")
    name = decisions[0].class_name
    wanted = [number for number, decision in enumerate(decisions, 1) if decision.class_name == name]
    assert lines(studio, who="ben") == [7, 6]
    assert lines(studio, who="ada", class_name=name) == wanted[::-1]
    assert lines(studio, limit=2, before=4) == [3, 2]
    assert lines(studio, image_id="none") == []


def test_history__any_line_of_the_past_can_be_reverted(studio: Studio) -> None:
    first, second = settle(studio, 2)
    studio.review.undo("ben", of=1)
    assert studio.states[studio.ledger.position(first.image_id, first.class_name)] == UNKNOWN
    assert studio.states[studio.ledger.position(second.image_id, second.class_name)] == 1
    found = studio.review.history().set_index("line")
    assert found["undone"].to_dict() == {3: False, 2: False, 1: True}
    assert found["revertible"].to_dict() == {3: False, 2: True, 1: False}
    assert found["what"][3] == "Undone: line 1"


def test_history__a_bulk_is_one_line_with_all_its_cells(studio: Studio) -> None:
    rows, columns = (indices[:20].tolist() for indices in np.nonzero(studio.states == UNKNOWN))
    decisions = [
        Decision(studio.image_ids[row], studio.class_names[column], 1 if place else -1)
        for place, (row, column) in enumerate(zip(rows, columns, strict=True))
    ]
    studio.ledger.decide(decisions, who="ada", origin="grid", note="the whole page")
    line = studio.review.history().iloc[0]
    cells = studio.review.cells_of_line(1)
    assert line["what"].startswith("20 cells of ")
    assert line["what"].endswith("1 negative, 19 positive (the whole page)")
    assert len(cells) == line["cells"] == 20
    assert cells[["before", "after"]].iloc[0].tolist() == ["unknown", "negative"]


def test_history__says_what_a_line_did_to_one_cell(studio: Studio) -> None:
    (decision,) = settle(studio, 1)
    cell = (decision.image_id, decision.class_name)
    for answer in (Decision(*cell, -1), Decision(*cell, -1), Decision(*cell, 0, "unsure")):
        studio.ledger.decide([answer], who="ada", origin="browse")
    skipped = Decision(studio.image_ids[0], studio.class_names[0], 0, "skip")
    studio.ledger.decide([skipped], who="ada", origin="stream")
    studio.ledger.note("a threshold was moved", who="ada", origin="python")
    name = decision.class_name
    assert studio.review.history()["what"].tolist() == [
        "a threshold was moved",
        f"{studio.class_names[0]}: skipped",
        f"{name}: unsure",
        f"{name}: negative (as before)",
        f"{name}: negative (was positive)",
        f"{name}: positive",
    ]


def test_history__empty(studio: Studio) -> None:
    assert studio.review.history().empty
    with pytest.raises(StudioError, match="no journal line 1"):
        studio.review.cells_of_line(1)


def test_labels_at__shows_then_and_now(studio: Studio) -> None:
    settle(studio, 1)
    between = studio.ledger.lines[0].time
    settle(studio, 2)
    past = studio.review.labels_at(between)
    assert past.line == 1
    assert past.changes[["then", "now"]].to_numpy().tolist() == [["unknown", "positive"]] * 2
    counts = past.counts.set_index("state")
    assert counts["then"]["unknown"] - counts["now"]["unknown"] == 2
    assert (past.states != studio.states).sum() == 2


def test_labels_at__before_everything_is_the_import(studio: Studio) -> None:
    settle(studio, 1)
    past = studio.review.labels_at("2001-01-01")
    np.testing.assert_array_equal(past.states, studio.table.states)
    assert past.line == 0


def test_parse_time__refuses_nonsense() -> None:
    with pytest.raises(StudioError, match="yesterday"):
        parse_time("yesterday")
