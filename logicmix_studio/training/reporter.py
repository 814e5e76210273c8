"""How the trainer says what it does: events, state, progress, and lines of the log."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import psutil

from logicmix_studio.training.run_folder import EventWriter, RunFolder, RunState, Status

_WRITE_EVERY_S = 0.5
_MIN_FRACTION = 0.02

Level = Literal["info", "warning", "error"]


class Reporter:
    """Writes ``events.jsonl`` and ``state.json`` of one run, and prints what a person should find in its log."""

    def __init__(
        self, folder: RunFolder, *, is_silent: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._events = None if is_silent else EventWriter(folder.events_file)
        self._warnings = folder.state().warnings
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
        if event == "epoch":
            self._print(_epoch_words(values))

    def message(self, text: str, level: Level = "info") -> None:
        """Say something that a person should read; a warning stays with the run."""
        self.event("message", level=level, text=text)
        self._print(text if level == "info" else f"{level}: {text}")
        if level == "warning" and text not in self._warnings:
            self._warnings = (*self._warnings, text)

    def stage(self, text: str, low: float, high: float) -> None:
        """Begin a part of the work.

        Args:
            text: What is going on, in words.
            low: Share of the whole work that is done when it begins.
            high: Share that is done when it ends.
        """
        self.event("stage", text=text)
        self._print(text)
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
                warnings=self._warnings,
            )
        )

    def end(self, status: Status, text: str) -> None:
        """Say how the run ended, and close its files."""
        self.event("end", status=status, text=text)
        self._print(text)
        self.state(status, text)
        self.close()

    def close(self) -> None:
        """Close the events."""
        if self._events is not None:
            self._events.close()

    def _print(self, text: str) -> None:
        if self._events is not None:
            print(time.strftime("%H:%M:%S"), text, flush=True)  # the process's output is the log

    def _eta(self) -> float | None:
        if self._first is None:
            return None
        since, fraction_then = self._first
        done = self._fraction - fraction_then
        if done < _MIN_FRACTION:
            return None
        return round((self._clock() - since) / done * (1.0 - self._fraction), 1)


def _epoch_words(values: Mapping[str, Any]) -> str:
    numbers = {"loss": values.get("loss_original"), "held-out mAP": values.get("map")}
    known = [f"{name} {value:.4g}" for name, value in numbers.items() if value is not None and not math.isnan(value)]
    return f"epoch {values['epoch']} of {values['epochs']}: {', '.join(known) or 'nothing measured'}"
