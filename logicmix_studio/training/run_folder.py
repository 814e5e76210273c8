"""A run on disk: who writes which file, and how it is read while it is being written.

No torch here, and no pickle. Whole files appear by atomic rename; events are appended line by line, so that a
reader that comes back with an offset never sees half a line.
"""

from __future__ import annotations

import dataclasses
import json
import time
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from logicmix_studio.errors import StudioError
from logicmix_studio.files import fits, parse_json, plain, read_json, replacing, write_json
from logicmix_studio.review.calibration import LOGIT_LIMIT
from logicmix_studio.training.config import RunConfig

Status = Literal["queued", "running", "finished", "failed", "cancelled", "paused", "died", "broken"]
"""Where a run stands; ``died`` (the process is gone) and ``broken`` (files are) are concluded by whoever looks, never written."""

Want = Literal["pause", "cancel"]
"""What a person asks of a running trainer."""

TERMINAL: frozenset[Status] = frozenset({"finished", "failed", "cancelled", "paused"})
"""States in which no process belongs to the run."""


ARRAY_ERRORS: Final = (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What numpy raises for a file that is no array, or not all of one."""


@dataclass(frozen=True)
class Snapshot:
    """What the trainer may know. N images, C classes."""

    states: NDArray[np.int8]
    """(N, C) in {-1, 0, 1}: negative, unknown, positive."""
    image_ids: NDArray[np.str_]
    """(N,) ids of 24 hex digits."""
    paths: NDArray[np.str_]
    """(N,) paths below the data set's folder."""
    class_names: NDArray[np.str_]
    """(C,) in column order."""
    splits: NDArray[np.str_]
    """(N,) ``train``, ``val``, ``test`` or empty."""

    def __post_init__(self) -> None:
        """Refuse arrays whose shapes do not fit together."""
        if self.states.ndim != 2:
            raise StudioError(f"the snapshot's states have the shape {self.states.shape}", "Start a new run.")
        count, classes = self.states.shape
        lengths = (len(self.image_ids), len(self.paths), len(self.splits), len(self.class_names))
        if lengths != (count, count, count, classes):
            raise StudioError(
                f"the snapshot's states are {count} x {classes}, but there are {lengths[0]} image ids, "
                f"{lengths[1]} paths, {lengths[2]} splits and {lengths[3]} class names",
                "Write the snapshot again from one table.",
            )

    def save(self, path: Path) -> None:
        """Write the snapshot as an npz file, by atomic rename."""
        with replacing(path) as file:
            np.savez_compressed(
                file,
                states=self.states.astype(np.int8),
                image_ids=np.asarray(self.image_ids, dtype=np.str_),
                paths=np.asarray(self.paths, dtype=np.str_),
                class_names=np.asarray(self.class_names, dtype=np.str_),
                splits=np.asarray(self.splits, dtype=np.str_),
            )

    @classmethod
    def load(cls, path: Path) -> Snapshot:
        """Read a snapshot; nothing in it is ever unpickled.

        Raises:
            StudioError: If the file is missing or broken.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except ARRAY_ERRORS as error:
            raise StudioError(f"{path} is no snapshot: {error}", "Start a new run.") from error


@dataclass(frozen=True)
class RunState:
    """``state.json``: where the run stands."""

    status: Status = "queued"
    """Where the run stands."""
    message: str = ""
    """What it is doing, in words."""
    fraction: float = 0.0
    """Share of the work done, 0 to 1."""
    eta_s: float | None = None
    """Seconds left, where that can be guessed."""
    pid: int | None = None
    """The trainer's process."""
    process_started: float | None = None
    """When that process started, so that a pid used again is not mistaken for it."""
    updated: float = 0.0
    """When this was written, in seconds since 1970."""
    warnings: tuple[str, ...] = ()
    """What a person should know of it: images that were left out, memory that ran out."""


_STATE_FIELDS = {name: fits(kind) for name, kind in (get_type_hints(RunState) | {"warnings": list[str]}).items()}
"""What the parts of ``state.json`` must be."""


class _File:
    """A file of a run, as an attribute of its folder."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, folder: RunFolder, owner: type[RunFolder]) -> Path:
        return folder.path / self._name


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def number(self) -> int:
        """Number of the run; 0 where the folder's name is none."""
        return int(self.path.name) if self.path.name.isdigit() else 0

    config_file = _File("config.json")
    """Recipe and every hyper-parameter."""
    snapshot_file = _File("snapshot.npz")
    """What the trainer may know."""
    events_file = _File("events.jsonl")
    """What happened, one object a line."""
    state_file = _File("state.json")
    """Where the run stands."""
    control_file = _File("control.json")
    """What a person wants of it."""
    lock_file = _File("trainer.lock")
    """Held by the process that works on the run, so that two never do."""
    log_file = _File("log.txt")
    """What the process printed."""
    checkpoint_file = _File("checkpoint.safetensors")
    """Weights, moving average, optimiser and where it stood, in one file."""
    model_file = _File("model.safetensors")
    """The weights that made the scores."""
    features_file = _File("features.npy")
    """float16 (N, D)."""
    logits_file = _File("logits.npy")
    """float16 (N, C), uncalibrated; nan for images that could not be read."""
    scores_file = _File("scores.npy")
    """Runs of earlier versions: the same as probabilities, which float16 can't tell apart near 1."""
    heldout_file = _File("heldout.npy")
    """Bool (N, C)."""
    calibration_file = _File("calibration.json")
    """How scores become probabilities."""
    result_file = _File("result.json")
    """Metrics, epochs, seconds."""
    meta_file = _File("meta.json")
    """Name, note and star, written by the studio."""

    @property
    def any_scores_file(self) -> Path:
        """The file of the logits, or of the probabilities where the run is of an earlier version."""
        return self.scores_file if self.scores_file.exists() and not self.logits_file.exists() else self.logits_file

    def config(self) -> RunConfig:
        """Return the run's configuration.

        Raises:
            StudioError: If it is missing or broken.
        """
        try:
            return RunConfig.from_json(self.config_file.read_text(encoding="utf-8"))
        except (OSError, KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StudioError(f"{self.config_file} cannot be read: {error}", "Start a new run.") from error

    def write_config(self, config: RunConfig) -> None:
        """Write the run's configuration; that makes the folder a run."""
        with replacing(self.config_file) as file:
            file.write(config.to_json().encode())

    def move_to(self, root: Path) -> None:
        """Let the run find the images in another folder, and its caches where it lies."""
        self.write_config(dataclasses.replace(self.config(), root=str(root), cache=None))

    def snapshot(self) -> Snapshot:
        """Return what the trainer may know."""
        return Snapshot.load(self.snapshot_file)

    def state(self) -> RunState:
        """Return where the run stands; a run without a state file is queued.

        Raises:
            StudioError: If the file is broken.
        """
        read = read_json(self.state_file) or {}
        for name, value in read.items():
            if name in _STATE_FIELDS and not _STATE_FIELDS[name](value):
                raise StudioError(f"{self.state_file}: {name} is {value!r:.60}", "Start a new run.")
        known = {name: value for name, value in read.items() if name in _STATE_FIELDS}
        return RunState(**{**known, "warnings": tuple(known.get("warnings", ()))})

    def write_state(self, state: RunState) -> None:
        """Write where the run stands, stamped with the time."""
        write_json(self.state_file, dataclasses.asdict(dataclasses.replace(state, updated=time.time())))

    def wanted(self) -> Want | None:
        """Return what a person asked of the trainer, if anything."""
        want = (read_json(self.control_file) or {}).get("want")
        return cast("Want", want) if want in get_args(Want) else None

    def ask(self, want: Want | None) -> None:
        """Ask the trainer to pause or to cancel, or take the request back."""
        if want is None:
            self.control_file.unlink(missing_ok=True)
        else:
            write_json(self.control_file, {"want": want})

    def logits(self) -> NDArray[np.float16]:
        """Return the uncalibrated logits, (N, C); nan for images that could not be read.

        Raises:
            StudioError: If the run has none yet.
        """
        path = self.any_scores_file
        try:
            found = np.load(path, allow_pickle=False)
        except ARRAY_ERRORS as error:
            raise StudioError(f"{path} cannot be read: {error}", "Let the run finish, or start a new one.") from error
        if path == self.scores_file:
            found = np.clip(logit(np.clip(found.astype(np.float64), 0, 1)), -LOGIT_LIMIT, LOGIT_LIMIT)
        return cast("NDArray[np.float16]", found.astype(np.float16))

    def pseudo_file(self, epoch: int) -> Path:
        """Return the file of the pseudo-labels that were made after an epoch: int8 (N, C), 0 where there is none."""
        return self.path / "pseudo" / f"{epoch:04d}.npy"

    def result(self) -> dict[str, Any] | None:
        """Return the metrics, once there are any."""
        return read_json(self.result_file)


class EventWriter:
    """Append events, one JSON object a line, each line at once.

    Args:
        path: ``events.jsonl``; a half line that a killed process left is closed first.
        clock: Gives the time of an event.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        needs_newline = path.exists() and path.stat().st_size > 0 and not path.read_bytes().endswith(b"\n")
        self._file = path.open("a", encoding="utf-8", buffering=1)
        if needs_newline:
            self._file.write("\n")

    def write(self, event: str, **values: object) -> None:
        """Append one event; ``nan`` and infinity become ``null``."""
        line = {"event": event, "time": round(self._clock(), 3), **values}
        self._file.write(json.dumps(plain(line), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read the events written since the last look.

    Returns:
        The events and the offset for the next reading. A line not yet ended is left for the next reading; a
        line that a killed process left broken is passed over.
    """
    if not path.is_file():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read()
    end = block.rfind(b"\n") + 1
    events = [event for line in block[:end].splitlines() if (event := parse_event(line)) is not None]
    return events, offset + end


def save_array(path: Path, array: NDArray[Any], *, new_folders: int = 0) -> None:
    """Write an array by atomic rename, never pickled; otherwise as :func:`replacing`."""
    with replacing(path, new_folders=new_folders) as file:
        np.save(file, array, allow_pickle=False)


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Return an event from its line, None where it is none."""
    try:
        event = parse_json(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None
