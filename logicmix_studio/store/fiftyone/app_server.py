"""The FiftyOne App's server in a process of its own, on 127.0.0.1: it has no login."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.attach import DATABASE_VARIABLE
from logicmix_studio.store.fiftyone.mongod import accepts, free_port

START_SECONDS = 90.0
"""It imports FiftyOne first, which takes seconds on a busy machine."""
LOOK_SECONDS = 0.25


class AppServer:
    """Starts the App; its pages can be opened once it answers.

    Args:
        uri: Where the database listens.
        database: The database's name.
    """

    def __init__(self, uri: str, database: str) -> None:
        environ = dict(os.environ)
        prepare_environment(environ, database_uri=uri)
        environ[DATABASE_VARIABLE] = database
        self._port = free_port()
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
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if not self.is_alive:
                code = self._process.returncode
                raise StudioError(f"the FiftyOne App ended with code {code}", "see logicmix-studio doctor")
            if accepts(self._port, LOOK_SECONDS):
                return
            time.sleep(LOOK_SECONDS)
        raise StudioError(f"the FiftyOne App did not answer within {START_SECONDS:.0f} s", "try again")

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
