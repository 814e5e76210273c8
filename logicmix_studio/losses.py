"""Losses for labels of which only a part is known.

With p the score of a class, q = 1 - p, and s a state, the partial asymmetric loss of one cell is

- positive:  q^gamma_positive * -log p
- negative:  (1 - q')^gamma_negative * -log q',  with q' = min(q + shift, 1)
- unknown:   0

The power is a weight: no gradient flows through it (Ridnik et al., "Asymmetric Loss For Multi-Label
Classification", https://arxiv.org/abs/2009.14119). Everything is computed from the logit x in closed form,

- -log p = softplus(-x),  q = sigmoid(-x): exact where 1 - p has no digits left;
- -log q' = -log1p(-t) with t = max(p - shift, 0): well conditioned, as q' >= shift;
- derivative by x: -q^(gamma_positive + 1) for a positive, t^gamma_negative * p * q / q' for a negative with
  p > shift,

so no probability is clamped and the gradient of a hopelessly wrong cell is not lost. Values below half
precision are avoided by computing in float32, whatever the precision of the logits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

__all__ = [
    "MIXED_SETTINGS",
    "ORIGINAL_SETTINGS",
    "AsymmetricSettings",
    "decoupled_partial_asymmetric_loss",
    "partial_asymmetric_loss",
    "partial_bce",
]

Reduction = Literal["none", "sum", "mean"]
"""The loss of each cell (B, C), their sum, or their mean over the known ones (0 where nothing is known)."""


@dataclass(frozen=True, slots=True)
class AsymmetricSettings:
    """Focusing of the partial asymmetric loss, with a check of its ranges."""

    gamma_positive: float
    """Focusing power of positives, 0 or more; 0 weighs all alike."""
    gamma_negative: float
    """Focusing power of negatives, 0 or more."""
    shift: float
    """Score in [0, 1) up to which a negative costs nothing."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.gamma_positive < 0 or self.gamma_negative < 0:
            raise ValueError(f"focusing powers must be 0 or more, not {self.gamma_positive} and {self.gamma_negative}")
        if not 0 <= self.shift < 1:
            raise ValueError(f"shift must lie in [0, 1), not {self.shift}")


ORIGINAL_SETTINGS: Final = AsymmetricSettings(gamma_positive=0, gamma_negative=4, shift=0.05)
"""Released values for samples that are not mixed: few positives, so easy negatives weigh less."""
MIXED_SETTINGS: Final = AsymmetricSettings(gamma_positive=4, gamma_negative=0, shift=0)
"""Released values for blends, the mirror image: OR makes positives plenty, so easy ones weigh less."""


def partial_asymmetric_loss(
    logits: Tensor,
    states: Tensor,
    gamma_positive: float,
    gamma_negative: float,
    shift: float,
    reduction: Reduction = "sum",
) -> Tensor:
    """Return the asymmetric loss over known cells, as float32, or float64 for float64 logits.

    The logits are (B, C) of B images and C classes, of any float type; the states (B, C), values in {-1, 0, 1}:
    unknown cells (0) cost nothing and get no gradient. The settings are those of `AsymmetricSettings`.

    Raises:
        ValueError: Shapes differ, or a setting lies outside its range.
    """
    settings = AsymmetricSettings(gamma_positive, gamma_negative, shift)
    return _reduced(logits, states, ((None, settings),), reduction)


def decoupled_partial_asymmetric_loss(
    logits: Tensor,
    states: Tensor,
    mixed: Tensor,
    original_settings: AsymmetricSettings = ORIGINAL_SETTINGS,
    mixed_settings: AsymmetricSettings = MIXED_SETTINGS,
    reduction: Reduction = "sum",
    *,
    compiled: bool = False,
) -> Tensor:
    """Return the loss of 2WayAug-PL (DP-ASL): one setting for blends and another for the other samples.

    "LogicMix: Sample mixing data augmentation for multi-label image classification with partial labels", Pattern
    Recognition 171 (2026). Published with the sum as its reduction.

    Logits and states are as in `partial_asymmetric_loss`; `mixed` is (B,) bool, True where the row is a blend. On
    the CPU it costs a GPU no waiting. With `compiled` the element-wise part runs through `torch.compile`: the first
    call then takes seconds and needs a compiler.

    Raises:
        ValueError: Shapes differ.
    """
    if mixed.shape != logits.shape[:1]:
        raise ValueError(f"mixed needs one flag a row: {tuple(mixed.shape)} against {tuple(logits.shape)}")
    parts = _parts(mixed, original_settings, mixed_settings, logits.device)
    return _reduced(logits, states, parts, reduction, _compiled_core() if compiled else None)


def partial_bce(logits: Tensor, states: Tensor, reduction: Reduction = "sum") -> Tensor:
    """Return binary cross-entropy over known cells; arguments and errors as in `partial_asymmetric_loss`.

    Durand et al., "Learning a Deep ConvNet for Multi-label Classification with Partial Labels",
    https://arxiv.org/abs/1902.09720, without its normalisation by the known proportion of an image.
    """
    return partial_asymmetric_loss(logits, states, 0, 0, 0, reduction)


