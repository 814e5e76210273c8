"""Which files of a run are broken, and in what way. Of arrays only the headers are read."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.files import fits, is_number, read_json
from logicmix_studio.review.calibration import read_calibration
from logicmix_studio.training.figures import Figure
from logicmix_studio.training.run_folder import ARRAY_ERRORS, RunFolder, Snapshot

_NUMBERS: Final = frozenset(Figure.__dataclass_fields__) - {"place"} | {
    "num_images",
    "num_known",
    "num_heldout",
    "num_embedded",
    "embed_seconds",
    "epochs",
    "best_epoch",
    "seconds",
}
"""What is a number or nothing in ``result.json``."""


def damage(folder: RunFolder) -> str:
    """Return what is wrong with the files of a run, in words; empty where nothing is.

    What a run has not written yet is not missing. What only its arrays tell is found when they are read.
    """
    try:
        folder.config()
        if not folder.state_file.exists():
            return "state.json is missing"
        if folder.state().status != "finished":
            return ""
        result, calibration = read_result(folder), read_json(folder.calibration_file)
        read_calibration(calibration)
    except StudioError as error:
        return error.what
    if folder.events_file.exists():  # it was trained, so both were written
        for path, content in ((folder.result_file, result), (folder.calibration_file, calibration)):
            if content is None:
                return f"{path.name} is missing"
    return _wrong_array(folder)


def read_result(folder: RunFolder) -> dict[str, Any] | None:
    """Return the metrics of a run, None where there are none yet.

    Raises:
        StudioError: If the file is broken, or a part of it is not what the studio reads there.
    """
    result = folder.result()
    if wrong := _wrong_part(result or {}):
        raise StudioError(f"result.json: {wrong} is {str((result or {})[wrong])[:60]}", "Delete the run.")
    return result


def _wrong_part(result: Mapping[str, Any]) -> str:
    """Return the first part of a ``result.json`` that can't be read; empty where there is none."""
    for name, value in result.items():
        is_right = is_number if name in _NUMBERS else _PARTS.get(name)
        if is_right is not None and value is not None and not is_right(value):
            return name
    return ""


def _is_comparison(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    runs, why = (value.get(name) for name in ("best_run", "better")), value.get("why", "")
    is_told = "verdict" not in value or {"best_run", "why"} <= value.keys()
    return is_told and isinstance(why, str) and all(type(run) in (int, type(None)) for run in runs)


_PARTS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "ap": fits(dict[Any, float | None]),
    "test": lambda value: isinstance(value, dict) and not _wrong_part(value),
    "comparison": _is_comparison,
}


def _wrong_array(folder: RunFolder) -> str:
    """Return whether scores, held-out cells and snapshot can't be what a finished run left."""
    shapes = []
    for path, kind in ((folder.any_scores_file, "f"), (folder.heldout_file, "b")):
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
            is_right = array.ndim == 2 and array.dtype.kind == kind
        except ARRAY_ERRORS as error:
            return _said(path, error)
        if not is_right:
            return f"{path.name} has the shape {array.shape} and the type {array.dtype}"
        shapes.append(array.shape)
    if shapes[0] != shapes[1]:
        return f"{folder.any_scores_file.name} has the shape {shapes[0]}, heldout.npy {shapes[1]}"
    try:
        with zipfile.ZipFile(folder.snapshot_file) as archive:
            names = set(archive.namelist())
    except ARRAY_ERRORS as error:
        return _said(folder.snapshot_file, error)
    lacking = [field.name for field in dataclasses.fields(Snapshot) if f"{field.name}.npy" not in names]
    return f"snapshot.npz lacks {', '.join(lacking)}" if lacking else ""


def _said(path: Path, error: Exception) -> str:
    return f"{path.name} is missing" if isinstance(error, FileNotFoundError) else f"{path.name} cannot be read: {error}"
