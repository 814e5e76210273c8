"""Workspaces as earlier days wrote them: ``tests/data/workspace-DAY.zip`` holds 12 images, a CSV, a run and six answers of ada.

``states.npy`` in it is what the studio of that day said of them. Weights, features and cache are left out.
"""

from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from logicmix_studio.studio import Studio
from logicmix_studio.verify import verify

DATA = Path(__file__).parent / "data"


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("day", ["2026-11-23", "2026-11-27"])
def test_it_opens_with_its_labels_answers_and_run_and_goes_on(tmp_path, day):
    with ZipFile(DATA / f"workspace-{day}.zip") as archive:
        archive.extractall(tmp_path)
    root, expected = tmp_path, np.load(tmp_path / "states.npy")
    runs, lines = content(root / ".logicmix" / "runs"), (root / ".logicmix" / "journal.jsonl").read_bytes()

    with Studio.open(root, who="bob") as studio:
        assert not studio.warnings
        np.testing.assert_array_equal(studio.states, expected)
        assert [line.who for line in studio.ledger.lines] == ["ada"] * len(studio.ledger.lines)
        assert [(run.run, run.status) for run in studio.jobs.list()] == [(1, "finished")]
        current = studio.proposed.current
        assert current is not None
        assert current.run == 1
        assert np.isfinite(current.scores).all()
        row, column = np.argwhere(expected == 0)[0]
        studio.decide(studio.image_ids[row], studio.class_names[column], 1)
    with Studio.open(root, who="bob") as studio:
        assert studio.states[row, column] == 1
        studio.undo()
        np.testing.assert_array_equal(studio.states, expected)
        assert not [line for line in verify(studio.workspace) if line.verdict == "bad"]

    assert content(root / ".logicmix" / "runs") == runs
    assert (root / ".logicmix" / "journal.jsonl").read_bytes().startswith(lines)