_Part = tuple[Tensor | None, AsymmetricSettings]
_Core = Callable[[Tensor, Tensor, AsymmetricSettings], tuple[Tensor, Tensor]]


class _ClosedForm(torch.autograd.Function):
    """Loss of each cell; its derivative comes from the same pass and is kept for the way back."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, states: Tensor, parts: tuple[_Part, ...], core: _Core) -> Tensor:
        x = logits.detach().to(torch.float64 if logits.dtype == torch.float64 else torch.float32)
        loss, gradient = torch.empty_like(x), torch.empty_like(x)
        for rows, settings in parts:
            if rows is None:
                loss, gradient = core(x, states, settings)
            else:
                part_loss, part_gradient = core(x[rows], states[rows], settings)
                loss.index_copy_(0, rows, part_loss)
                gradient.index_copy_(0, rows, part_gradient)
        ctx.save_for_backward(gradient)
        ctx.logits_dtype = logits.dtype
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = ctx.saved_tensors
        return (upstream * gradient).to(ctx.logits_dtype), None, None, None


def _reduced(
    logits: Tensor, states: Tensor, parts: tuple[_Part, ...], reduction: Reduction, core: _Core | None = None
) -> Tensor:
    if logits.shape != states.shape:
        raise ValueError(
            f"logits and labels must have one shape, but have {tuple(logits.shape)} and {tuple(states.shape)}"
        )
    cells: Tensor = _ClosedForm.apply(logits, states, parts, core or _loss_and_gradient)
    if reduction == "none":
        return cells
    if reduction == "sum":
        return cells.sum()
    if reduction == "mean":
        return cells.sum() / states.count_nonzero().clamp(min=1)
    raise ValueError(f"reduction must be 'none', 'sum' or 'mean', not {reduction!r}")


def _parts(
    mixed: Tensor, original: AsymmetricSettings, blended: AsymmetricSettings, device: torch.device
) -> tuple[_Part, ...]:
    """Return which rows take which setting; None stands for all rows."""
    both = [(flags.nonzero().flatten(), focus) for flags, focus in ((~mixed, original), (mixed, blended))]
    used = [(rows, focus) for rows, focus in both if rows.numel()]
    if len(used) < len(both):
        return ((None, used[0][1] if used else original),)
    return tuple((rows.to(device, non_blocking=True), focus) for rows, focus in used)


@cache
def _compiled_core() -> _Core:
    return torch.compile(_loss_and_gradient, dynamic=True)


def _loss_and_gradient(x: Tensor, states: Tensor, settings: AsymmetricSettings) -> tuple[Tensor, Tensor]:
    """Return the loss of each cell and its derivative by the logit, of any shape in float32 or float64.

    Signs and masks are arithmetic on purpose: selecting by a bool mask costs more than a sigmoid.
    """
    sign = states.to(x.dtype)
    if settings.shift == 0:
        return _without_shift(x, sign, settings)
    positive, negative = sign.clamp(min=0), sign.clamp(max=0).neg_()
    score, complement = x.sigmoid(), x.neg().sigmoid_()
    loss, gradient = _shifted_negative(score, complement, settings)
    loss.mul_(negative)
    gradient.mul_(negative)
    weight = _power(complement, settings.gamma_positive)
    positive = positive if weight is None else weight.mul_(positive)
    loss.addcmul_(functional.softplus(-x), positive)
    return loss, gradient.addcmul_(complement, positive, value=-1)


def _shifted_negative(score: Tensor, complement: Tensor, settings: AsymmetricSettings) -> tuple[Tensor, Tensor]:
    """Loss and derivative of a negative whose score is lowered by the shift; takes `score` as its own."""
    excess = (score - settings.shift).clamp_(min=0)
    loss = torch.log1p(-excess).neg_()
    gradient = score.mul_(complement).div_(1 - excess)
    weight = _power(excess, settings.gamma_negative)
    if weight is None:
        # The loss is 0 below the shift by itself; its derivative must be told.
        return loss, gradient.mul_(excess.sign_())
    return loss.mul_(weight), gradient.mul_(weight)


def _without_shift(x: Tensor, sign: Tensor, settings: AsymmetricSettings) -> tuple[Tensor, Tensor]:
    """Both signs by one formula: a negative is a positive of the opposite logit."""
    margin = x * sign
    loss = functional.softplus(-margin).mul_(sign.abs())
    wrong = margin.neg_().sigmoid_()
    gradient = wrong * sign
    for power, part in ((settings.gamma_positive, sign.clamp(min=0)), (settings.gamma_negative, (-sign).clamp_(min=0))):
        weight = _power(wrong, power)
        if weight is not None:
            factor = weight.mul_(part).add_(1 - part)
            loss.mul_(factor)
            gradient.mul_(factor)
    return loss, gradient.neg_()


def _power(base: Tensor, exponent: float) -> Tensor | None:
    """Return the power as a new tensor, or None for the exponent 0, where nothing is to be weighed."""
    if exponent == 0:
        return None
    if exponent == 4:
        return base.square().square_()
    return base.pow(exponent)
