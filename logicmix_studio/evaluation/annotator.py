"""A simulated person, for trials on data whose complete labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.review.cell_hash import cell_uniform

DEFAULT_ERROR_RATE = 0.02
"""Share of wrong answers of a careful person."""


class SimulatedAnnotator:
    """Answers from the complete labels, wrongly now and then.

    Whether a cell is answered wrongly depends on the seed and the cell alone, not on what was asked before:
    after a restart, and in another order, the same person gives the same answers.

    Args:
        complete: (N, C) in {-1, 0, 1}; 0 where not even the complete labels know: such cells are answered
        "unsure". error_rate: Chance of the opposite answer, in [0, 1]. unsure_rate: Chance of "unsure", in
        [0, 1]. seed: Another seed is another person.
    """

    def __init__(
        self,
        complete: NDArray[np.int8],
        error_rate: float = DEFAULT_ERROR_RATE,
        unsure_rate: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not (error_rate >= 0.0 and unsure_rate >= 0.0 and error_rate + unsure_rate <= 1.0):
            raise StudioError(
                f"A simulated person has an error rate of {error_rate} and an unsure rate of {unsure_rate}.",
                "Choose two numbers from 0 to 1 whose sum is no more than 1.",
            )
        self._complete = complete
        self._error_rate = error_rate
        self._unsure_rate = unsure_rate
        self._seed = seed

    def answer(self, rows: ArrayLike, classes: ArrayLike) -> NDArray[np.int8]:
        """Return the answers to cells: 1 present, -1 absent, 0 unsure.

        Args:
            rows: Images, any shape.
            classes: Classes, the same shape.
        """
        truth: NDArray[np.int8] = self._complete[np.asarray(rows), np.asarray(classes)]
        flat = np.asarray(rows, dtype=np.int64) * self._complete.shape[1] + np.asarray(classes)
        chance: NDArray[Any] = cell_uniform(flat, self._seed)
        answers = np.where(chance < self._error_rate, -truth, truth)
        is_unsure = chance >= 1.0 - self._unsure_rate
        return np.where(is_unsure, 0, answers).astype(np.int8)

    def verdict(self, row: int, class_index: int, sign: int) -> str:
        """Return the answer to one proposal: `accept`, `reject` or `unsure`.

        Args:
            row: The image.
            class_index: The class.
            sign: What is proposed, 1 or -1.
        """
        answer = int(self.answer(row, class_index))
        if answer == 0:
            return "unsure"
        return "accept" if answer == sign else "reject"
