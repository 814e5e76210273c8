"""Several processes that train together, started by ``torchrun``; one process is a group of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from logicmix_studio.errors import StudioError
from logicmix_studio.training.control import Stopped
from logicmix_studio.training.run_folder import Want

T = TypeVar("T")

LONGEST_WAIT: Final = timedelta(days=2)
"""How long processes wait for each other: longer than one of them prepares a large set. A process that dies ends the
wait at once: its connections break, and ``torchrun`` ends the others."""

_WANTS: tuple[Want | None, ...] = (None, "pause", "cancel")
_FAILED: Final = len(_WANTS)
_LOST: Final = ("closed by peer", "reset by peer", "Broken pipe")
"""What gloo says, also from within a backward pass, when the other end is gone."""


@dataclass(frozen=True)
class ProcessGroup:
    """Who trains together. Without a process group every method answers for one process."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run's files."""
        return self.rank == 0

    def rows(self, count: int) -> NDArray[np.int64]:
        """Return this process's rows of ``count``: each row belongs to exactly one process."""
        return np.arange(self.rank, count, self.size)

    def agree(self, want: Want | None) -> None:
        """Leave if any process was asked to, at the same check in all; cancelling goes before pausing.

        Raises:
            Stopped: In every process, if so.
        """
        agreed = _WANTS[self.most(_WANTS.index(want))]
        if agreed is not None:
            raise Stopped(agreed)

    def most(self, number: int) -> int:
        """Return the largest of the processes' numbers. The CPUs talk: no GPU is waited for.

        Raises:
            StudioError: If another process is gone.
        """
        if self.size == 1:
            return number
        shared = torch.tensor(number)
        try:
            dist.all_reduce(shared, op=dist.ReduceOp.MAX)
        except RuntimeError as error:
            raise lost_process() from error
        return int(shared)

    def in_turn(self, work: Callable[[], T]) -> T:
        """Work in the first process, which fills the caches, then in the others, which find them filled.

        Raises:
            StudioError: If the work failed in another process.
            Stopped: In every process, if one of them was asked for it.
        """
        done: list[T] = []
        for is_mine in (self.is_first, not self.is_first):
            code, failure = 0, None
            if is_mine:
                try:
                    done.append(work())
                except Exception as error:  # told to the others, which would wait for ever
                    code, failure = _WANTS.index(error.want) if isinstance(error, Stopped) else _FAILED, error
            agreed = self.most(code)
            if failure is not None:
                raise failure
            if agreed == _FAILED:
                raise StudioError("another process of this run failed", "Its words stand in the run's log.")
            if agreed:
                raise Stopped(_WANTS[agreed] or "cancel")
        return done[0]

    def join(self, rows: NDArray[np.float32], device: torch.device) -> NDArray[np.float32]:
        """Put rows together that each process computed for itself.

        Args:
            rows: (N, ...) with zeros in the rows of other processes.
            device: Where the processes talk.
        """
        if self.size == 1:
            return rows
        shared = torch.from_numpy(rows).to(device)
        dist.all_reduce(shared)
        return np.asarray(shared.cpu().numpy())

    def share(self, module_state: Mapping[str, torch.Tensor]) -> None:
        """Give every process the first one's tensors, in place."""
        if self.size > 1:
            for tensor in module_state.values():
                dist.broadcast(tensor, src=0)

    def wrap(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Return the model with its gradients averaged over all processes."""
        if self.size == 1:
            return model
        return DistributedDataParallel(model, device_ids=[device] if device.type == "cuda" else None)


def lost_process() -> StudioError:
    """Return the error that says that another process of a run is gone."""
    hint = "Its last words stand in the run's log. Resume the run to go on from its checkpoint."
    return StudioError("another process of this run has died", hint)


def is_lost_process(error: Exception) -> bool:
    """Return whether an error says that a process on the other end is gone."""
    return isinstance(error, dist.DistError) or any(words in str(error) for words in _LOST)


def join_processes(environ: Mapping[str, str], device: torch.device) -> ProcessGroup:
    """Join the processes that ``torchrun`` started, if it did.

    Args:
        environ: The process's environment.
        device: Where this process computes; GPUs talk by NCCL, CPUs by gloo.
    """
    size = int(environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ProcessGroup()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo", timeout=LONGEST_WAIT)
    return ProcessGroup(dist.get_rank(), size)


def leave_processes(processes: ProcessGroup) -> None:
    """Leave the processes that trained together."""
    if processes.size > 1:
        dist.destroy_process_group()
