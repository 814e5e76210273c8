"""A process named by its pid and the time it started, so that a pid used again is not mistaken for it."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

import psutil

NICENESS_VARIABLE, NICENESS = "LOGICMIX_NICENESS", 10
"""Of work beside a studio that people use; the variable names another."""
_FULL, _LONG_S = 2, 0.03
"""The oldest generation of Python's garbage collection, and a pause that people notice when many are at work."""
_TRIES, _PAUSE_S = 10, 0.11
"""Linux takes a session's niceness from ten processes a second at the most, unless an administrator's."""
_SLACK_S = 1.0
"""Two readings of one process's start time may differ by a clock tick."""


def start_time(pid: int | None = None) -> float | None:
    """Return when a process started, in seconds since 1970, or None where it is gone; this one unless named."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(pid: int | None, started: float | None) -> bool:
    """Return whether this very process runs; ``started`` is what :func:`start_time` said then."""
    if pid is None or started is None:
        return False
    now = start_time(pid)
    return now is not None and abs(now - started) < _SLACK_S


def be_nice(niceness: int | None = None) -> None:
    """Lower the priority of this process, and of its session where it leads one.

    Linux shares a processor between sessions first (``sched_autogroup_enabled``), whatever their processes' niceness is.
    """
    if niceness is None:
        niceness = int(os.environ.get(NICENESS_VARIABLE, NICENESS))
    os.nice(max(0, niceness - os.nice(0)))
    if niceness and os.getsid(0) == os.getpid():
        with suppress(OSError), open("/proc/self/autogroup", "wb", buffering=0) as group:  # a system may know none
            for _ in range(_TRIES):
                if group.write(str(niceness).encode()):
                    break
                time.sleep(_PAUSE_S)


def keep_pauses_short() -> None:
    """Keep what exists now out of Python's garbage collection, and again what a long collection left.

    A full collection walks through every object, and no thread answers meanwhile: 270 ms after the page is built. Cycles
    among what is kept out are not freed any more; what outlives a long collection hardly ever becomes one.
    """
    began = 0.0

    def watch(phase: str, info: Mapping[str, int]) -> None:
        nonlocal began
        if info["generation"] == _FULL and phase == "start":
            began = time.perf_counter()
        elif info["generation"] == _FULL and time.perf_counter() - began > _LONG_S:
            gc.freeze()

    gc.freeze()
    gc.callbacks.append(watch)
    for undo in (
        gc.unfreeze,
        partial(gc.callbacks.remove, watch),
    ):  # some libraries complain of what is left at the end
        atexit.register(undo)


def end_group(pid: int, started: float, sent: signal.Signals) -> None:
    """Send a signal to the process and to all of its group; a process that is gone is left alone."""
    if not is_alive(pid, started):
        return
    try:
        os.killpg(os.getpgid(pid), sent)
    except ProcessLookupError:
        return
    except PermissionError:
        os.kill(pid, sent)


def wait_until_gone(pid: int, started: float, seconds: float) -> bool:
    """Wait for a process to end, ``seconds`` at most, and return whether it has."""
    deadline = time.monotonic() + seconds
    while is_alive(pid, started):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        try:
            psutil.Process(pid).wait(timeout=min(left, 0.1))
        except (psutil.TimeoutExpired, psutil.NoSuchProcess):
            continue
    return True
