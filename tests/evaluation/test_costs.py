from __future__ import annotations

from typing import Any

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.costs import MIN_ACTS, CostModel, Effort, own_costs
from logicmix_studio.store.line import CellChange, CellValue, Line


def test_a_mark_costs_more_among_many_classes() -> None:
    costs = CostModel()
    assert [costs.of_mark(number) for number in (1, 20, 40, 80)] == [1.0, 1.0, 1.25, 1.5]


def test_costs_are_varied_by_name() -> None:
    assert CostModel.create({"tile": 0.5}) == CostModel(tile=0.5)


@pytest.mark.parametrize("changes", [{"tiles": 1.0}, {"tile": -0.1}, {"tile": float("nan")}])
def test_what_is_no_cost_is_refused(changes: dict[str, float]) -> None:
    with pytest.raises(StudioError, match="cost"):
        CostModel.create(changes)


def test_efforts_add_up() -> None:
    assert Effort(1.0, 2, 3) + Effort(0.5, 1, 1) == Effort(1.5, 3, 4)


def line(origin: str, ms: float | None, states: list[int], **extra: Any) -> Line:
    """Return a decision on the classes "0", "1", ... of an image."""
    unknown = CellValue(0, 0, -1)
    cells = tuple(
        CellChange("a" * 24, str(column), "set", None, unknown, CellValue(state, 1, -1))
        for column, state in enumerate(states)
    )
    about = {"kind": "decide", "time": "2026-11-27T12:00:00.000000+00:00", "who": "ada"}
    return Line(seq=1, id="x", origin=origin, cells=cells, extra={**extra, "ms": ms}, **about)


def test_own_costs_are_those_that_the_times_were_made_of() -> None:
    lines = []
    for number in range(MIN_ACTS):
        marks = number % 4
        states = [-1] * marks + [1] * 5
        lines.append(line("grid", 500 + 24 * 200 + marks * 900, states, tiles=24, sign=1))
        lines.append(line("grid", 500 + 6 * 200 + marks * 900, states, tiles=6, sign=1))
        lines.append(line("label", 1500 + marks * 800, [1] * marks + [1, -1], filled=[str(marks)]))
        lines.append(line("stream", 1200, [1]))
    assert own_costs(lines) == pytest.approx(
        {"answer": 1.2, "page": 0.5, "tile": 0.2, "mark": 0.9, "image": 1.5, "positive": 0.8}, abs=2e-3
    )
    assert CostModel.create(own_costs(lines)).bulk == CostModel().bulk


def test_pauses_and_too_few_acts_say_nothing() -> None:
    lines = [line("stream", 1000, [1])] * MIN_ACTS + [line("stream", 60_000, [1]), line("stream", None, [1])]
    lines += [line("label", 2000, [1], filled=[])] * (MIN_ACTS - 1)
    lines += [line("grid", 1000, [1], tiles=4, sign=1)] * (MIN_ACTS - 1) + [line("grid", 1000, [1])]
    lines += [
        line("grid", 1000, [1], tiles="4", sign=[1]),
        line("label", 1000, [1], filled=1),
        line("stream", [1], [1]),
    ]
    assert own_costs(lines) == {"answer": 1.0}
