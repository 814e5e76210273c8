"""A studio's server as a process of its own, which can be killed at any moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from gradio_client import Client

from tests.ports import reserved_port

PROGRAM = """
import sys
from logicmix_studio.studio import Studio
from logicmix_studio.app.server import serve
studio = Studio.open(sys.argv[1], who="ada")
serve(studio, port=int(sys.argv[2]), any_port=False, token="token-of-the-test")
"""
TOKEN = "token-of-the-test"
START_SECONDS = 180.0


def connect(url: str, token: str = TOKEN, who: str = "") -> Client:
    """Return a client of a studio's server on this machine, as a program would use it."""
    headers = {"x-logicmix-token": token, **({"x-logicmix-person": who} if who else {})}
    options = {"trust_env": False, "timeout": 120}
    return Client(url, headers=headers, httpx_kwargs=options, verbose=False, analytics_enabled=False)


class ServerProcess:
    """Starts the server of a made data set on one port, again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._place = reserved_port()
        self.port: int = self._place.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
        command = [sys.executable, "-c", PROGRAM, str(self.root), str(self.port)]
        self._process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + START_SECONDS
        while not self._announced():
            assert self._process.poll() is None, "the server ended before it listened"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """End it as a power cut would: no handler runs."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _announced(self) -> bool:
        path = self.root / ".logicmix" / "server.json"
        try:
            content: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            return False
        assert self._process is not None
        return content["pid"] == self._process.pid and bool(content["url"])

    def __enter__(self) -> Self:
        return self.start()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._place.close()

    def __exit__(self, *_: object) -> None:
        self.close()
