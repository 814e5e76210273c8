"""What a run leaves behind: features, scores, calibration, result, and how it compares with earlier runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.files import write_json
from logicmix_studio.labels import POSITIVE
from logicmix_studio.review.calibration import calibrate, read_calibration
from logicmix_studio.training.calibrate import Fitted
from logicmix_studio.training.damage import read_result
from logicmix_studio.training.figures import Place, match, measure_figure
from logicmix_studio.training.heldout import TEST_SPLIT, choose_heldout, heldout_mask, trained_states, training_rows
from logicmix_studio.training.metrics import Metrics, measure
from logicmix_studio.training.run_folder import RunFolder, Snapshot, save_array
from logicmix_studio.words import counted

KNOWS_MORE: Final = 1.2
"""A run with so many times the known cells, or positives, is taken also where it can't be told whether it is better."""


@dataclass(frozen=True)
class Outcome:
    """Scores of all cells and what they were made with. N images, C classes, D features."""

    logits: NDArray[np.float32]
    """(N, C), uncalibrated; nan in the rows of images that could not be read."""
    features: NDArray[np.float16]
    """(N, D)."""
    heldout: NDArray[np.bool_]
    """(N, C) known cells that the weights were not trained on."""
    checked: NDArray[np.int8]
    """(N, C) states of the held-out cells that neither trained the weights nor chose them; 0 elsewhere."""
    calibration: Fitted
    """Fitted on cells that the scores were not trained on."""
    facts: Mapping[str, Any]
    """Epochs, seconds, device and the like."""


def write_outcome(folder: RunFolder, snapshot: Snapshot, outcome: Outcome) -> dict[str, Any]:
    """Write all files of a finished run; ``result.json`` comes last.

    Returns:
        The content of ``result.json``.
    """
    save_array(folder.features_file, outcome.features.astype(np.float16))
    save_array(folder.logits_file, outcome.logits.astype(np.float16))
    save_array(folder.heldout_file, outcome.heldout)
    write_json(folder.calibration_file, outcome.calibration.as_dict())
    names, calibration = snapshot.class_names.tolist(), outcome.calibration.as_dict()
    result = {
        **measure_cells(outcome.logits, outcome.checked, calibration, names, "held-out"),
        **outcome.facts,
        "num_images": len(snapshot.states),
        "num_known": int((snapshot.states != 0).sum()),
        "num_heldout": int(outcome.heldout.sum()),
        "comparison": compare_with_earlier(folder, snapshot, outcome),
    }
    tested = np.where((snapshot.splits == TEST_SPLIT)[:, None], snapshot.states, 0).astype(np.int8)
    if tested.any():
        result["test"] = measure_cells(outcome.logits, tested, calibration, names, "test")
    write_json(folder.result_file, result)
    return result


def measure_cells(
    logits: NDArray[Any],
    states: NDArray[np.int8],
    calibration: Mapping[str, Any] | None,
    class_names: Sequence[str],
    place: Place,
) -> dict[str, Any]:
    """Return what ``result.json`` holds of some cells: the fields of a `Figure`, and per class and over all how it is right.

    Args:
        logits: (N, C), uncalibrated; cells where they are nan do not count.
        states: (N, C), 0 for cells that do not count.
        calibration: The run's.
        class_names: (C,).
        place: Which cells these are.
    """
    figure, precision = measure_figure(logits, states, place)
    metrics = measure_calibrated(logits, states, calibration)
    told = {**asdict(figure), "ap": dict(zip(class_names, precision.tolist(), strict=True))}
    return {**metrics.as_dict(class_names), **told}


def measure_calibrated(
    logits: NDArray[Any], states: NDArray[np.int8], calibration: Mapping[str, Any] | None
) -> Metrics:
    """Measure calibrated scores on known cells; rows without scores are left out.

    Args:
        logits: (N, C), uncalibrated; nan where there is none.
        states: (N, C), 0 for cells that do not count.
        calibration: The run's.
    """
    has_score = ~np.isnan(logits)
    calibrated = calibrate(np.where(has_score, logits, 0.0), read_calibration(calibration))
    return measure(calibrated, np.where(has_score, states, 0).astype(np.int8))


