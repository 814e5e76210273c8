"""The scores a run left behind, brought into line with the images and classes of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.review import Calibration, apply_calibration
from logicmix_studio.review.run_scores import UNSCORED, RunScores
from logicmix_studio.store import read_json


def load_run_scores(folder: Path, run: int, table: LabelTable) -> RunScores:
    """Load the scores of a run for the rows and columns of ``table``.

    Args:
        folder: The run's folder.
        run: Its number.
        table: Today's images and classes.

    Raises:
        StudioError: If the run left no scores, or files that do not fit each other.
    """
    try:
        raw = np.load(folder / "scores.npy", mmap_mode="r", allow_pickle=False)
        heldout = np.load(folder / "heldout.npy", mmap_mode="r", allow_pickle=False)
        with np.load(folder / "snapshot.npz", allow_pickle=False) as snapshot:
            image_ids, class_names = snapshot["image_ids"].tolist(), snapshot["class_names"].tolist()
    except (OSError, ValueError, KeyError) as error:
        raise StudioError(f"run {run} left no usable scores: {error}", "start the run again") from error
    if raw.shape != (len(image_ids), len(class_names)):
        raise StudioError(
            f"{folder / 'scores.npy'} has shape {raw.shape}, its snapshot {(len(image_ids), len(class_names))}",
            "start the run again",
        )
    calibration = read_json(folder / "calibration.json") or {}
    calibrated = apply_calibration(
        np.asarray(raw, dtype=np.float16), Calibration.from_json(calibration) if calibration else None
    )
    return RunScores(
        run=run,
        scores=_align(calibrated, image_ids, class_names, table, fill=UNSCORED),
        scored_rows=_is_among(table.image_ids, image_ids),
        scored_columns=_is_among(table.class_names, class_names),
        heldout=_align(np.asarray(heldout), image_ids, class_names, table, fill=False),
        calibration=calibration,
        result=read_json(folder / "result.json") or {},
    )


def _is_among(names: tuple[str, ...], known: list[str]) -> npt.NDArray[np.bool_]:
    among = set(known)
    return np.fromiter((name in among for name in names), dtype=np.bool_, count=len(names))


def _align(
    values: npt.NDArray[Any], image_ids: list[str], class_names: list[str], table: LabelTable, fill: float
) -> npt.NDArray[Any]:
    if tuple(image_ids) == table.image_ids and tuple(class_names) == table.class_names:
        return values
    row_of = {image_id: row for row, image_id in enumerate(image_ids)}
    column_of = {name: column for column, name in enumerate(class_names)}
    rows = [(new, row_of[image_id]) for new, image_id in enumerate(table.image_ids) if image_id in row_of]
    columns = [(new, column_of[name]) for new, name in enumerate(table.class_names) if name in column_of]
    aligned = np.full((table.num_images, table.num_classes), fill, dtype=values.dtype)
    if rows and columns:
        new_rows, old_rows = (list(part) for part in zip(*rows, strict=True))
        new_columns, old_columns = (list(part) for part in zip(*columns, strict=True))
        aligned[np.ix_(new_rows, new_columns)] = values[np.ix_(old_rows, old_columns)]
    return aligned
