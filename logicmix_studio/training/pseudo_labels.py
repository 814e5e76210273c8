"""Pseudo-labels inside the training: what the averaged model is sure of, where nobody knows. Numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PseudoCounts:
    """How many pseudo-labels there are, and how many differ from those before."""

    positive: NDArray[np.int64]
    """(C,)."""
    negative: NDArray[np.int64]
    """(C,)."""
    changed: int
    """Cells whose pseudo-label appeared, vanished or turned."""


def pseudo_states(
    logits: NDArray[np.float32], known: NDArray[np.int8], positive_logit: float, negative_logit: float
) -> NDArray[np.int8]:
    """Return hard pseudo-labels, computed anew from nothing but these logits.

    Args:
        logits: (N, C); nan gives no pseudo-label.
        known: (N, C) states; only unknown cells get a pseudo-label.
        positive_logit: A logit above it is positive.
        negative_logit: A logit below it is negative.

    Returns:
        (N, C) int8: +1, -1, and 0 where there is none.
    """
    claimed = (logits > positive_logit).astype(np.int8) - (logits < negative_logit).astype(np.int8)
    return np.where(known == 0, claimed, 0).astype(np.int8)


def count_pseudo(now: NDArray[np.int8], before: NDArray[np.int8]) -> PseudoCounts:
    """Count the pseudo-labels of an epoch against those of the epoch before; both (N, C)."""
    return PseudoCounts((now > 0).sum(0), (now < 0).sum(0), int((now != before).sum()))


def describe_counts(counts: PseudoCounts, class_names: list[str]) -> dict[str, Any]:
    """Return the counts for an event, per class by name."""
    per_class = {
        name: [int(positive), int(negative)]
        for name, positive, negative in zip(class_names, counts.positive, counts.negative, strict=True)
    }
    return {
        "positive": int(counts.positive.sum()),
        "negative": int(counts.negative.sum()),
        "per_class": per_class,
        "changed": counts.changed,
    }
