"""Keeps the FiftyOne data set behind the ledger while a studio is open, and runs the FiftyOne App on it."""

from __future__ import annotations

import bisect
import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import psutil
from numpy.typing import NDArray

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store.dataset import Dataset
from logicmix_studio.store.fiftyone.attach import DATABASE_VARIABLE, attach, identity_of
from logicmix_studio.store.fiftyone.mongod import accepts, free_port
from logicmix_studio.store.fiftyone.own_service import database_of
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker
from logicmix_studio.store.ledger import Ledger
from logicmix_studio.store.line import Line

LOOK_SECONDS = 1.0
"""How often edits made in FiftyOne are looked for, and thresholds and the current run compared with what it shows."""
RETRY_SECONDS = 10.0
"""After how long a data set that could not be had, for a full disk for instance, is tried again."""
APP_START_SECONDS = 90.0
"""The App's server imports FiftyOne first, which takes seconds on a busy machine."""
APP_LOOK_SECONDS = 0.25

_log = logging.getLogger(__name__)


class Proposed(Protocol):
    """What the finished runs claim, as far as the data set shows it."""

    @property
    def version(self) -> tuple[int, int, int]:
        """Its first number rises with every change of the runs."""

    def facts(self) -> dict[int, dict[str, Any]]:
        """Settings and figures of the finished runs by their number, in values that JSON knows; {} of a broken one."""

    @property
    def current(self) -> Any:
        """The number and the (N, C) scores of the current run, or None before the first."""

    def of(self, scores: Any) -> NDArray[np.int8]:
        """Return the (N, C) pseudo-labels of a run."""

    def conflicts(self, scores: Any) -> NDArray[np.int8]:
        """Return the (N, C) states that a run claims against known cells; dismissed conflicts are left out."""


@dataclass(frozen=True)
class SyncStatus:
    """How the FiftyOne data set is doing, for the screen."""

    state: str
    """starting, ready, behind or down."""
    message: str
    """What is going on, in words."""
    lag: int = 0
    """Journal lines that are not in the data set yet."""
    fraction: float | None = None
    """How much of a run's pseudo-labels is written, in [0, 1]; None when none are on their way."""


class DatasetSync:
    """mongod, the FiftyOne data set, and the thread that brings decisions and pseudo-labels into it.

    Decisions never wait for it: the journal holds them, and the data set follows.

    Args:
        dataset: What is known.
        proposed: What the runs claim.
        app_port: Where the FiftyOne App is to listen; 0 takes a free port.
    """

    def __init__(self, dataset: Dataset, proposed: Proposed, *, app_port: int = 0) -> None:
        self._dataset = dataset
        self._proposed = proposed
        self._mongod = database_of(dataset.workspace)
        self._worker: SyncWorker | None = None
        self._app: AppServer | None = None
        self._app_port = app_port
        self._app_guard = threading.Lock()
        self._message = "waiting"
        self._failed = False
        self._attached = threading.Event()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="fiftyone-attach", daemon=True)

    def start(self) -> None:
        """Start mongod, then attach the data set in the background; call it from the main thread.

        A FiftyOne that is imported after this finds our plugin beside the user's own.
        """
        prepare_environment(plugins=self._dataset.workspace.plugins)
        self._mongod.ensure()
        self._thread.start()

    def reload(self, dataset: Dataset, proposed: Proposed) -> None:
        """Go on with labels that were read anew: other classes or images. The data set follows in the background."""
        with self._changed:
            self._dataset, self._proposed = dataset, proposed
            self._attached.clear()
            self._failed, self._message = False, "the labels were read anew"
            self._changed.notify_all()

    @property
    def status(self) -> SyncStatus:
        """How the data set is doing."""
        worker = self._worker
        if worker is None or not self._attached.is_set():
            return SyncStatus("down" if self._failed else "starting", self._message)
        seen = worker.status()
        if seen.error:
            told = f"the database does not answer; decisions are safe in the journal: {seen.error}"
            return SyncStatus("down", told, seen.lag)
        fraction = seen.proposals_fraction
        if seen.lag or fraction is not None:
            return SyncStatus("behind", "writing into the FiftyOne data set", seen.lag, fraction)
        return SyncStatus("ready", f"FiftyOne data set {worker.dataset_name!r} is up to date")

    @property
    def uri(self) -> str:
        """Where the database listens: what FiftyOne's ``FIFTYONE_DATABASE_URI`` takes."""
        return self._mongod.ensure()

    @property
    def dataset_name(self) -> str:
        """The name of the data set; empty until it is there."""
        return "" if self._worker is None else self._worker.dataset_name

    def wait_until_written(self, seconds: float) -> bool:
        """Wait until the data set holds everything handed in so far; return whether it does."""
        if not self._attached.wait(seconds) or self._worker is None:
            return False
        return self._worker.flush(seconds)

    def open_app(self, image_ids: Sequence[str] | None = None) -> str:
        """Start the FiftyOne App on 127.0.0.1 unless it runs, and return the page's address.

        Args:
            image_ids: Show only these images, as the saved view "from the studio".

        Raises:
            StudioError: If the data set or the App can't be had.
        """
        if not self._attached.is_set():
            told = f"the FiftyOne data set is being prepared: {self._message}"
            raise StudioError(told, "try again in some seconds")
        worker = self._worker
        if worker is None:
            raise StudioError(f"there is no FiftyOne data set: {self._message}", "see logicmix-studio doctor")
        with self._app_guard:
            if self._app is None or not self._app.is_alive:
                database = identity_of(self._dataset.workspace).database
                self._app = AppServer(self._mongod.ensure(), database, self._app_port)
            self._app.wait_until_it_answers()
            url = f"{self._app.url}/datasets/{urllib.parse.quote(worker.dataset_name)}"
        return url if image_ids is None else f"{url}?view={worker.save_selection(image_ids)}"

    def close(self) -> None:
        """Write what is left, end the App and mongod; a second call does nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()
        if self._app is not None:
            self._app.stop()
        self._detach()
        self._mongod.stop()

    # the thread --------------------------------------------------------------

    def _work(self) -> None:
        while not self._closing:
            with self._changed:
                dataset, proposed = self._dataset, self._proposed
            try:
                self._attach(dataset)
                self._failed = False
            except StudioError as error:
                if self._message != str(error):
                    _log.warning("no FiftyOne data set: %s", error)
                self._failed, self._message = True, str(error)
            except Exception as error:
                self._failed, self._message = True, f"{type(error).__name__}: {error}"
                _log.exception("the FiftyOne data set could not be attached")
            with self._changed:
                if self._dataset is dataset:
                    self._attached.set()
            self._follow(dataset, proposed, self._worker)
            if not self._closing:
                self._detach()

    def _attach(self, dataset: Dataset) -> None:
        def say(done: int, total: int, what: str) -> None:
            if self._closing:
                raise StudioError("the studio was closed while the data set was made", "launch it again")
            self._message = f"{what} ({done:,} of {total:,})" if total > 1 else what

        worker = attach(dataset.workspace, dataset.ledger, self._mongod, progress=say)
        with dataset.ledger.lock:
            worker.replay(dataset.ledger.lines)
            dataset.ledger.listen(worker.submit)
        worker.start()
        self._worker = worker

    def _detach(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _follow(self, dataset: Dataset, proposed: Proposed, worker: SyncWorker | None) -> None:
        """Write runs and pseudo-labels whenever they change, until the labels are read anew or the studio is closed.

        Without a data set that is some seconds, after which it is tried again.
        """
        if worker is None:
            self._wait(dataset, RETRY_SECONDS)
            return
        ledger, listed = dataset.ledger, -1
        shown, applied = worker.opened_at.shown, worker.opened_at.applied_seq
        seen = bisect.bisect_right(ledger.lines, applied, key=lambda line: line.seq)
        while not self._wait(dataset, LOOK_SECONDS):
            with contextlib.suppress(StudioError, RuntimeError):  # no database (the worker says it), or a closed ledger
                worker.take_edits(ledger)
                if listed != (version := proposed.version[0]):
                    worker.save_runs(proposed.facts())
                    listed = version
            current = proposed.current
            if current is None:
                continue
            wanted = json.dumps([current.run, dataset.settings.get("thresholds", {})], sort_keys=True)
            with ledger.lock:
                lines, seen, seq = ledger.lines[seen:], len(ledger.lines), ledger.seq
            rows = None if wanted != shown else _rows_of_conflicts(lines, ledger)
            if rows is not None and not len(rows):
                continue
            # Without the lock: nobody who decides waits, and what is decided meanwhile is written by the next look.
            proposals, conflicts = proposed.of(current), proposed.conflicts(current)
            worker.write_proposals(current.run, proposals, current.scores, conflicts, seq=seq, rows=rows, shown=wanted)
            shown = wanted

    def _wait(self, dataset: Dataset, seconds: float) -> bool:
        """Wait a moment; return whether there is something else to do than to follow this data set."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closing or self._dataset is not dataset, seconds)


