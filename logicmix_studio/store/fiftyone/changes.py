"""What journal lines and proposals do to the documents of the data set: no database here, only values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from bson.raw_bson import RawBSONDocument
from numpy.typing import NDArray

from logicmix_studio.store.fiftyone.claims import ClaimEncoder
from logicmix_studio.store.fiftyone.documents import ImageChange, Placed, claim, known_label
from logicmix_studio.store.ledger import Source
from logicmix_studio.store.line import CellChange, Line

SCORE_ROUNDING = 1e-4
"""Journal lines carry scores with four digits."""


@dataclass(frozen=True)
class RunLimits:
    """From which score on a run's claims count as proposals, by class name, as its proposals were written."""

    run: int = 0
    """0 before the first run."""
    positive: Mapping[str, float] = field(default_factory=dict)
    """The lowest score of a proposed positive."""
    negative: Mapping[str, float] = field(default_factory=dict)
    """The highest score of a proposed negative."""

    @classmethod
    def of(
        cls, run: int, class_names: Sequence[str], proposals: NDArray[np.int8], scores: NDArray[np.floating]
    ) -> RunLimits:
        """Return those of a run's proposals, +1 and -1, with their scores, both (N, C)."""
        lowest = np.where(proposals > 0, scores, np.inf).min(axis=0, initial=np.inf)
        highest = np.where(proposals < 0, scores, -np.inf).max(axis=0, initial=-np.inf)
        positive, negative = (
            {name: at for name, at in zip(class_names, ends.tolist(), strict=True) if np.isfinite(at)}
            for ends in (lowest, highest)
        )
        return cls(run, positive, negative)

    def claim(self, class_name: str, score: float) -> int:
        """Return the proposed state for a score, 0 where it is no proposal."""
        if score >= self.positive.get(class_name, np.inf) - SCORE_ROUNDING:
            return 1
        return -1 if score <= self.negative.get(class_name, -np.inf) + SCORE_ROUNDING else 0


@dataclass
class ProposalJob:
    """A run's proposals on their way into the data set, some images at a time.

    N images, C classes.
    """

    run: int
    image_ids: Sequence[str]
    class_names: Sequence[str]
    proposals: NDArray[np.int8]
    """(N, C): +1 and -1 are claims, 0 none."""
    scores: NDArray[np.floating]
    """(N, C): probabilities in [0, 1]."""
    conflicts: NDArray[np.int8]
    """(N, C): what the model claims against a known label, 0 elsewhere."""
    seq: int
    """The last journal line that the arrays know of."""
    rows: NDArray[np.int64]
    """The images to be written."""
    limits: RunLimits | None = None
    """The scores between which this run makes no proposal, where all images are written: only then they change."""
    shown: str = ""
    """What the proposals were made of."""
    written: int = 0
    """How many of ``rows`` are written."""
    answered: dict[str, dict[str, Placed | None]] = field(default_factory=dict)
    """Cells settled since the job began: their proposal now, or None."""
    is_open: bool = False
    """Whether the writer has begun."""

    def __post_init__(self) -> None:
        """Encode what all images share."""
        self._encoder = ClaimEncoder(self.class_names, self.run)

    @property
    def is_done(self) -> bool:
        """Whether all images are written."""
        return self.written >= len(self.rows)

    @property
    def fraction(self) -> float:
        """How much is written, in [0, 1]."""
        return self.written / max(1, len(self.rows))

    def join(self, newer: ProposalJob, size: int) -> None:
        """Go on with newer arrays of the same run, and write its images, too, unless they come after the next ``size``."""
        to_come = self.rows[self.written + size :]
        self.rows = np.concatenate([self.rows, np.setdiff1d(newer.rows, to_come)])
        self.proposals, self.scores = newer.proposals, newer.scores
        self.conflicts, self.seq = newer.conflicts, newer.seq

    def note_changes(self, changes: Mapping[str, ImageChange]) -> None:
        """Remember decisions that the arrays do not know of."""
        for image_id, change in changes.items():
            returning = {name: proposal for name, (_, proposal) in change.items()}
            self.answered.setdefault(image_id, {}).update(returning)

    def chunk(self, size: int) -> NDArray[np.int64]:
        """Return the next images, as rows."""
        return self.rows[self.written : self.written + size]

    def claims_of(self, row: int) -> dict[str, RawBSONDocument]:
        """Return the labels of an image by field, proposals and conflicts; a field without any is not among them."""
        proposals, conflicts, answered = (
            self.proposals[row],
            self.conflicts[row],
            self.answered.get(self.image_ids[row]),
        )
        if answered:
            is_open = np.array([name not in answered for name in self.class_names])
            proposals, conflicts = proposals * is_open, conflicts * is_open
        back = [one for one in (answered or {}).values() if one is not None]
        return self._encoder.fields(self.image_ids[row], proposals, conflicts, self.scores[row], back)


def changes_of(lines: Iterable[Line], limits: RunLimits) -> dict[str, ImageChange]:
    """Return what lines, oldest first, do to each image; a later answer to a cell replaces an earlier one.

    The limits are of the run whose proposals the data set shows.
    """
    changes: dict[str, ImageChange] = {}
    for line in lines:
        time = datetime.fromisoformat(line.time)
        for cell in line.cells:
            change = _known(line, cell, time), _returning(line, cell, limits)
            changes.setdefault(cell.image_id, {})[cell.class_name] = change
    return changes


def _known(line: Line, cell: CellChange, time: datetime) -> Placed | None:
    state, source, _ = cell.after
    if state == 0:
        return None
    if source == Source.IMPORTED:  # an undo that brings back what the files said: nobody decided it
        return known_label(cell.image_id, cell.class_name, state, source)
    facts = {"run": line.run, "decided_by": line.who, "decided_at": time}
    return known_label(cell.image_id, cell.class_name, state, source, **facts)


def _returning(line: Line, cell: CellChange, limits: RunLimits) -> Placed | None:
    """Return the proposal that stands again where a cell of the shown run is unknown and not unsure."""
    state, _, unsure_run = cell.after
    if state != 0 or cell.score is None or line.run != limits.run or unsure_run == limits.run:
        return None
    proposed = limits.claim(cell.class_name, cell.score)
    return claim(cell.image_id, cell.class_name, proposed, cell.score, limits.run) if proposed else None
