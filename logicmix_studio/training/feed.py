"""Augmented pixels of the coming steps, made ahead in a thread that lives as long as the run."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from logicmix_studio.images.augment import augment
from logicmix_studio.images.cache import PixelCache
from logicmix_studio.training.draws import StepDraw

STEPS_AHEAD: Final = 3
"""Steps that are prepared while one is computed; at 224 px and a batch of 128 each holds 33 MB of a GPU."""
RESIDENT_SHARE: Final = 0.3
"""Share of a GPU's free memory that the pixels of all images may take."""
_LOAD_ROWS: Final = 1024


class DevicePixels:
    """Pixels of all images where the network computes: copied there once if they fit, else read from the cache.

    Args:
        cache: Pixels of all images, (N, 3, S, S) uint8.
        device: Where they are wanted.
    """

    def __init__(self, cache: PixelCache, device: torch.device) -> None:
        self.cache, self.device = cache, device
        self.resident: Tensor | None = None
        if device.type != "cuda" or not len(cache) or cache.num_uncached:
            return
        needed = len(cache) * 3 * cache.size**2
        if needed <= RESIDENT_SHARE * torch.cuda.mem_get_info(device)[0]:
            resident = torch.empty((len(cache), 3, cache.size, cache.size), dtype=torch.uint8, device=device)
            for start in range(0, len(cache), _LOAD_ROWS):
                rows = np.arange(start, min(start + _LOAD_ROWS, len(cache)))
                resident[start : start + len(rows)].copy_(self._read(rows), non_blocking=True)
            torch.cuda.synchronize(device)  # the feed reads them on another stream
            self.resident = resident

    def rows(self, indices: NDArray[np.int64] | Tensor) -> Tensor:
        """Return the pixels of some images, (n, 3, S, S) uint8 on the device."""
        if self.resident is not None:
            places = torch.as_tensor(indices).to(self.device, non_blocking=True)
            return self.resident.index_select(0, places)
        return self._read(indices).to(self.device, non_blocking=True)

    def _read(self, indices: NDArray[np.int64] | Tensor) -> Tensor:
        """Read from the cache; for a GPU into pinned memory, from which a copy needs no waiting."""
        if self.device.type != "cuda":
            return self.cache.rows(indices)
        shape = (len(indices), 3, self.cache.size, self.cache.size)
        return self.cache.rows(indices, out=torch.empty(shape, dtype=torch.uint8, pin_memory=True))


@dataclass(frozen=True)
class Prepared:
    """One step of one process, up to the augmented pixels."""

    whole: StepDraw
    """Of all processes together."""
    draw: StepDraw
    """Of this process's anchors."""
    pixels: Tensor
    """(U, 3, S, S) uint8, augmented, on the device."""
    is_ready: Any = None
    """On a GPU: the event after which the pixels are there."""


class Feed:
    """Prepares steps in their order, some ahead, also across epochs.

    On a GPU the work goes to a stream of its own, beside the network's.

    Args:
        draw: Gives the draw of a step and this process's part of it, by epoch and step.
        pixels: Where the pixels come from.
        cache_rows: (T,) int64, where each training image stands among them.
        steps_per_epoch: Optimiser steps in an epoch.
        num_steps: Optimiser steps in the run.
    """

    def __init__(
        self,
        draw: Callable[[int, int], tuple[StepDraw, StepDraw]],
        pixels: DevicePixels,
        cache_rows: Tensor,
        steps_per_epoch: int,
        num_steps: int,
    ) -> None:
        self._draw, self._pixels, self._cache_rows = draw, pixels, cache_rows
        self._steps_per_epoch, self._num_steps = steps_per_epoch, num_steps
        is_cuda = pixels.device.type == "cuda"
        self._stream = torch.cuda.Stream(pixels.device) if is_cuda else None  # type: ignore[no-untyped-call]
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._ahead: deque[tuple[int, Future[Prepared]]] = deque()
        self._wait_s = 0.0

    def take(self, epoch: int, step: int) -> Prepared:
        """Return a step, both numbers from 0; the ones after it are prepared meanwhile."""
        wanted = epoch * self._steps_per_epoch + step
        while self._ahead and self._ahead[0][0] != wanted:
            self._ahead.popleft()[1].cancel()
        following = self._ahead[-1][0] + 1 if self._ahead else wanted
        for number in range(following, min(wanted + STEPS_AHEAD + 1, max(self._num_steps, wanted + 1))):
            self._ahead.append((number, self._pool.submit(self._prepare, number)))
        began = time.perf_counter()
        prepared = self._ahead.popleft()[1].result()
        self._wait_s += time.perf_counter() - began
        if prepared.is_ready is not None:
            stream = torch.cuda.current_stream(self._pixels.device)
            stream.wait_event(prepared.is_ready)
            prepared.pixels.record_stream(stream)
        return prepared

    def take_wait(self) -> float:
        """Return for how many seconds steps had to wait for their pixels since this was last asked."""
        waited, self._wait_s = self._wait_s, 0.0
        return waited

    def close(self) -> None:
        """End the thread."""
        self._ahead.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _prepare(self, number: int) -> Prepared:
        whole, draw = self._draw(*divmod(number, self._steps_per_epoch))
        with torch.cuda.stream(self._stream):
            pixels = augment(self._pixels.rows(self._cache_rows[draw.rows]), draw.augmentation)
            return Prepared(whole, draw, pixels, self._stream.record_event() if self._stream else None)