def _rows_of_conflicts(lines: Sequence[Line], ledger: Ledger) -> NDArray[np.int64]:
    """Return the images whose conflicts may have come or gone with these lines.

    An answer takes a cell's conflict away by itself; an undo, a redo or a new state may bring one.
    """
    cells = (cell for line in lines for cell in line.cells)
    rows = {
        ledger.row_of[cell.image_id]
        for cell in cells
        if cell.after.state != UNKNOWN and cell.answer != "accept" and cell.image_id in ledger.row_of
    }
    return np.array(sorted(rows), dtype=np.int64)


class AppServer:
    """The FiftyOne App's server in a process of its own, on 127.0.0.1: it has no login.

    Args:
        uri: Where the database listens.
        database: The database's name.
        port: Where it listens; 0 takes a free port.

    Raises:
        StudioError: Another program listens on this port.
    """

    def __init__(self, uri: str, database: str, port: int = 0) -> None:
        if port and accepts(port, APP_LOOK_SECONDS):
            told = f"the FiftyOne App cannot listen on port {port}: another program does"
            raise StudioError(told, "name another one: --app-port 5152")
        environ = dict(os.environ)
        prepare_environment(environ, database_uri=uri)
        environ[DATABASE_VARIABLE] = database
        self._port = port or free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        command = [sys.executable, "-m", "fiftyone.server.main", "--port", str(self._port)]
        null = subprocess.DEVNULL
        self._process = subprocess.Popen(
            [*command, "--address", "127.0.0.1"], env=environ, stdin=null, stdout=null, stderr=null
        )

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def wait_until_it_answers(self) -> None:
        """Wait until its port is open.

        Raises:
            StudioError: If it ended, or did not answer in time.
        """
        deadline = time.monotonic() + APP_START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_alive:
                code = self._process.returncode
                raise StudioError(f"the FiftyOne App ended with code {code}", "see logicmix-studio doctor")
            if accepts(self._port, APP_LOOK_SECONDS):
                return
            time.sleep(APP_LOOK_SECONDS)
        raise StudioError(f"the FiftyOne App did not answer within {APP_START_SECONDS:.0f} s", "try again")

    def stop(self) -> None:
        """End it and its children."""
        if not self.is_alive:
            return
        own = psutil.Process(self._process.pid)
        family = [*own.children(recursive=True), own]
        for process in family:
            process.terminate()
        for process in psutil.wait_procs(family, timeout=5)[1]:
            process.kill()
        self._process.wait()
