"""Bands of confidence: the grain in which precision is measured."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.review.score_bits import LAST_BIT, negative_cut, positive_cut

BAND_EDGES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Lower ends of the bands; a band reaches up to the next, the last one up to 1 and including it."""

NUM_BANDS = len(BAND_EDGES)


def band_bounds(band: int) -> tuple[float, float]:
    """Return the lower and the upper end of a band."""
    return BAND_EDGES[band], (*BAND_EDGES, 1.0)[band + 1]


@cache
def band_of_bits() -> NDArray[np.int8]:
    """Return (15361,) the band of every score, whichever its side; -1 for 0.5; read-only."""
    edges = np.asarray(BAND_EDGES)
    bits = np.arange(LAST_BIT + 1)
    above = np.searchsorted(positive_cut(edges), bits, side="right") - 1
    below = np.searchsorted(-negative_cut(edges).astype(np.int64), -bits, side="right") - 1
    bands = np.maximum(above, below).astype(np.int8)
    bands.setflags(write=False)
    return bands
