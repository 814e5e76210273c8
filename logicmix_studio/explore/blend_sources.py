"""The sources of a blend: found, checked, and what is known about them. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.blend_labels import SourceLabels, count_rows, truth_rows
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.studio import Studio
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.ui.state import STATE_WORDS

MOST_SOURCES: Final = 16
"""Most images of one blend; the trainer's own limit."""

PSEUDO: Final = "pseudo"
"""In a filter: unknown cells with a pseudo-label."""


@dataclass(frozen=True)
class ImageFilter:
    """Which images to offer as sources."""

    text: str = ""
    """Part of the path, in any case."""
    class_name: str = ""
    """Only images that have this class in `state`; any class where empty."""
    state: str = ""
    """positive, negative, unknown or pseudo; any where empty."""


def parse_ids(studio: Studio, text: str) -> list[int]:
    """Return the rows of the images that an address names.

    Args:
        studio: The studio.
        text: One to sixteen image ids, separated by commas; one may come twice.

    Raises:
        StudioError: If there is none, too many, or one that does not exist.
    """
    ids = [part for part in text.split(",") if part]
    if not 1 <= len(ids) <= MOST_SOURCES:
        raise StudioError(
            f"a blend is made of 1 to {MOST_SOURCES} images, not {len(ids)}", "choose other images"
        )
    unknown = [image_id for image_id in ids if image_id not in studio.ledger.row_of]
    if unknown:
        raise StudioError(
            f"there is no image {unknown[0]!r} in this data set",
            "the link belongs to another data set, or the image was removed",
        )
    return [studio.ledger.row_of[image_id] for image_id in ids]


def labels_of(studio: Studio, rows: Sequence[int]) -> SourceLabels:
    """Return all that is known and claimed about some images at this moment.

    Args:
        studio: The studio.
        rows: K rows.
    """
    picked = list(rows)
    current = studio.current
    return SourceLabels(
        states=studio.ledger.states[picked].copy(),
        proposals=studio.proposals_array()[picked].copy(),
        scores=None if current is None else current.scores[picked].astype(np.float32),
        complete=None if studio.complete is None else studio.complete[picked],
    )


def describe_blend(studio: Studio, rows: Sequence[int], *, with_pseudo: bool = False) -> dict[str, Any]:
    """Return a blend as the page shows it: sources, truth table, counts.

    Args:
        studio: The studio.
        rows: Rows of the sources.
        with_pseudo: Whether pseudo-labels fill unknown cells before the OR.
    """
    seq = studio.ledger.seq  # read first: labels that change meanwhile are asked for again
    current, _ = studio.current_choice()
    labels = labels_of(studio, rows)
    table = truth_rows(studio.class_names, labels, with_proposals=with_pseudo)
    return {
        "ids": [studio.image_ids[row] for row in rows],
        "sources": [_source(studio, row) for row in rows],
        "rows": table,
        "counts": count_rows(table),
        "run": current,
        "seq": seq,
        "with_pseudo": with_pseudo,
        "has_truth": studio.complete is not None,
    }


def missing_model(studio: Studio) -> dict[str, Any] | None:
    """Return why no model can score a blend, in words; None where the current run left one."""
    run, _ = studio.current_choice()
    if run is None:
        why = "Train once; then this shows how the model scores the blend and each of its sources."
        return {"available": False, "title": "No model yet", "why": why}
    if not RunFolder(studio.jobs.folder(run)).model_file.is_file():
        why = "Its scores are here, but not its weights. The next run keeps them."
        return {"available": False, "title": f"Run {run} left no model", "why": why}
    return None


def trainable_rows(studio: Studio) -> npt.NDArray[np.int64]:
    """Return the rows that the trainer may draw: all but those of split test.

    Raises:
        StudioError: If there is none.
    """
    rows = np.flatnonzero(~studio.table.is_test)
    if len(rows) == 0:
        raise StudioError(
            "there are no images to blend", "images of split test are never drawn; import others"
        )
    return rows


def find_images(studio: Studio, wanted: ImageFilter, offset: int, limit: int) -> dict[str, Any]:
    """Return a page of the images that fit a filter.

    Args:
        studio: The studio.
        wanted: The filter.
        offset: How many to leave out.
        limit: How many at the most.

    Raises:
        StudioError: If there is no such class or state.
    """
    rows = np.flatnonzero(_fits(studio, wanted))
    text = wanted.text.casefold()
    if text:
        paths = studio.table.paths
        rows = np.array([row for row in rows.tolist() if text in paths[row].casefold()], dtype=np.int64)
    page = rows[offset : offset + limit].tolist()
    images = [{"id": studio.image_ids[row], "path": studio.table.paths[row]} for row in page]
    return {"total": len(rows), "images": images}


def _fits(studio: Studio, wanted: ImageFilter) -> npt.NDArray[np.bool_]:
    """Return (N,) True where an image has the wanted class, or any class, in the wanted state."""
    if not wanted.state:
        return np.ones(studio.table.num_images, dtype=bool)
    columns: slice | list[int] = slice(None)
    if wanted.class_name:
        if wanted.class_name not in studio.ledger.column_of:
            raise StudioError(f"there is no class {wanted.class_name!r}", "reload the page")
        columns = [studio.ledger.column_of[wanted.class_name]]
    values = {word: state for state, word in STATE_WORDS.items()}
    if wanted.state not in (*values, PSEUDO):
        raise StudioError(f"there is no state {wanted.state!r}", f"states are: {', '.join(values)}, {PSEUDO}")
    if wanted.state == PSEUDO:
        cells = studio.proposals_array()[:, columns] != 0
    else:
        cells = studio.ledger.states[:, columns] == values[wanted.state]
    return np.asarray(cells.any(axis=1), dtype=np.bool_)


def _source(studio: Studio, row: int) -> dict[str, Any]:
    return {
        "id": studio.image_ids[row],
        "path": studio.table.paths[row],
        "split": studio.table.splits[row],
        "known": int((studio.ledger.states[row] != UNKNOWN).sum()),
    }
