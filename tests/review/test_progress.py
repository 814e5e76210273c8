from __future__ import annotations

import numpy as np
import pytest

from logicmix_studio.review.progress import count_cells, per_minute, speed_to
from logicmix_studio.store import CellChange, CellValue, Line

STATES = np.array([[1, -1, 0], [1, 0, 0], [-1, -1, 0], [1, 1, 1]], dtype=np.int8)
PROPOSALS = np.array([[0, 0, 1], [0, -1, 0], [0, 0, -1], [0, 0, 0]], dtype=np.int8)
CELL = CellChange("0" * 24, "dog", "set", None, CellValue(0, 0, -1), CellValue(1, 2, -1))


def decisions(seconds: list[int], cells: int = 1) -> list[Line]:
    return [
        Line(i + 1, str(i), "decide", f"2024-05-01T10:00:{second:02d}+00:00", "ada", "stream", (CELL,) * cells)
        for i, second in enumerate(seconds)
    ]


def test_count_cells() -> None:
    counts = count_cells(STATES, PROPOSALS)
    assert counts.positive.tolist() == [3, 1, 1]
    assert counts.negative.tolist() == [1, 2, 0]
    assert counts.pseudo_positive.tolist() == [0, 0, 1]
    assert counts.pseudo_negative.tolist() == [0, 1, 1]
    assert counts.unknown.tolist() == [0, 0, 1]
    assert (counts.known, counts.pseudo, counts.total) == (8, 3, STATES.size)


def test_count_cells_of_nothing() -> None:
    empty = np.zeros((0, 3), dtype=np.int8)
    assert count_cells(empty, empty).total == 0


def test_decisions_a_minute_of_work() -> None:
    assert per_minute([0, 2, 4, 6]) == 30.0
    assert per_minute([6, 2, 0, 4]) == 30.0


def test_a_pause_is_no_work() -> None:
    assert per_minute([0, 2, 4, 3600, 3602]) == 30.0


@pytest.mark.parametrize("times", [[], [5.0], [0, 1000], [5.0, 5.0]])
def test_too_little_says_nothing(times: list[float]) -> None:
    assert per_minute(times) == 0.0


def test_speed() -> None:
    counts = count_cells(STATES, PROPOSALS)
    speed = speed_to(1.0, counts, decisions([0, 2, 4, 6]))
    assert (speed.missing, speed.per_minute, speed.cells_per_decision, speed.seconds_left) == (4, 30.0, 1.0, 8.0)
    assert speed_to(1.0, counts, decisions([0, 2, 4, 6], cells=2)).seconds_left == 4.0
    assert speed_to(1.0, counts, []).seconds_left is None
    assert speed_to(0.5, counts, []).seconds_left == 0.0
