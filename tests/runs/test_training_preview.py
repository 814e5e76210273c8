from __future__ import annotations

from collections.abc import Callable

import numpy as np

from logicmix_studio.studio import Studio


def test_counts_by_source_and_since_the_run(studio: Studio) -> None:
    before = studio.runs.preview()
    assert (before.run, before.changes, before.new) == (1, None, 0)
    assert before.table["blend labels settled"].sum() == 0
    rows, columns = np.nonzero((studio.states == 0) & ~studio.table.is_test[:, None])
    for row, column in zip(rows[:3], columns[:3], strict=True):
        studio.decide(studio.image_ids[row], studio.class_names[column], 1)
    after = studio.runs.preview()
    states = studio.table.states[~studio.table.is_test]
    assert after.table["● imported"].sum() == int((states == 1).sum())
    assert after.table["● by people"].sum() == after.new == 3
    assert after.table["unknown"].sum() == before.table["unknown"].sum() - 3
    assert after.blends is not None
    assert after.blends.settled.sum() > 0
    assert "3 cells more than run 1 learned from." in after.words


def test_without_a_run(open_studio: Callable[..., Studio]) -> None:
    preview = open_studio(runs=0, known_proportion=0.0).runs.preview()
    assert (preview.run, preview.blends, preview.changes) == (None, None, None)
    assert "new since the run" not in preview.table
    assert len(preview.without_positive) == len(preview.table)
    assert preview.words.startswith("0 known cells")


def test_what_a_second_run_changed(open_studio: Callable[..., Studio]) -> None:
    studio = open_studio(runs=2, num_images=200)
    preview = studio.runs.preview()
    one, other = (
        studio.proposed.of(scores) for scores in (studio.proposed.previous, studio.proposed.current) if scores
    )
    assert preview.previous_run == 1
    assert preview.changes == {
        "new": int(((one == 0) & (other != 0)).sum()),
        "withdrawn": int(((one != 0) & (other == 0)).sum()),
        "flipped": int((one * other == -1).sum()),
    }
