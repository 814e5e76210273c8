"""Several processes that train together, started by ``torchrun``; one process is a group of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from logicmix_studio.training.run_folder import Want

_WANTS: tuple[Want | None, ...] = (None, "pause", "cancel")


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

    def agree(self, want: Want | None, device: torch.device) -> Want | None:
        """Return what any process was asked for, the same in all; cancelling goes before pausing."""
        if self.size == 1:
            return want
        code = torch.tensor(_WANTS.index(want), device=device)
        dist.all_reduce(code, op=dist.ReduceOp.MAX)
        return _WANTS[int(code)]

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

    def barrier(self) -> None:
        """Wait until every process is here."""
        if self.size > 1:
            dist.barrier()


def join_processes(environ: Mapping[str, str], device: torch.device) -> ProcessGroup:
    """Join the processes that ``torchrun`` started, if it did.

    Args:
        environ: The process's environment.
        device: Where this process computes; GPUs talk by NCCL, others by gloo.
    """
    size = int(environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ProcessGroup()
    if device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return ProcessGroup(dist.get_rank(), size)


def leave_processes(processes: ProcessGroup) -> None:
    """Leave the processes that trained together."""
    if processes.size > 1:
        dist.destroy_process_group()
