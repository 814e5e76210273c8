"""How the trainer says what it does: events, state and progress."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Literal

import psutil

from logicmix_studio.training.run_folder import EventWriter, RunFolder, RunState, Status

_WRITE_EVERY_S = 0.5
_MIN_FRACTION = 0.02

Level = Literal["info", "warning", "error"]


class Reporter:
    """Writes ``events.jsonl`` and ``state.json`` of one run.

    Args:
        folder: The run.
        is_silent: Write nothing; for the processes beside the first one.
        clock: Monotonic seconds.
    """

    def __init__(
        self, folder: RunFolder, *, is_silent: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._events = None if is_silent else EventWriter(folder.events_file)
        self._process_started = float(psutil.Process().create_time())
        self._low, self._high = 0.0, 1.0
        self._fraction = 0.0
        self._first: tuple[float, float] | None = None
        self._message = ""
        self._next_write = 0.0

    def event(self, event: str, **values: object) -> None:
        """Append one event."""
        if self._events is not None:
            self._events.write(event, **values)

    def message(self, text: str, level: Level = "info") -> None:
        """Say something that a person should read."""
        self.event("message", level=level, text=text)

    def stage(self, text: str, low: float, high: float) -> None:
        """Begin a part of the work.

        Args:
            text: What is going on, in words.
            low: Share of the whole work that is done when it begins.
            high: Share that is done when it ends.
        """
        self.event("stage", text=text)
        self._message, self._low, self._high = text, low, high
        self._fraction = low
        self.state("running")

    def progress(self, done: int, total: int, text: str | None = None) -> None:
        """Tell how far the current part is; written a few times a second at most."""
        share = done / total if total else 1.0
        self._fraction = self._low + (self._high - self._low) * min(share, 1.0)
        if self._first is None:
            self._first = (self._clock(), self._fraction)
        if text is not None:
            self._message = text
        if self._clock() >= self._next_write:
            self.state("running")

    def state(self, status: Status, message: str | None = None) -> None:
        """Write where the run stands, at once."""
        self._next_write = self._clock() + _WRITE_EVERY_S
        if self._events is None:
            return
        self._folder.write_state(
            RunState(
                status=status,
                message=self._message if message is None else message,
                fraction=1.0 if status == "finished" else round(self._fraction, 4),
                eta_s=self._eta() if status == "running" else None,
                pid=os.getpid(),
                process_started=self._process_started,
            )
        )

    def close(self) -> None:
        """Close the events."""
        if self._events is not None:
            self._events.close()

    def _eta(self) -> float | None:
        if self._first is None:
            return None
        since, fraction_then = self._first
        done = self._fraction - fraction_then
        if done < _MIN_FRACTION:
            return None
        return round((self._clock() - since) / done * (1.0 - self._fraction), 1)
