from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation.cells import (
    CellStore,
    Result,
    Settings,
    Slots,
    finished,
    settings_hash,
    table_hash,
    write_rows,
)
from logicmix_studio.labels import LabelTable

CELLS = [{"way": way, "seed": seed} for seed in (1, 2) for way in ("a", "b")]


def result_of(settings: Any) -> dict[str, Any]:
    return {"rows": [{"x": step, "y": settings["seed"] * step} for step in range(2)]}


def test_each_cell_is_computed_once(tmp_path: Path) -> None:
    asked: list[Any] = []

    def compute(settings: Any) -> dict[str, Any]:
        asked.append(settings)
        return result_of(settings)

    assert CellStore(tmp_path).run(CELLS[:3], compute)
    assert CellStore(tmp_path).run(CELLS, compute)
    assert asked == CELLS


def test_ctrl_c_leaves_what_is_finished(tmp_path: Path) -> None:
    def compute(settings: Any) -> dict[str, Any]:
        if settings == CELLS[2]:
            raise KeyboardInterrupt
        return result_of(settings)

    store = CellStore(tmp_path)
    assert not store.run(CELLS, compute)
    assert [settings for settings, _ in finished(store, CELLS)] == CELLS[:2]


def test_rows_of_all_cells_make_one_tidy_table(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "cells")
    store.run(CELLS, result_of)
    write_rows(tmp_path / "curves.csv", finished(store, CELLS), ["way", "seed"])
    table = pd.read_csv(tmp_path / "curves.csv")
    assert table.columns.tolist() == ["way", "seed", "x", "y"]
    assert table[table["way"] == "b"]["y"].tolist() == [0, 1, 0, 2]


def test_another_setting_or_label_has_another_hash() -> None:
    assert settings_hash({"seed": 1}) != settings_hash({"seed": 2})
    states = np.array([[1, -1]], dtype=np.int8)
    one, other = (LabelTable.build(["a.png"], ["x", "y"], each) for each in (states, -states))
    assert table_hash(one) == table_hash(LabelTable.build(["a.png"], ["x", "y"], states)) != table_hash(other)


def test_cells_are_computed_side_by_side_each_in_a_slot_of_its_own(tmp_path: Path) -> None:
    slots, together, seen = Slots(["cuda:0", "cuda:1"], 2), threading.Barrier(4, timeout=60), []

    def compute(settings: Settings) -> Result:
        with slots.take() as place:
            together.wait()  # only four at once get by
            seen.append(place)
        return {"rows": [{"value": settings["seed"]}]}

    store, cells = CellStore(tmp_path), [{"seed": seed} for seed in range(8)]
    assert store.run(cells, compute, slots=slots)
    assert sorted(set(seen)) == [(0, "cuda:0"), (0, "cuda:1"), (1, "cuda:0"), (1, "cuda:1")]
    assert [result["rows"][0]["value"] for _, result in finished(store, cells)] == list(range(8))


def test_none_begins_when_the_time_is_up_and_the_rest_is_made_later(tmp_path: Path, monkeypatch: Any) -> None:
    now = [0.0]
    monkeypatch.setattr("logicmix_studio.evaluation.cells.time.monotonic", lambda: now[0])

    def compute(settings: Settings) -> Result:
        now[0] += 40.0
        return result_of(settings)

    store = CellStore(tmp_path)
    assert not store.run(CELLS, compute, slots=Slots([""], 1, seconds=60.0))
    assert len(finished(store, CELLS)) == 2
    assert store.run(CELLS, compute, slots=Slots([""], 1, seconds=600.0))
    assert len(finished(store, CELLS)) == len(CELLS)


@pytest.mark.parametrize("error", [KeyboardInterrupt, StudioError("the run failed")])
def test_what_ends_one_ends_those_beside_it_and_begins_no_more(tmp_path: Path, error: BaseException) -> None:
    slots, together, ended = Slots([""], 2), threading.Barrier(2, timeout=60), []

    def compute(settings: Settings) -> Result:
        with slots.take():
            together.wait()
            if settings["seed"] == 0:
                raise error
            assert slots.is_over.wait(60)
            ended.append(settings["seed"])
            slots.check()
            raise AssertionError

    store, cells = CellStore(tmp_path), [{"seed": seed} for seed in range(6)]
    if error is KeyboardInterrupt:
        assert not store.run(cells, compute, slots=slots)
    else:
        with pytest.raises(StudioError, match="the run failed"):
            store.run(cells, compute, slots=slots)
    assert ended == [1]
    assert not finished(store, cells)
