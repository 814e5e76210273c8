"""How many cells a threshold covers, answered at once while a slider moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.labels import POSITIVE
from logicmix_studio.review.proposals import Thresholds
from logicmix_studio.review.score_bits import negative_cut, positive_cut, score_bits

_CLOSED = np.uint16(65535)


class Coverage:
    """The scores of all open cells, sorted once class by class.

    Sorting 8 million cells takes some tenths of a second; an answer takes microseconds a class and is exact.

    Args:
        scores: (N, C) float16, calibrated, in [0, 1].
        is_open: (N, C), True where a cell may be proposed; see `open_cells`.
    """

    def __init__(self, scores: NDArray[np.float16], is_open: NDArray[np.bool_]) -> None:
        by_class = np.where(is_open, score_bits(scores), _CLOSED).T
        self._bits = np.sort(by_class, axis=1, kind="stable")
        self._num_open = np.count_nonzero(is_open, axis=0)

    @property
    def num_open(self) -> NDArray[np.int64]:
        """(C,) the number of open cells of each class."""
        return np.asarray(self._num_open, dtype=np.int64)

    def count(self, thresholds: Thresholds) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the number of proposed positives and of proposed negatives of each class, (C,) both.

        Args:
            thresholds: For C classes.
        """
        lowest = positive_cut(thresholds.positive)
        highest = negative_cut(thresholds.negative)
        positive = [self._at_least(index, int(bits)) for index, bits in enumerate(lowest)]
        negative = [self._at_most(index, int(bits)) for index, bits in enumerate(highest)]
        return np.array(positive, dtype=np.int64), np.array(negative, dtype=np.int64)

    def count_class(self, class_index: int, sign: int, threshold: float) -> int:
        """Return how many cells of one class and sign a threshold in [0.5, 1] covers.

        Args:
            class_index: The class.
            sign: `POSITIVE` or `NEGATIVE`.
            threshold: Confidence to reach.
        """
        if sign == POSITIVE:
            return self._at_least(class_index, int(positive_cut(threshold)))
        return self._at_most(class_index, int(negative_cut(threshold)))

    def _at_least(self, class_index: int, bits: int) -> int:
        below = np.searchsorted(self._bits[class_index], np.uint16(bits), side="left")
        return int(self._num_open[class_index] - below)

    def _at_most(self, class_index: int, bits: int) -> int:
        return int(np.searchsorted(self._bits[class_index], np.uint16(bits), side="right"))
