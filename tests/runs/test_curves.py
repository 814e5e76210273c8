from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from logicmix_studio.runs.curves import CHARTS, MOST_POINTS, CurveReader, RunCurves, thin

LOSS, MAP, PSEUDO, RATE, *_ = CHARTS


def taken(*events: dict[str, Any]) -> RunCurves:
    curves = RunCurves()
    for event in events:
        curves.take(event)
    return curves


def test_steps_become_curves() -> None:
    curves = taken(
        {"event": "start", "time": 10.0},
        {"event": "step", "time": 11.0, "step": 1, "loss_original": 0.5, "loss_mixed": None, "lr": 1e-4},
        {"event": "step", "time": 12.5, "step": 2, "loss_original": 0.4, "loss_mixed": 0.9, "lr": 2e-4},
    )
    assert curves.lines(LOSS) == {"photographs": [[1, 0.5], [2, 0.4]], "blends": [[2, 0.9]]}
    assert curves.frame(LOSS).to_dict("list") == {
        "x": [1, 2, 2],
        "y": [0.5, 0.4, 0.9],
        "line": ["photographs", "photographs", "blends"],
    }
    assert curves.lines(MAP) == {}
    assert curves.frame(MAP).empty


def test_steps_without_a_number_are_counted() -> None:
    curves = taken({"event": "step", "loss_original": 1.0}, {"event": "step", "loss_original": 0.5})
    assert curves.lines(LOSS)["photographs"] == [[1, 1.0], [2, 0.5]]


def test_resumed_run_forgets_the_steps_it_repeats() -> None:
    curves = taken(
        *({"event": "step", "step": step, "loss_original": 1.0} for step in (1, 2, 3, 4)),
        {"event": "step", "step": 3, "loss_original": 0.1},
    )
    assert curves.lines(LOSS)["photographs"] == [[1, 1.0], [2, 1.0], [3, 0.1]]


def test_epochs_and_pseudo_labels() -> None:
    curves = taken(
        {"event": "epoch", "epoch": 1, "epochs": 4, "map": None, "loss_original": 0.5},
        {"event": "epoch", "epoch": 2, "epochs": 4, "map": 0.6, "loss_original": 0.4},
        {"event": "pseudo", "epoch": 2, "positive": 3, "negative": 30, "changed": 33},
    )
    assert curves.lines(MAP) == {"mAP": [[2, 0.6]]}
    assert curves.lines(PSEUDO) == {"positive": [[2, 3.0]], "negative": [[2, 30.0]]}
    curves.take({"event": "epoch", "epoch": 2, "epochs": 4, "map": 0.7, "loss_original": 0.3})
    assert curves.lines(MAP) == {"mAP": [[2, 0.7]]}
    assert curves.lines(PSEUDO) == {}  # the repeated epoch has not proposed yet


def test_a_run_without_steps_draws_its_loss_over_epochs() -> None:
    quick = taken({"event": "epoch", "epoch": 5, "loss_original": 0.5, "loss_mixed": None})
    assert not quick.has_steps
    assert quick.lines(LOSS) == {"photographs": [[5, 0.5]]}
    full = taken(
        {"event": "step", "step": 9, "loss_original": 0.9}, {"event": "epoch", "epoch": 1, "loss_original": 0.8}
    )
    assert full.lines(LOSS) == {"photographs": [[9, 0.9]]}
    assert full.lines(LOSS, by_epoch=True) == {"photographs": [[1, 0.8]]}


def test_long_curves_are_thinned() -> None:
    curves = taken(*({"event": "step", "step": step, "lr": 0.1} for step in range(1, 3001)))
    assert len(curves.frame(RATE)) == MOST_POINTS


def test_reader__goes_on_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    reader = CurveReader()
    assert reader.read(file).offset == 0  # there is no file yet
    file.write_text(json.dumps({"event": "step", "step": 1, "lr": 0.1}) + "\n" + '{"event": "st')
    assert reader.read(file).lines(RATE)["learning rate"] == [[1, 0.1]]
    with file.open("a") as more:
        more.write('ep", "step": 2, "lr": 0.2}\n')
    assert reader.read(file).lines(RATE)["learning rate"] == [[1, 0.1], [2, 0.2]]


def test_reader__file_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    lines = [json.dumps({"event": "step", "step": step, "lr": 0.1}) for step in (1, 2, 3)]
    file.write_text("\n".join(lines) + "\n")
    reader = CurveReader()
    reader.read(file)
    file.write_text(json.dumps({"event": "step", "step": 1, "lr": 0.5}) + "\n")
    assert reader.read(file).lines(RATE)["learning rate"] == [[1, 0.5]]


def test_thin__keeps_the_last_point() -> None:
    points = [[float(i), float(i)] for i in range(1000)]
    thinned = thin(points, most=50)
    assert len(thinned) == 50
    assert thinned[-1] == [999.0, 999.0]
    assert thinned == sorted(thinned)


def test_thin__short_curves_stay_as_they_are() -> None:
    assert thin([[1, 2.0], [2, 3.0]]) == [[1, 2.0], [2, 3.0]]
    assert thin([]) == []
