"""Keeps the FiftyOne data set behind the ledger while a studio is open, and opens the FiftyOne App on it."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.attach import DATABASE_VARIABLE, attach, identity_of
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.store.fiftyone.sync_worker import Mirror
from logicmix_studio.studio import Studio

LOOK_SECONDS = 1.0
"""How often thresholds and the current run are compared with what the data set shows."""
APP_SECONDS = 90.0
"""The FiftyOne App imports FiftyOne first, which takes seconds on a busy machine."""
APP_LOOK_SECONDS = 0.25

_log = logging.getLogger(__name__)


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
    """

    def __init__(self, studio: Studio) -> None:
        """Prepare the link; nothing is started."""
        self._studio = studio
        self._mongod = Mongod(studio.workspace.database)
        self._mirror: Mirror | None = None
        self._app: _App | None = None
        self._app_guard = threading.Lock()
        self._message = "waiting"
        self._failed = False
        self._attached = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="dataset-link", daemon=True)

    def start(self) -> None:
        """Start mongod, then attach the data set in the background; call it from the main thread."""
        self._mongod.ensure()
        self._thread.start()

    @property
    def status(self) -> SyncStatus:
        """How the data set is doing."""
        mirror = self._mirror
        if mirror is None:
            return SyncStatus("down" if self._failed else "starting", self._message)
        seen = mirror.status()
        if seen.error:
            return SyncStatus(
                "down",
                f"the database does not answer; decisions are safe in the journal: {seen.error}",
                seen.lag,
            )
        if seen.lag or seen.proposals_fraction is not None:
            return SyncStatus(
                "behind", "writing into the FiftyOne data set", seen.lag, seen.proposals_fraction
            )
        return SyncStatus("ready", f"FiftyOne data set {mirror.dataset_name!r} is up to date")

    def wait_until_written(self, seconds: float) -> bool:
        """Wait until the data set holds everything handed in so far; return whether it does."""
        if not self._attached.wait(seconds) or self._mirror is None:
            return False
        return self._mirror.flush(seconds)

    def open_app(self, image_ids: Sequence[str] | None = None) -> str:
        """Start the FiftyOne App on 127.0.0.1 unless it runs, and return the page's address.

        Args:
            image_ids: Show only these images, as the saved view "from the studio".

        Raises:
            StudioError: If the data set or the App can't be had.
        """
        mirror = self._ready_mirror()
        with self._app_guard:
            if self._app is None or not self._app.is_alive:
                self._app = _App(self._mongod.ensure(), identity_of(self._studio.workspace).database)
            self._app.wait_until_it_answers()
            url = f"http://127.0.0.1:{self._app.port}/datasets/{urllib.parse.quote(mirror.dataset_name)}"
        if image_ids is None:
            return url
        return f"{url}?view={mirror.save_selection(image_ids)}"

    def close(self) -> None:
        """Write what is left, end the App and mongod; a second call does nothing."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._app is not None:
            self._app.stop()
            self._app = None
        if self._mirror is not None:
            self._mirror.close()
            self._mirror = None
        self._mongod.stop()

    # the thread --------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._attach()
        except StudioError as error:
            self._failed, self._message = True, str(error)
            _log.warning("no FiftyOne data set: %s", error)
        except Exception as error:
            self._failed, self._message = True, f"{type(error).__name__}: {error}"
            _log.exception("the FiftyOne data set could not be attached")
        finally:
            self._attached.set()
        if not self._failed:
            self._follow()

    def _attach(self) -> None:
        ledger = self._studio.ledger

        def say(done: int, total: int, what: str) -> None:
            self._message = f"{what} ({done:,} of {total:,})" if total > 1 else what

        mirror = attach(self._studio.workspace, self._studio.table, self._mongod, progress=say)
        with ledger.lock:
            mirror.replay(ledger.lines)
            ledger.listen(mirror.submit)
        mirror.start()
        self._mirror = mirror

    def _follow(self) -> None:
        shown: tuple[int, str] | None = None
        while not self._closing.wait(LOOK_SECONDS):
            current = self._studio.current
            if current is None:
                continue
            wanted = (current.run, json.dumps(self._studio.settings.get("thresholds", {}), sort_keys=True))
            if wanted != shown:
                self._write_proposals()
                shown = wanted

    def _write_proposals(self) -> None:
        current, mirror = self._studio.current, self._mirror
        if current is None or mirror is None:
            return
        with self._studio.ledger.lock:
            seq = self._studio.ledger.seq
            proposals = self._studio.propose(current)
            conflicts = self._studio.conflicts_array(current)
        mirror.write_proposals(current.run, proposals, current.scores, conflicts, seq=seq)

    def _ready_mirror(self) -> Mirror:
        if not self._attached.is_set():
            raise StudioError(
                f"the FiftyOne data set is being prepared: {self._message}", "try again in some seconds"
            )
        if self._mirror is None:
            raise StudioError(f"there is no FiftyOne data set: {self._message}", "see logicmix-studio doctor")
        return self._mirror


class _App:
    """The FiftyOne App's server in a process of its own, on 127.0.0.1: it has no login."""

    def __init__(self, uri: str, database: str) -> None:
        environ = dict(os.environ)
        prepare_environment(environ, database_uri=uri)
        environ[DATABASE_VARIABLE] = database
        self.port = _free_port()
        command = [
            sys.executable,
            "-m",
            "fiftyone.server.main",
            "--port",
            str(self.port),
            "--address",
            "127.0.0.1",
        ]
        self._process = subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + APP_SECONDS
        while time.monotonic() < deadline:
            if not self.is_alive:
                raise StudioError(
                    f"the FiftyOne App ended with code {self._process.returncode}",
                    "see logicmix-studio doctor",
                )
            with socket.socket() as probe:
                probe.settimeout(APP_LOOK_SECONDS)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(APP_LOOK_SECONDS)
        raise StudioError(f"the FiftyOne App did not answer within {APP_SECONDS:.0f} s", "try again")

    def stop(self) -> None:
        if not self.is_alive:
            return
        family = [
            *psutil.Process(self._process.pid).children(recursive=True),
            psutil.Process(self._process.pid),
        ]
        for process in family:
            process.terminate()
        for process in psutil.wait_procs(family, timeout=5)[1]:
            process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
