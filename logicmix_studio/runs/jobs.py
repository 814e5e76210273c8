"""The runs of a workspace and the processes that work on them."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.archives import Kind
from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import read_json, write_json
from logicmix_studio.labels import LabelTable
from logicmix_studio.processes import end_group, is_alive, start_time, wait_until_gone
from logicmix_studio.runs.info import IMPORTED, RunInfo
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.damage import damage
from logicmix_studio.training.device_lock import LOCKS_VARIABLE
from logicmix_studio.training.run_folder import RunFolder, RunState, Snapshot, Status, save_array
from logicmix_studio.words import Progress

_POLL_S = 0.2
_LAUNCH_FILE = "launch.json"
PACKED_RUN: Final = Kind(
    "packed run", "runs export", "logicmix-run.json", 1, frozenset({_LAUNCH_FILE, "trainer.lock", "cache"})
)
"""Without the caches of a run that was trained by itself."""


class Jobs:
    """The runs of one workspace.

    Every method may be called from any thread and answers at once, unless it says so. A `StudioError` refuses a run that
    does not exist, and what does not fit how it stands, such as to start what is being trained already.

    Args:
        runs_dir: Folder of the runs; made when the first run is created.
        grace_s: How long a cancelled trainer may take to leave before it is killed.
        locks_dir: Folder of the device locks; the user's own on this machine unless given.
        python: Interpreter that runs the trainer.
    """

    def __init__(
        self, runs_dir: Path, *, grace_s: float = 20.0, locks_dir: Path | None = None, python: str = sys.executable
    ) -> None:
        self.runs_dir = Path(runs_dir)
        self._grace_s = grace_s
        self.locks_dir = locks_dir
        self._python = python
        self._guard = threading.RLock()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._recipes: dict[int, tuple[str, str | None]] = {}
        self._damages: dict[int, tuple[tuple[int, ...], str]] = {}
        """What is wrong with a run, and sizes and times of its files at that look."""

    def folder(self, run: int) -> Path:
        """Return the folder of a run, whether it exists or not."""
        return self.runs_dir / f"{run:04d}"

    def create(self, config: RunConfig, *, root: Path, table: LabelTable, states: NDArray[np.int8]) -> int:
        """Write a new run's configuration and snapshot and return its number; nothing is started.

        Args:
            config: Recipe and settings; root and class names are filled in here.
            root: Folder of the images.
            table: Images and classes.
            states: (N, C) what is known now.
        """
        if not table.class_names:
            raise StudioError("a run needs at least one class", "Add a class, then train.")
        if config.init_from is not None:
            earlier = RunFolder(self.runs_dir / config.init_from)
            if not earlier.path.is_dir():
                raise StudioError(f"there is no run {config.init_from} to start from", "Choose a finished run.")
            if self._is_run(earlier.number) and self.info(earlier.number).is_imported:
                raise StudioError(f"run {earlier.number} is imported: it has no weights", "Start from a trained run.")
        with self._new_run() as folder:
            folder.write_state(RunState("queued", "created"))
            _write_start(folder, dataclasses.replace(config, root=str(root)), table, states)
            return folder.number

    def adopt(self, logits: NDArray[np.floating[Any]], *, name: str, root: Path, table: LabelTable) -> int:
        """Write scores that no trainer made as a finished run and return its number.

        Args:
            logits: (N, C); nan where nothing is said of a cell.
            name: Name of the run.
            root: Folder of the images.
            table: Images and classes, with what is known now.
        """
        with self._new_run() as folder:
            folder.write_state(RunState("queued", "created"))
            save_array(folder.logits_file, logits.astype(np.float16))
            save_array(folder.heldout_file, np.zeros(logits.shape, dtype=np.bool_))
            write_json(folder.meta_file, {"name": name})
            _write_start(folder, RunConfig("quick", str(root)), table, table.states)
            folder.write_state(RunState("finished", name, 1.0))
            return folder.number

    def set_aside(self, run: int) -> None:
        """Let a run that was created wait until somebody resumes it, here or elsewhere."""
        self._write(self._existing(run), "paused", "prepared")

    def pack(self, run: int, file: Path, progress: Progress | None = None) -> int:
        """Write a run to one file, to be trained or looked at elsewhere, and return how many files it has.

        Raises:
            StudioError: If the run is being trained, or the file can't be written.
        """
        folder = self._existing(run)
        if self._owner(folder) is not None:
            raise StudioError(f"run {run} is being trained", "pause it first")
        paths = [
            path for path in sorted(folder.path.iterdir()) if path.is_file() and path.name not in PACKED_RUN.left_out
        ]
        return PACKED_RUN.pack(file, folder.path, paths, {"run": run}, progress)

    def unpack(self, file: Path, *, root: Path, table: LabelTable, progress: Progress | None = None) -> int:
        """Take a packed run in under a new number, and return that.

        A run that was being trained, or waited for it, is paused: it goes on from its checkpoint.

        Args:
            file: What `pack` wrote, here or elsewhere.
            root: Folder of the images, which the run names from now on.
            table: Images and classes; the run must have some of both in common with it.
            progress: Told of each file.

        Raises:
            StudioError: If the file is no packed run, broken, or of another data set; nothing is left behind then.
        """
        with self._new_run() as folder:
            PACKED_RUN.unpack(file, folder.path, progress)
            if reason := damage(folder):
                raise StudioError(f"{file} holds a broken run: {reason}", "pack it again")
            snapshot = folder.snapshot()
            images, classes = set(snapshot.image_ids), set(snapshot.class_names)
            if not images & set(table.image_ids) or not classes & set(table.class_names):
                raise StudioError(f"{file} holds a run of another data set", "take it in there")
            folder.move_to(root)
            if folder.state().status in ("queued", "running"):
                self._write(folder, "paused", "brought here", pid=None, process_started=None)
            return folder.number

    def start(self, run: int) -> RunInfo:
        """Start the trainer process of a run, in a session of its own.

        A run on a device that another run holds waits as ``queued`` until it is free.
        """
        with self._guard:
            folder = self._existing(run)
            if self._owner(folder) is not None:
                raise StudioError(f"run {run} is being trained already", "Wait for it, or cancel it first.")
            if reason := self._damage(folder):
                raise StudioError(f"run {run} is broken: {reason}", "Delete it, and start a new one.")
            folder.ask(None)
            launch = folder.path / _LAUNCH_FILE
            launch.unlink(missing_ok=True)  # else its earlier process is taken for this one
            self._write(folder, "queued", "starting", pid=None)
            child = self._children[run] = self._spawn(folder)
            write_json(launch, {"pid": child.pid, "process_started": start_time(child.pid)})
        return self.info(run)

    def resume(self, run: int) -> RunInfo:
        """Let a paused, cancelled, failed or died run go on from its checkpoint."""
        info = self.info(run)
        if info.status == "finished":
            raise StudioError(f"run {run} has finished", "Start a new run.")
        return self.start(run)

    def list(self) -> list[RunInfo]:
        """Return every run, the oldest first."""
        if not self.runs_dir.is_dir():
            return []
        numbers = sorted(int(path.name) for path in self.runs_dir.iterdir() if path.name.isdigit())
        return [self.info(number) for number in numbers if self._is_run(number)]

    def info(self, run: int) -> RunInfo:
        """Return how a run stands; one whose files can't be read is ``broken``, with the reason as its message."""
        folder = self._existing(run)
        meta, warnings = _meta(folder)
        said: dict[str, Any] = {
            "name": str(meta.get("name", "")),
            "note": str(meta.get("note", "")),
            "star": bool(meta.get("star")),
        }
        if reason := self._damage(folder):
            return RunInfo(run, folder.path, "", "broken", reason, created=_written(folder), **said)
        recipe, init_from = self._recipe(folder)
        state, owner = folder.state(), self._owner(folder)
        if state.status in ("queued", "running") and owner is None:
            with self._guard:  # a process that is being started is written down by then
                owner = self._owner(folder)
                state = folder.state() if owner else self._without_process(folder, folder.state())
        is_finished = state.status == "finished"
        result = (folder.result() or {}) if is_finished else {}
        return RunInfo(
            run=run,
            folder=folder.path,
            recipe=recipe if result or not is_finished else IMPORTED,
            status=state.status,
            message=state.message,
            fraction=state.fraction,
            eta_s=state.eta_s,
            pid=owner[0] if owner else None,
            created=_written(folder),
            updated=state.updated,
            warnings=(*state.warnings, *warnings),
            **said,
            init_from=init_from,
            result=result,
        )

    def mark_broken(self, run: int, reason: str) -> None:
        """Take a run for broken until its files change: reading its arrays told what their headers did not.

        Its folder may be gone by now, with its disk perhaps.
        """
        self._damages[run] = (_look(RunFolder(self.folder(run))), reason)

    def pause(self, run: int) -> None:
        """Ask the trainer to write a checkpoint and leave; :meth:`resume` goes on from there."""
        folder = self._existing(run)
        if self._owner(folder) is None:
            raise StudioError(f"run {run} is not being trained", "There is nothing to pause.")
        folder.ask("pause")

    def cancel(self, run: int) -> None:
        """End a run: its trainer may write a checkpoint, and is killed where it does not leave in time.

        Returns at once; a thread watches over the grace time.
        """
        folder = self._existing(run)
        with self._guard:
            owner = self._owner(folder)
            if owner is None:
                if self.info(run).status not in ("finished", "failed", "cancelled"):
                    self._write(folder, "cancelled", "cancelled")
                return
            folder.ask("cancel")
            end_group(*owner, signal.SIGTERM)
        threading.Thread(target=self._kill_later, args=(folder, owner), daemon=True).start()

    def wait(self, run: int, watch: Callable[[RunInfo], None] | None = None, timeout_s: float | None = None) -> RunInfo:
        """Block until no process works on a run any more.

        Args:
            run: Its number.
            watch: Called a few times a second with how it stands.
            timeout_s: Longest time to wait; for ever unless given.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        pause = threading.Event()
        info = self.info(run)
        while info.is_active and (deadline is None or time.monotonic() < deadline):
            if watch is not None:
                watch(info)
            pause.wait(_POLL_S)
            info = self.info(run)
        child = self._children.get(run)
        if child is not None and not info.is_active:
            child.wait()
        return info

    def annotate(
        self, run: int, *, name: str | None = None, note: str | None = None, star: bool | None = None
    ) -> RunInfo:
        """Keep a person's name, note or star for a run; what is not given stays."""
        with self._guard:
            folder = self._existing(run)
            given = {"name": name, "note": note, "star": star}
            meta, _ = _meta(folder)
            meta.update({key: value for key, value in given.items() if value is not None})
            write_json(folder.meta_file, meta)
        return self.info(run)

    def size(self, run: int) -> int:
        """Return the bytes a run takes on disk."""
        return sum(file.stat().st_size for file in self._existing(run).path.rglob("*") if file.is_file())

    def delete(self, run: int) -> int:
        """Delete a run's folder and return the bytes that frees."""
        with self._guard:
            folder = self._existing(run)
            if self._owner(folder) is not None:
                raise StudioError(f"run {run} is being trained", "Cancel it, then delete it.")
            freed = self.size(run)
            doomed = folder.path.with_name(f".deleting-{folder.path.name}")
            folder.path.rename(doomed)
            self._children.pop(run, None)
            self._recipes.pop(run, None)
            self._damages.pop(run, None)
        shutil.rmtree(doomed)
        return freed

    @contextmanager
    def _new_run(self) -> Iterator[RunFolder]:
        """Yield the folder of a new run, which is gone again where the block fails.

        A deleted run's number is never given again: decisions of people refer to runs by number.
        """
        counter = self.runs_dir / "counter.json"
        with self._guard, writing(self.runs_dir):
            self.runs_dir.mkdir(exist_ok=True)
            taken = [int(path.name) for path in self.runs_dir.iterdir() if path.name.isdigit()]
            number = max([*taken, int((read_json(counter) or {}).get("last", 0))]) + 1
            folder = self.folder(number)
            folder.mkdir()
            try:
                write_json(counter, {"last": number})
                yield RunFolder(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise

    def _existing(self, run: int) -> RunFolder:
        if not self._is_run(run):
            raise StudioError(f"there is no run {run}", f"The runs lie in {self.runs_dir}.")
        return RunFolder(self.folder(run))

    def _is_run(self, run: int) -> bool:
        folder = RunFolder(self.folder(run))
        if folder.config_file.is_file():
            return True
        try:  # a folder that is being made says that it is queued, and gets its configuration last
            return folder.state_file.is_file() and folder.state().status != "queued"
        except StudioError:
            return True

    def _damage(self, folder: RunFolder) -> str:
        """Return what is wrong with the files of a run; they are read anew only where they have changed."""
        look = _look(folder)
        known = self._damages.get(folder.number)
        if known is None or known[0] != look:
            known = self._damages[folder.number] = (look, damage(folder))
        return known[1]

    def _recipe(self, folder: RunFolder) -> tuple[str, str | None]:
        if folder.number not in self._recipes:
            config = folder.config()
            self._recipes[folder.number] = (config.recipe, config.init_from)
        return self._recipes[folder.number]

    def _spawn(self, folder: RunFolder) -> subprocess.Popen[bytes]:
        with folder.log_file.open("ab") as log:
            return subprocess.Popen(
                [self._python, "-m", "logicmix_studio.training", str(folder.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=child_environment(**({} if self.locks_dir is None else {LOCKS_VARIABLE: str(self.locks_dir)})),
            )

    def _owner(self, folder: RunFolder) -> tuple[int, float] | None:
        """Return pid and start time of the process that works on a run, if there is one."""
        child = self._children.get(folder.number)
        if child is not None:
            child.poll()
        return next((one for one in _processes(folder) if is_alive(*one)), None)

    def _without_process(self, folder: RunFolder, state: RunState) -> RunState:
        """Return the state of a run that no process works on; it was read after the process was gone."""
        is_waiting = state.status == "queued" and not (folder.path / _LAUNCH_FILE).exists()
        if is_waiting or state.status not in ("queued", "running"):
            return state
        tail = end_of(folder.log_file, 2000).strip().splitlines()[-1:]
        message = ": ".join(["the trainer ended without a word", *tail])
        return dataclasses.replace(state, status="died", message=message)

    def _kill_later(self, folder: RunFolder, owner: tuple[int, float]) -> None:
        if not wait_until_gone(*owner, self._grace_s):
            end_group(*owner, signal.SIGKILL)
            wait_until_gone(*owner, self._grace_s)
        with self._guard:
            if folder.path.is_dir() and folder.state().status in ("queued", "running"):
                self._write(folder, "cancelled", "cancelled")

    @staticmethod
    def _write(folder: RunFolder, status: Status, message: str, **changes: Any) -> None:
        folder.write_state(dataclasses.replace(folder.state(), status=status, message=message, **changes))


def _processes(folder: RunFolder) -> Iterator[tuple[int, float]]:
    """Yield pid and start time of the processes that a run names; a broken file names none."""
    with suppress(StudioError):
        state = folder.state()
        if state.pid is not None and state.process_started is not None:
            yield state.pid, state.process_started
    with suppress(StudioError):
        launch = read_json(folder.path / _LAUNCH_FILE) or {}
        pid, started = launch.get("pid"), launch.get("process_started")
        if isinstance(pid, int) and isinstance(started, int | float):
            yield pid, started


def _meta(folder: RunFolder) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a person's name, note and star, and a warning where they can't be read."""
    try:
        return read_json(folder.meta_file) or {}, ()
    except StudioError as error:
        return {}, (f"its name and note are lost: {error.what}",)


def _look(folder: RunFolder) -> tuple[int, ...]:
    """Return sizes and times of the files that tell whether a run is broken."""
    files = (
        folder.config_file,
        folder.state_file,
        folder.result_file,
        folder.calibration_file,
        folder.any_scores_file,
        folder.heldout_file,
        folder.snapshot_file,
        folder.events_file,
    )
    seen: list[int] = []
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            seen += (-1, -1)
        else:
            # Events are written all the time, and only their being there counts.
            seen += (0, 0) if path == folder.events_file else (stat.st_size, stat.st_mtime_ns)
    return tuple(seen)


def _written(folder: RunFolder) -> float:
    """Return when a run was created, in seconds since 1970."""
    path = folder.config_file if folder.config_file.exists() else folder.path
    return path.stat().st_mtime


def _write_start(folder: RunFolder, config: RunConfig, table: LabelTable, states: NDArray[np.int8]) -> None:
    """Write what a run is given; the configuration comes last, as it makes the folder a run."""
    snapshot_of(table, states).save(folder.snapshot_file)
    folder.write_config(dataclasses.replace(config, class_names=table.class_names))


def child_environment(**more: str) -> dict[str, str]:
    """Return the environment of a process that finds this package wherever it lies, and prints at once."""
    parent = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [parent, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


def snapshot_of(table: LabelTable, states: NDArray[np.int8]) -> Snapshot:
    """Return what a run started now is given of a table, with the (N, C) states of that moment."""
    names = (table.image_ids, table.paths, table.class_names, table.splits)
    return Snapshot(states, *(np.array(each, dtype=np.str_) for each in names))


def end_of(file: Path, num_bytes: int) -> str:
    """Return the end of a text file; empty where there is none."""
    if not file.is_file():
        return ""
    with file.open("rb") as log:
        log.seek(max(0, log.seek(0, os.SEEK_END) - num_bytes))
        return log.read().decode(errors="replace")