def compare_with_earlier(folder: RunFolder, snapshot: Snapshot, outcome: Outcome) -> dict[str, Any] | None:
    """Compare a run with the one whose pseudo-labels are shown, on the known cells that both held out.

    Where it can't be told which is better the earlier one stays, unless the run knows more: it was trained on
    `KNOWS_MORE` times as many known cells or positives, or knows a class that the earlier one doesn't.

    Returns:
        The fields of a `Match`, its ``verdict``, the earlier run (``best_run``), which of both is taken (``better``), and
        ``why`` in words; nothing where there is no earlier run that can be read.
    """
    earlier = _earlier(folder)
    standing = standing_run({number: read_result(one) or {} for number, one in earlier.items()})
    for number in sorted(earlier, key=lambda number: (number != standing, -number)):
        with suppress(StudioError):  # a run half deleted or of another version compares with nothing
            return _compare(earlier[number], folder.number, snapshot, outcome)
    return None


def standing_run(results: Mapping[int, Mapping[str, Any]]) -> int | None:
    """Return which of some finished runs makes the pseudo-labels unless a person chose another, None without any.

    It is what the latest one's comparison says, and the latest one where that compares with none of the others.

    Args:
        results: Number of the run → ``result.json``.
    """
    if not results:
        return None
    latest = max(results)
    better = (results[latest].get("comparison") or {}).get("better")
    return better if better in results else latest


def _earlier(folder: RunFolder) -> dict[int, RunFolder]:
    return {
        int(path.name): RunFolder(path)
        for path in folder.path.parent.iterdir()
        if path.name.isdigit() and path != folder.path and _has_result(RunFolder(path))
    }


def _has_result(folder: RunFolder) -> bool:
    try:
        return read_result(folder) is not None
    except StudioError:  # a broken run compares with nothing, and says so itself
        return False


def _compare(earlier: RunFolder, run: int, snapshot: Snapshot, outcome: Outcome) -> dict[str, Any]:
    theirs, logits, number = earlier.snapshot(), earlier.logits(), earlier.number
    if logits.shape != theirs.states.shape:
        raise StudioError(f"scores and snapshot of run {number} do not fit each other", "Delete it.")
    share = earlier.config().settings.selection.heldout_share
    rows = positions(theirs.image_ids.tolist(), snapshot.image_ids.tolist())
    columns = positions(theirs.class_names.tolist(), snapshot.class_names.tolist())
    is_theirs = (rows >= 0)[:, None] & (columns >= 0)

    def align(cells: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cells[np.ix_(np.maximum(rows, 0), np.maximum(columns, 0))])

    # A cell counts where the earlier run would have held it out whatever was known then.
    untouched = heldout_mask(theirs, share) | (theirs.splits == TEST_SPLIT)[:, None]
    states = np.where(is_theirs & align(untouched), outcome.checked, 0).astype(np.int8)
    found = match(outcome.logits, align(logits).astype(np.float32), states)
    (known, positive), (known_before, positive_before) = (
        _num_trained(snapshot, outcome.heldout),
        _num_trained(theirs, choose_heldout(theirs, share)),
    )
    more = ""
    if known >= KNOWS_MORE * known_before:
        more = f"it learned from {known:,} known cells, run {number} from {known_before:,}"
    elif positive >= KNOWS_MORE * max(positive_before, 1):
        more = f"it learned from {positive:,} positives, run {number} from {positive_before:,}"
    elif (columns < 0).any():
        more = f"it knows {counted(int((columns < 0).sum()), 'class')} that run {number} doesn't"
    words = found.words(run, number)
    if found.verdict == "worse":
        words += f": run {number} stays"
    elif found.verdict == "unclear":
        words += f": run {run} is taken, {more}" if more else f": run {number} stays; choose run {run} by hand in Train"
    is_taken = found.verdict == "better" or bool(more and found.verdict == "unclear")
    return {
        **found.as_dict(),
        "best_run": number,
        "num_known": known,
        "num_known_before": known_before,
        "better": run if is_taken else number,
        "why": words,
    }


def _num_trained(snapshot: Snapshot, heldout: NDArray[np.bool_]) -> tuple[int, int]:
    """Return from how many known cells a run learned, and how many of them are positive."""
    states = trained_states(snapshot.states, heldout)[training_rows(snapshot)]
    return int(np.count_nonzero(states)), int(np.count_nonzero(states == POSITIVE))


def positions(names: Sequence[str], wanted: Sequence[str]) -> NDArray[np.int64]:
    """Return where each wanted name stands among the names, -1 where it does not."""
    place = {name: position for position, name in enumerate(names)}
    return np.fromiter((place.get(name, -1) for name in wanted), dtype=np.int64, count=len(wanted))
