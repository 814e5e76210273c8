"""A studio launched as people launch it, a client that answers in it, and a Chromium that looks at it."""

from __future__ import annotations

import json
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

import httpx
from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, find_chromium

START_SECONDS = 120.0
STOP_SECONDS = 30.0
LOOK_SECONDS = 0.1
REQUEST_SECONDS = 120.0


class LaunchedStudio:
    """One process of the command line that serves a data set.

    Attributes:
        folder: The data set.
        url: Where it is served, without a slash at the end.
    """

    def __init__(self, folder: Path, command: Sequence[str], log: Path) -> None:
        """Prepare ``logicmix-studio *command``; what it prints goes into ``log``."""
        self.folder = folder
        self.url = ""
        self._command = [sys.executable, "-m", "logicmix_studio", *command]
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    @classmethod
    def demo(cls, folder: Path, *, images: int, who: str = "ada") -> Self:
        """Prepare the demo in a folder, without a first round."""
        command = ["demo", "--folder", str(folder), "--images", str(images), "--no-train", "--no-browser"]
        return cls(folder, [*command, "--port", "0", "--who", who], folder.with_name(f"{folder.name}.log"))

    @classmethod
    def launch(cls, folder: Path, *, who: str = "ada") -> Self:
        """Prepare a data set that has been imported."""
        command = ["launch", str(folder), "--no-browser", "--port", "0", "--who", who]
        return cls(folder, command, folder.with_name(f"{folder.name}.log"))

    def start(self) -> Self:
        """Start it and wait until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": os.getcwd()}
            )
        server = wait_until(self._announced, START_SECONDS, f"the studio did not start; see {self._log}")
        self.url = server["url"].rstrip("/")
        self._client = httpx.Client(
            base_url=self.url, headers={"x-logicmix-token": server["token"]}, timeout=REQUEST_SECONDS
        )
        return self

    def stop(self) -> None:
        """End it as Ctrl-C does and wait; it is killed where that takes too long."""
        if self._client is not None:
            self._client.close()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def get(self, path: str, **params: Any) -> Any:
        """GET JSON."""
        return self._answer("GET", path, params=params)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """POST JSON."""
        return self._answer("POST", path, json=body)

    def pulse(self) -> dict[str, Any]:
        """Return what the page asks for all the time."""
        found: dict[str, Any] = self.get("/api/session/pulse")
        return found

    def train(self, recipe: str, seconds: float, **start: Any) -> int:
        """Start a run and wait until it has finished and its pseudo-labels stand."""
        run = int(self.post("/api/train/start", {"recipe": recipe, **start})["run"])
        self.wait_for_run(run, seconds)
        return run

    def wait_for_run(self, run: int, seconds: float) -> None:
        """Wait until a run has finished and the studio has taken its scores."""
        wait_until(lambda: self._has_ended(run), seconds, f"run {run} did not end in {seconds:.0f} s")
        is_taken = lambda: run in self.get("/api/browse")["runs"]  # noqa: E731
        wait_until(is_taken, START_SECONDS, f"run {run} was not taken")

    def _has_ended(self, run: int) -> bool:
        card = next(card for card in self.get("/api/train/runs")["runs"] if card["run"] == run)
        if card["status"] in ("failed", "died", "cancelled"):
            raise RuntimeError(f"run {run} {card['status']}: {card['message']}")
        return bool(card["status"] == "finished")

    def _answer(self, method: str, path: str, **request: Any) -> Any:
        assert self._client is not None, "the studio has not been started"
        reply = self._client.request(method, path, **request)
        if reply.is_error:
            raise RuntimeError(f"{method} {path}: {reply.status_code} {reply.text}")
        return reply.json()

    def _announced(self) -> dict[str, Any] | None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the studio ended at once:\n{self._log.read_text(errors='replace')}")
        try:
            content: dict[str, Any] = json.loads((self.folder / ".logicmix" / "server.json").read_text())
        except (OSError, ValueError):
            return None
        return content if content["pid"] == self._process.pid and content["url"] else None

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
