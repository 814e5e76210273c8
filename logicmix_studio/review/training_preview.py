"""What training would see if it were started now, and what the last run changed."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import LabelTable
from logicmix_studio.review import (
    BlendDifference,
    LabelDifference,
    blend_difference,
    changes,
    label_difference,
    training_set,
)
from logicmix_studio.review.service import ReviewService
from logicmix_studio.store import load_table
from logicmix_studio.studio import Studio


def what_if(studio: Studio, desk: ReviewService) -> dict[str, Any]:
    """Return the look ahead for the screen.

    Args:
        studio: The studio.
        desk: Gives the cells as they are now.
    """
    current = studio.current
    view = desk.view(with_previous=True)
    with studio.ledger.lock:
        states, sources = studio.ledger.states.copy(), studio.ledger.sources.copy()
    content = training_set(studio.class_names, states, sources, view.proposals, studio.table.is_test)
    content_json = {
        "positive": {name: counts.tolist() for name, counts in content.positive.items()},
        "negative": {name: counts.tolist() for name, counts in content.negative.items()},
        "without_positive": content.without_positive,
        "without_negative": content.without_negative,
    }
    unknown = np.count_nonzero(states[~studio.table.is_test] == 0, axis=0)
    before = None if current is None else _trained_on(studio, current.run)
    return {
        "class_names": studio.class_names,
        "run": None if current is None else current.run,
        "previous_run": None if studio.previous is None else studio.previous.run,
        "set": content_json,
        "unknown": unknown.tolist(),
        "since": None if before is None else _difference_json(label_difference(before, states)),
        "blends": None
        if before is None
        else _blends_json(blend_difference(before, states, studio.table.is_test)),
        "changes": _changes(view.previous, view.proposals, states),
    }


def _trained_on(studio: Studio, run: int) -> npt.NDArray[np.int8]:
    """Return the (N, C) states a run learned from, for today's images and classes; unknown where it knew neither."""
    snapshot = load_table(studio.jobs.folder(run) / "snapshot.npz")
    table = studio.table
    if snapshot.image_ids == table.image_ids and snapshot.class_names == table.class_names:
        return snapshot.states
    return _align(snapshot, table)


def _align(snapshot: LabelTable, table: LabelTable) -> npt.NDArray[np.int8]:
    row_of = {image_id: row for row, image_id in enumerate(snapshot.image_ids)}
    column_of = {name: column for column, name in enumerate(snapshot.class_names)}
    rows = [(new, row_of[image_id]) for new, image_id in enumerate(table.image_ids) if image_id in row_of]
    columns = [(new, column_of[name]) for new, name in enumerate(table.class_names) if name in column_of]
    aligned = np.zeros((table.num_images, table.num_classes), dtype=np.int8)
    if rows and columns:
        new_rows, old_rows = np.array(rows).T
        new_columns, old_columns = np.array(columns).T
        aligned[np.ix_(new_rows, new_columns)] = snapshot.states[np.ix_(old_rows, old_columns)]
    return aligned


def _difference_json(difference: LabelDifference) -> dict[str, list[int]]:
    return {
        "new_positive": difference.new_positive.tolist(),
        "new_negative": difference.new_negative.tolist(),
        "forgotten": difference.forgotten.tolist(),
        "turned": difference.turned.tolist(),
    }


def _blends_json(difference: BlendDifference) -> dict[str, Any]:
    return {
        "drawn": difference.drawn,
        "known_before": difference.known_before.tolist(),
        "known_after": difference.known_after.tolist(),
        "settled": difference.settled.tolist(),
    }


def _changes(
    previous: npt.NDArray[np.int8] | None,
    proposals: npt.NDArray[np.int8] | None,
    states: npt.NDArray[np.int8],
) -> dict[str, list[int]] | None:
    if previous is None or proposals is None:
        return None
    found = changes(previous, proposals, states)
    return {
        name: np.count_nonzero(getattr(found, name), axis=0).tolist()
        for name in ("new", "withdrawn", "flipped")
    }
