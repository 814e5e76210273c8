"""All that a queue is made from, in one frozen bundle of arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import TEST_SPLIT
from logicmix_studio.review.score_bits import score_bits

NO_RUN = -1
"""The run number before the first run, and of a cell that nobody left as unsure."""


@dataclass(frozen=True)
class CellView:
    """The cells of a data set as a review sees them; N images, C classes.

    The arrays are shared with their owner and never written to. A cell's flat index is `row * C + class`.
    """

    class_names: tuple[str, ...]
    """C names, in column order."""
    states: NDArray[np.int8]
    """(N, C) in {-1, 0, 1}."""
    scores: NDArray[np.float16] | None = None
    """(N, C) calibrated, in [0, 1]; None before the first run."""
    proposals: NDArray[np.int8] | None = None
    """(N, C) +1, -1, or 0 for none; None before the first run."""
    previous: NDArray[np.int8] | None = None
    """(N, C) proposals of the run before; None where there was none."""
    splits: NDArray[np.str_] | None = None
    """(N,) the split of each image; None where there are none."""
    shown: NDArray[np.bool_] | None = None
    """(N, C) True where somebody saw the cell in a review; None for nowhere."""
    unsure_run: NDArray[np.integer[Any]] | None = None
    """(N, C) the run whose queue the cell left as unsure, -1 for never; None for nowhere."""
    dismissed: NDArray[np.bool_] | None = None
    """(N, C) True where a person upheld a known state against the model; None for nowhere."""
    run: int = NO_RUN
    """The run that made the scores."""

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit together."""
        if self.states.ndim != 2 or self.states.shape[1] != len(self.class_names):
            raise StudioError(
                f"The states have shape {self.states.shape}, but there are {len(self.class_names)} classes.",
                "Reload the data set.",
            )
        for name in ("scores", "proposals", "previous", "shown", "unsure_run", "dismissed"):
            array = getattr(self, name)
            if array is not None and array.shape != self.states.shape:
                raise StudioError(
                    f"The {name} have shape {array.shape}, but the states have {self.states.shape}.",
                    "Images or classes came in since that run: train once more.",
                )
        if self.splits is not None and self.splits.shape != self.states.shape[:1]:
            raise StudioError(f"There are {self.splits.shape} splits for {self.states.shape[0]} images.")

    @property
    def num_classes(self) -> int:
        """The number of classes, C."""
        return len(self.class_names)

    @property
    def excluded_rows(self) -> NDArray[np.bool_]:
        """(N,) True for images of the test split, which measure and are never reviewed."""
        if self.splits is None:
            return np.zeros(len(self.states), dtype=np.bool_)
        return np.asarray(self.splits == TEST_SPLIT, dtype=np.bool_)

    @property
    def bits(self) -> NDArray[np.uint16]:
        """(N, C) the bits of the scores, 0.5 everywhere before the first run."""
        if self.scores is None:
            half = np.float16(0.5).view(np.uint16)
            return np.full(self.states.shape, half, dtype=np.uint16)
        return score_bits(self.scores)
