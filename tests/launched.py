"""A studio launched as people launch it, a client that asks it, and a Chromium that looks at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from gradio_client import Client
from playwright.sync_api import Browser, sync_playwright

from logicmix_studio.store import ServerInfo, locate_workspace, server_of
from tests.browser.conftest import ARGUMENTS, find_chromium
from tests.review_server import connect

START_SECONDS = 180.0
STOP_SECONDS = 60.0
LOOK_SECONDS = 0.1
ENDED_BADLY = ("failed", "died", "cancelled")


class LaunchedStudio:
    """One process of the command line that serves a data set.

    Attributes:
        folder: The data set.
        url: Where it is served, without a slash at the end.
        process: The process, while it runs.
    """

    def __init__(self, folder: Path, command: Sequence[str], log: Path) -> None:
        """Prepare ``logicmix-studio *command``; what it prints goes into ``log``."""
        self.folder = folder
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, "-m", "logicmix_studio", *command]
        self._log = log
        self._client: Client | None = None

    @classmethod
    def demo(cls, folder: Path, *, images: int, who: str = "ada") -> Self:
        """Prepare the demo in a folder, without a first round."""
        command = ["demo", "--folder", str(folder), "--images", str(images), "--no-train", "--no-browser"]
        return cls(folder, [*command, "--port", "0", "--who", who], folder.with_name(f"{folder.name}.log"))

    @classmethod
    def launch(cls, folder: Path, *, who: str = "ada", more: Sequence[str] = ()) -> Self:
        """Prepare a data set that has been imported, with further options."""
        command = ["launch", str(folder), "--no-browser", "--port", "0", "--who", who, *more]
        return cls(folder, command, folder.with_name(f"{folder.name}.log"))

    def start(self) -> Self:
        """Start it and wait until it answers."""
        environ = {name: value for name, value in os.environ.items() if "FIFTYONE_DATABASE" not in name}
        environ |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, env=environ)
        server = wait_until(self._announced, START_SECONDS, f"the studio did not start; see {self._log}")
        self.url = server.url.rstrip("/")
        self._client = connect(self.url, server.token)
        return self

    def stop(self) -> int | None:
        """End it as Ctrl-C does, wait and return its exit code; it is killed where that takes too long."""
        self._hang_up()
        if self.process is None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()
        finally:
            self.process = None

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None
        self._hang_up()

    def printed(self) -> str:
        """Return what it has printed so far, in all its lives."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def ask(self, name: str, **arguments: Any) -> Any:
        """Call a function that the page offers to programs.

        Args:
            name: Its name, for example ``decide``.
            **arguments: What it takes.
        """
        assert self._client is not None, "the studio has not been started"
        return self._client.predict(**arguments, api_name=f"/{name}")

    def train(self, recipe: str, seconds: float, **start: Any) -> int:
        """Start a run and wait until it has finished and its pseudo-labels stand."""
        run = int(self.ask("train", recipe=recipe, **start))
        self.wait_for_run(run, seconds)
        return run

    def wait_for_run(self, run: int, seconds: float) -> None:
        """Wait until a run has finished and, chosen by hand, makes the pseudo-labels."""
        wait_until(lambda: self._has_ended(run), seconds, f"run {run} did not end in {seconds:.0f} s")
        self.ask("choose_run", run=run)
        labels = lambda: [one["run"] for one in self.ask("pseudo_labels", limit=1)]  # noqa: E731
        wait_until(lambda: labels() == [run], START_SECONDS, f"run {run} was not taken")

    def _has_ended(self, run: int) -> bool:
        info = next(info for info in self.ask("runs") if info["run"] == run)
        if info["status"] in ENDED_BADLY:
            raise RuntimeError(f"run {run} {info['status']}: {info['message']}")
        return bool(info["status"] == "finished")

    def _announced(self) -> ServerInfo | None:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"the studio ended at once:\n{self.printed()}")
        server = server_of(locate_workspace(self.folder))
        return server if server is not None and server.pid == self.process.pid and server.url else None

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def wait_until(find: Callable[[], Any], seconds: float, message: str) -> Any:
    """Ask until there is an answer and return it.

    Raises:
        TimeoutError: With the message, after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := find()):
        if time.monotonic() > deadline:
            raise TimeoutError(message)
        time.sleep(LOOK_SECONDS)
    return found


def action_id() -> str:
    """Return an id that no other action has."""
    return uuid.uuid4().hex


@contextmanager
def chromium() -> Iterator[Browser]:
    """Open a Chromium that calls nobody by itself; Playwright's own where the machine has none."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
