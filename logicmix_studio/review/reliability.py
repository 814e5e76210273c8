"""What scores promise against what turns out to be so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from logicmix_studio.labels import POSITIVE, UNKNOWN
from logicmix_studio.review.intervals import clopper_pearson

NUM_BINS = 10
"""Bins of a reliability curve."""


def reliability_curve(scores: NDArray[np.floating[Any]], states: NDArray[np.int8]) -> pd.DataFrame:
    """Return what was claimed against what was so, a row for each of ten bins of scores with at least one known cell.

    Scores and states are of one shape; unknown cells are left out.

    Returns:
        claimed (mean score), observed (share that is positive), lower and upper end of its exact interval, cells.
    """
    is_known = states != UNKNOWN
    cells = pd.DataFrame({"claimed": scores[is_known].astype(np.float64), "observed": states[is_known] == POSITIVE})
    bins = np.minimum((cells["claimed"] * NUM_BINS).astype(np.int64), NUM_BINS - 1)
    curve = cells.groupby(bins).mean()
    total = bins.value_counts().sort_index().to_numpy()
    curve["lower"], curve["upper"] = clopper_pearson((curve["observed"] * total).round(), total)
    return curve.assign(cells=total).reset_index(drop=True)
