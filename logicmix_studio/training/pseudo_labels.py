"""Pseudo-labels inside the training: what the averaged model is sure of, where nobody knows. Numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


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


def count_pseudo(now: NDArray[np.int8], before: NDArray[np.int8], class_names: Sequence[str]) -> dict[str, Any]:
    """Return the counts of an epoch's pseudo-labels for an event; ``changed`` are those unlike the epoch before.

    Args:
        now: (N, C).
        before: (N, C), of the epoch before.
        class_names: C names.
    """
    positive, negative = (now > 0).sum(0), (now < 0).sum(0)
    per_class = zip(class_names, np.stack([positive, negative], 1).tolist(), strict=True)
    return {
        "positive": int(positive.sum()),
        "negative": int(negative.sum()),
        "per_class": dict(per_class),
        "changed": int((now != before).sum()),
    }
