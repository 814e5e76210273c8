"""What a run leaves behind: features, scores, calibration, result, and how it compares with earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, write_json
from logicmix_studio.training.calibrate import Calibration, apply_calibration
from logicmix_studio.training.heldout import cell_fractions
from logicmix_studio.training.metrics import Metrics, measure
from logicmix_studio.training.run_folder import RunFolder, Snapshot, save_array


@dataclass(frozen=True)
class Outcome:
    """Scores of all cells and what they were made with. N images, C classes, D features."""

    scores: NDArray[np.float32]
    """(N, C) raw scores; nan in the rows of images that could not be read."""
    features: NDArray[np.float16]
    """(N, D)."""
    heldout: NDArray[np.bool_]
    """(N, C) known cells that the weights were not trained on."""
    checked: NDArray[np.int8]
    """(N, C) states of the held-out cells that neither trained the weights nor chose them; 0 elsewhere."""
    calibration: Calibration
    """Fitted on cells that the scores were not trained on."""
    facts: Mapping[str, Any]
    """Epochs, seconds, device and the like."""


def write_outcome(folder: RunFolder, snapshot: Snapshot, outcome: Outcome) -> dict[str, Any]:
    """Write all files of a finished run; ``result.json`` comes last.

    Returns:
        The content of ``result.json``.
    """
    save_array(folder.features_file, outcome.features.astype(np.float16))
    save_array(folder.scores_file, outcome.scores.astype(np.float16))
    save_array(folder.heldout_file, outcome.heldout)
    write_json(folder.calibration_file, outcome.calibration.as_dict())
    metrics = measure_calibrated(outcome.scores, outcome.checked, outcome.calibration)
    names = snapshot.class_names.tolist()
    result = {
        **metrics.as_dict(names),
        **outcome.facts,
        "num_images": len(snapshot.states),
        "num_known": int((snapshot.states != 0).sum()),
        "num_heldout": int(outcome.heldout.sum()),
        "comparison": compare_with_best(folder, snapshot, outcome),
    }
    write_json(folder.result_file, result)
    return result


def measure_calibrated(
    scores: NDArray[Any], states: NDArray[np.int8], calibration: Calibration | Mapping[str, Any] | None
) -> Metrics:
    """Measure calibrated scores on known cells; rows without scores are left out.

    Args:
        scores: (N, C) raw scores; nan where there is none.
        states: (N, C), 0 for cells that do not count.
        calibration: The run's.
    """
    has_score = ~np.isnan(scores)
    calibrated = apply_calibration(np.where(has_score, scores, 0.0), calibration)
    return measure(calibrated, np.where(has_score, states, 0).astype(np.int8))


def compare_with_best(folder: RunFolder, snapshot: Snapshot, outcome: Outcome) -> dict[str, Any] | None:
    """Compare a run with the best earlier one, on the known cells that both held out.

    Returns:
        The best earlier run, both mAPs on the same cells, which is better and why; nothing where no earlier
        run can be compared.
    """
    compared = [
        (theirs, ours, number)
        for number, path in sorted(_earlier(folder).items())
        if (pair := _compare(path, snapshot, outcome)) is not None
        for ours, theirs in [pair]
    ]
    if not compared:
        return None
    theirs, ours, number = max(compared)
    is_better = ours >= theirs
    return {
        "best_run": number,
        "map": ours,
        "best_map": theirs,
        "better": folder.number if is_better else number,
        "why": f"mAP {ours:.3f} against {theirs:.3f} of run {number} on the same held-out known cells",
    }


def _earlier(folder: RunFolder) -> dict[int, RunFolder]:
    return {
        int(path.name): RunFolder(path)
        for path in folder.path.parent.iterdir()
        if path.name.isdigit() and path != folder.path and (path / "result.json").is_file()
    }


def _compare(earlier: RunFolder, snapshot: Snapshot, outcome: Outcome) -> tuple[float, float] | None:
    try:
        theirs = earlier.snapshot()
        scores, share = earlier.scores(), earlier.config().settings.selection.heldout_share
    except StudioError:
        return None  # a run half deleted or of another version compares with nothing
    rows = positions(theirs.image_ids.tolist(), snapshot.image_ids.tolist())
    columns = positions(theirs.class_names.tolist(), snapshot.class_names.tolist())
    # A cell counts where the earlier run would have held it out whatever was known then.
    fractions = cell_fractions(snapshot.image_ids.tolist(), snapshot.class_names.tolist())
    was_heldout = (fractions < share) | np.isin(snapshot.splits, ("val", "test"))[:, None]
    shared = outcome.heldout & was_heldout & (rows >= 0)[:, None] & (columns >= 0)[None, :]
    states = np.where(shared, snapshot.states, 0).astype(np.int8)
    aligned = scores[np.ix_(np.maximum(rows, 0), np.maximum(columns, 0))].astype(np.float32)
    ours = measure_calibrated(outcome.scores, states, outcome.calibration).map
    other = measure_calibrated(aligned, states, read_json(earlier.calibration_file)).map
    return None if np.isnan(ours) or np.isnan(other) else (ours, other)


def positions(names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int64]:
    """Return where each wanted name stands among the names, -1 where it does not."""
    place = {name: position for position, name in enumerate(names)}
    return np.fromiter((place.get(name, -1) for name in wanted), dtype=np.int64, count=len(wanted))
