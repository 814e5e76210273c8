"""Adam with weight decay on matrices only."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn


def make_optimizer(model: nn.Module, learning_rate: float, weight_decay: float) -> torch.optim.Adam:
    """Return Adam, as one kernel on a GPU; biases, norms and other vectors have no weight decay."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.Adam(groups, lr=learning_rate, fused=parameters[0].device.type == "cuda")


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimiser's tensors, named by parameter number and kind."""
    state = optimizer.state_dict()["state"]
    return {
        f"{number}.{kind}": torch.as_tensor(value) for number, kinds in state.items() for kind, value in kinds.items()
    }


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`optimizer_tensors` returned."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, kind = name.split(".", 1)
        state.setdefault(int(number), {})[kind] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict(cast("dict[str, object]", {"state": state, "param_groups": groups}))
