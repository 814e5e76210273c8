"""Time a slow and a fast way in turns, so that their ratio holds on a busy machine."""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch


@dataclass(frozen=True)
class Figure:
    """One ratio of one run."""

    name: str
    slow_ms: float
    fast_ms: float
    aim: float
    threads: int
    device: str

    @property
    def ratio(self) -> float:
        """How many times faster the fast way is."""
        return self.slow_ms / self.fast_ms


def arguments(description: str) -> argparse.Namespace:
    """Read the options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def compare(
    name: str,
    slow: Callable[[], object],
    fast: Callable[[], object],
    *,
    aim: float,
    options: argparse.Namespace,
    calls: int = 1,
) -> Figure:
    """Run both ways in turns, `calls` times each, after a warm-up, and keep the medians of one call."""
    times: dict[bool, list[float]] = {True: [], False: []}
    for way in (slow, fast):
        _milliseconds(way, calls, options.device)
    for _ in range(options.rounds):
        times[True].append(_milliseconds(slow, calls, options.device))
        times[False].append(_milliseconds(fast, calls, options.device))
    medians = statistics.median(times[True]), statistics.median(times[False])
    return Figure(name, *medians, aim, options.threads, _device_name(options.device))


def report(figures: Sequence[Figure]) -> None:
    """Print a table for people and a line of JSON for each figure."""
    width = max(len(figure.name) for figure in figures)
    print(f"{'figure':{width}}  {'slow ms':>9}  {'ours ms':>9}  {'ratio':>7}  {'aim':>6}")
    for figure in figures:
        times = f"{figure.slow_ms:9.3f}  {figure.fast_ms:9.3f}"
        print(f"{figure.name:{width}}  {times}  {figure.ratio:6.1f}x  {figure.aim:5.1f}x")
    for figure in figures:
        print(json.dumps(asdict(figure) | {"ratio": round(figure.ratio, 2), "torch": torch.__version__}))


def _milliseconds(way: Callable[[], object], calls: int, device: str) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        way()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return (time.perf_counter() - start) * 1e3 / calls


def _device_name(device: str) -> str:
    if device.startswith("cuda"):
        return torch.cuda.get_device_name()
    return platform.processor() or platform.machine()
