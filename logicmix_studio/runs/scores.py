"""What a run left behind, brought into line with the images and classes of today. N images, C classes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json
from logicmix_studio.labels import LabelTable
from logicmix_studio.review.calibration import Calibration, apply_calibration
from logicmix_studio.review.proposal_set import UNSCORED, RunScores
from logicmix_studio.store import Dataset, align_cells
from logicmix_studio.training.outcome import positions
from logicmix_studio.training.run_folder import Snapshot

load_snapshot = lru_cache(maxsize=4)(Snapshot.load)
"""Read ``snapshot.npz``, which never changes; the latest few stay in memory."""


def load_run_scores(folder: Path, run: int, table: LabelTable, renamed: Mapping[str, str] | None = None) -> RunScores:
    """Load the scores of a run for the rows and columns of ``table``.

    Raises:
        StudioError: If the run left no scores, or files that do not fit each other.
    """
    now = renamed or {}
    try:
        raw = np.load(folder / "scores.npy", mmap_mode="r", allow_pickle=False)
        heldout = np.load(folder / "heldout.npy", mmap_mode="r", allow_pickle=False)
        with np.load(folder / "snapshot.npz", allow_pickle=False) as snapshot:
            image_ids = snapshot["image_ids"].tolist()
            class_names = [now.get(name, name) for name in snapshot["class_names"].tolist()]
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
    result = read_json(folder / "result.json") or {}
    if "ap" in result:
        result["ap"] = {now.get(name, name): value for name, value in result["ap"].items()}
    return RunScores(
        run=run,
        scores=align_cells(calibrated, image_ids, class_names, table, fill=UNSCORED),
        scored_rows=positions(image_ids, table.image_ids) >= 0,
        scored_columns=positions(class_names, table.class_names) >= 0,
        heldout=align_cells(np.asarray(heldout), image_ids, class_names, table, fill=False),
        calibration=calibration,
        result=result,
    )


def snapshot_states(folder: Path, dataset: Dataset) -> npt.NDArray[np.int8]:
    """Return the (N, C) states that a run was given, for today's images and classes; 0 where it knew neither.

    Raises:
        StudioError: If the run's snapshot is missing or broken.
    """
    snapshot = load_snapshot(folder / "snapshot.npz")
    class_names = [dataset.renamed.get(name, name) for name in snapshot.class_names.tolist()]
    return align_cells(snapshot.states, snapshot.image_ids.tolist(), class_names, dataset.table, fill=0)
