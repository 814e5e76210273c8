"""A run on disk: who writes which file, and how it is read while it is being written.

No torch here, and no pickle. Whole files appear by atomic rename; events are appended line by line, so that a
reader that comes back with an offset never sees half a line.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.training.config import RunConfig

__all__ = [
    "TERMINAL",
    "EventWriter",
    "RunFolder",
    "RunState",
    "Snapshot",
    "Status",
    "Want",
    "read_events",
    "write_atomically",
    "write_json",
]

Status = Literal["queued", "running", "finished", "failed", "cancelled", "paused", "died"]
"""Where a run stands; ``died`` is concluded by whoever finds the process gone, never written."""

Want = Literal["pause", "cancel"]
"""What a person asks of a running trainer."""

TERMINAL: frozenset[Status] = frozenset({"finished", "failed", "cancelled", "paused"})
"""States in which no process belongs to the run."""


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
        with write_atomically(path) as file:
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
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except (OSError, KeyError, ValueError) as error:
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


@dataclass(frozen=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def number(self) -> int:
        """Number of the run; 0 where the folder's name is none."""
        return int(self.path.name) if self.path.name.isdigit() else 0

    @property
    def config_file(self) -> Path:
        """Recipe and every hyper-parameter."""
        return self.path / "config.json"

    @property
    def snapshot_file(self) -> Path:
        """What the trainer may know."""
        return self.path / "snapshot.npz"

    @property
    def events_file(self) -> Path:
        """What happened, one object a line."""
        return self.path / "events.jsonl"

    @property
    def state_file(self) -> Path:
        """Where the run stands."""
        return self.path / "state.json"

    @property
    def control_file(self) -> Path:
        """What a person wants of it."""
        return self.path / "control.json"

    @property
    def log_file(self) -> Path:
        """What the process printed."""
        return self.path / "log.txt"

    @property
    def checkpoint_file(self) -> Path:
        """Weights, moving average, optimiser and where it stood, in one file."""
        return self.path / "checkpoint.safetensors"

    @property
    def model_file(self) -> Path:
        """The weights that made the scores."""
        return self.path / "model.safetensors"

    @property
    def features_file(self) -> Path:
        """float16 (N, D)."""
        return self.path / "features.npy"

    @property
    def scores_file(self) -> Path:
        """float16 (N, C), uncalibrated probabilities."""
        return self.path / "scores.npy"

    @property
    def heldout_file(self) -> Path:
        """Bool (N, C)."""
        return self.path / "heldout.npy"

    @property
    def calibration_file(self) -> Path:
        """How scores become probabilities."""
        return self.path / "calibration.json"

    @property
    def result_file(self) -> Path:
        """Metrics, epochs, seconds."""
        return self.path / "result.json"

    @property
    def meta_file(self) -> Path:
        """Name, note and star, written by the studio."""
        return self.path / "meta.json"

    def config(self) -> RunConfig:
        """Return the run's configuration.

        Raises:
            StudioError: If it is missing or broken.
        """
        try:
            return RunConfig.from_json(self.config_file.read_text(encoding="utf-8"))
        except (OSError, KeyError, ValueError) as error:
            raise StudioError(f"{self.config_file} cannot be read: {error}", "Start a new run.") from error

    def snapshot(self) -> Snapshot:
        """Return what the trainer may know."""
        return Snapshot.load(self.snapshot_file)

    def state(self) -> RunState:
        """Return where the run stands; a run without a state file is queued."""
        read = read_json(self.state_file)
        names = {field.name for field in dataclasses.fields(RunState)}
        return RunState(**{name: value for name, value in (read or {}).items() if name in names})

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

    def scores(self) -> NDArray[np.float16]:
        """Return the uncalibrated scores, (N, C).

        Raises:
            StudioError: If the run has none yet.
        """
        return cast("NDArray[np.float16]", load_array(self.scores_file))

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
        self._file.write(json.dumps(_finite(line), ensure_ascii=False) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read the events written since the last look.

    Args:
        path: ``events.jsonl``; a missing file has no events.
        offset: Where the last reading ended, in bytes.

    Returns:
        The events and the offset for the next reading. A line not yet ended is left for the next reading; a
        line that a killed process left broken is passed over.
    """
    if not path.exists():
        return [], offset
    with path.open("rb") as file:
        file.seek(offset)
        block = file.read()
    end = block.rfind(b"\n") + 1
    events = [event for line in block[:end].splitlines() if (event := _parse_line(line)) is not None]
    return events, offset + end


@contextmanager
def write_atomically(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write that takes its name only when complete.

    Args:
        path: The final name. Its folder must exist.
    """
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write JSON by atomic rename; ``nan`` and infinity become ``null``."""
    text = json.dumps(_finite(content), indent=2, ensure_ascii=False)
    with write_atomically(path) as file:
        file.write(text.encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """Return a JSON object, or nothing where the file is missing.

    Raises:
        StudioError: If the file is broken.
    """
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise StudioError(f"{path} is broken: {error}", "Delete the run and start a new one.") from error


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array by atomic rename, never pickled."""
    with write_atomically(path) as file:
        np.save(file, array, allow_pickle=False)


def load_array(path: Path) -> NDArray[Any]:
    """Read an array that :func:`save_array` wrote.

    Raises:
        StudioError: If it is missing or broken.
    """
    try:
        return cast("NDArray[Any]", np.load(path, allow_pickle=False))
    except (OSError, ValueError) as error:
        raise StudioError(
            f"{path} cannot be read: {error}", "Let the run finish, or start a new one."
        ) from error


def _parse_line(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _finite(value: object) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, np.ndarray):
        return _finite(value.tolist())
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
