"""The images that the trainer may blend, and what it would learn of them today."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.explore.image_index import JournalIndex
from logicmix_studio.explore.image_query import ImageQuery, find_images
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.store import Dataset
from logicmix_studio.training.data import working_states
from logicmix_studio.training.heldout import TEST_SPLIT, VALIDATION_SPLIT, heldout_mask, trained_states, training_rows
from logicmix_studio.training.run_folder import Snapshot

MOST_SOURCES: Final = 16
"""Most images of one blend; the trainer's own limit."""

Rows = npt.NDArray[np.int64] | Sequence[int]


class SourceImages:
    """The images and cells that a run started now would train on, by the trainer's own rules.

    Images that can't be read are found only when they are looked at; a run leaves them out from the start.
    """

    def __init__(self, dataset: Dataset, proposed: ProposalSet, heldout_share: float) -> None:
        self._dataset, self._proposed, self._heldout_share = dataset, proposed, heldout_share
        self._index = JournalIndex(dataset.ledger)
        table = dataset.table
        names = (table.image_ids, table.paths, table.class_names, table.splits)
        self._snapshot = Snapshot(table.states, *(np.array(each, dtype=np.str_) for each in names))

    @cached_property
    def rows(self) -> npt.NDArray[np.int64]:
        """(T,) the images that are trained on: neither of split test nor of val.

        Raises:
            StudioError: If there is none.
        """
        rows = training_rows(self._snapshot)
        if len(rows) == 0:
            raise StudioError("there are no images to blend", "images of the splits test and val are never blended")
        return rows

    @cached_property
    def heldout(self) -> npt.NDArray[np.bool_]:
        """(N, C), True where a cell is held out of training as soon as it is known."""
        return heldout_mask(self._snapshot, self._heldout_share)

    def working(self, rows: Rows, *, with_pseudo: bool) -> Tensor:
        """Return the (K, C) states that an epoch works with.

        Args:
            rows: K images.
            with_pseudo: Whether pseudo-labels fill what is not known.
        """
        known = trained_states(self._dataset.ledger.states[rows], self.heldout[rows])
        pseudo = self._proposed.array()[rows] if with_pseudo else np.zeros_like(known)
        return working_states(known, pseudo)

    def rows_of(self, image_ids: Sequence[str]) -> list[int]:
        """Return the rows of chosen images, in their order; one may come twice.

        Raises:
            StudioError: If there are none or too many, or one does not exist or is never blended.
        """
        if not 1 <= len(image_ids) <= MOST_SOURCES:
            raise StudioError(
                f"a blend is made of 1 to {MOST_SOURCES} images, not {len(image_ids)}", "choose other images"
            )
        rows = [self._dataset.row_of(image_id) for image_id in image_ids]
        table = self._dataset.table
        for row in rows:
            if table.splits[row] in (TEST_SPLIT, VALIDATION_SPLIT):
                raise StudioError(
                    f"{table.paths[row]} is of split {table.splits[row]}",
                    "images that measure are never blended: choose others",
                )
        return rows

    def find(self, query: ImageQuery) -> npt.NDArray[np.int64]:
        """Return the rows of the images that fit a query and may be blended.

        Raises:
            StudioError: If there is no such class.
        """
        found = find_images(self._dataset, self._proposed, self._index, query).rows
        return found[np.isin(found, self.rows)]
