from __future__ import annotations

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.costs import CostModel, Effort


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
