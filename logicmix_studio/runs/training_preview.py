"""What training would see if it were started now, and what the last run changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import changes
from logicmix_studio.review.what_if import (
    OPEN_PSEUDO,
    BlendDifference,
    blend_difference,
    label_difference,
    training_set,
)
from logicmix_studio.runs.jobs import Jobs
from logicmix_studio.runs.scores import snapshot_states
from logicmix_studio.store import Dataset

MOST_NAMED: Final = 5
"""Classes that are named where there are many."""

_SOURCE_WORDS: Final = {
    "imported": "imported",
    "human": "by people",
    "accepted": "accepted",
    OPEN_PSEUDO: "pseudo-labels",
}


@dataclass(frozen=True)
class TrainingPreview:
    """What the next run would learn from."""

    table: pd.DataFrame
    """A row a class: ``class``; its positive (●) and negative (○) cells by where they come from, and the pseudo-labels
    that nobody has answered (a run does not learn from these); ``unknown``; with an earlier run, ``new since the run``
    and ``blend labels settled``, as expected in an epoch."""
    run: int | None
    """The run it is compared with: whose scores make the pseudo-labels."""
    previous_run: int | None
    """The finished run before that one."""
    positive: int
    negative: int
    new: int
    """Cells that are known now and were not to that run."""
    blends: BlendDifference | None
    """What the answers since that run do to the labels of blends; None before the first run."""
    changes: dict[str, int] | None
    """Pseudo-labels that are ``new``, ``withdrawn`` and ``flipped`` against the previous run; None without one."""
    without_positive: tuple[str, ...]
    """Classes without any known positive: they cannot be learnt."""
    without_negative: tuple[str, ...]

    @property
    def words(self) -> str:
        """What there is and what is new, in words."""
        lines = [
            f"{self.positive + self.negative:,} known cells: {self.positive:,} positive, {self.negative:,} negative."
        ]
        if self.run is not None and self.blends is not None:
            blends = self.blends
            every = max(1.0, blends.drawn * len(blends.settled))
            then, now = blends.known_before.sum() / every, blends.known_after.sum() / every
            lines += [
                f"{self.new:,} cells more than run {self.run} learned from.",
                f"They turn {blends.settled.sum():,.0f} labels from open to known in one epoch of {blends.drawn:,.0f} "
                f"blends: {then:.1%} known then, {now:.1%} now.",
            ]
        for sign, names in (("positive", self.without_positive), ("negative", self.without_negative)):
            if names:
                shown = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")  # as many as are named
                lines.append(f"Without any known {sign} cell, and so not learnt: {shown}.")
        return " ".join(lines)


def preview(dataset: Dataset, proposed: ProposalSet, jobs: Jobs) -> TrainingPreview:
    """Return what training would see if it were started now.

    Raises:
        StudioError: If an earlier run's files are broken.
    """
    current, previous = proposed.current, proposed.previous
    proposals = None if current is None else proposed.of(current)
    with dataset.ledger.lock:
        states, sources = dataset.ledger.states.copy(), dataset.ledger.sources.copy()
    is_test, names = dataset.table.is_test, dataset.class_names
    content = training_set(names, states, sources, proposals, is_test)
    table = pd.DataFrame({"class": list(names)})
    for mark, counts in (("●", content.positive), ("○", content.negative)):
        for name, words in _SOURCE_WORDS.items():
            table[f"{mark} {words}"] = counts[name]
    table["unknown"] = np.count_nonzero(states[~is_test] == 0, axis=0)
    blends, new = None, 0
    if current is not None:
        before = snapshot_states(jobs.folder(current.run), dataset)
        difference = label_difference(before, states)
        blends = blend_difference(before, states, is_test)
        table["new since the run"] = difference.new_positive + difference.new_negative
        table["blend labels settled"] = blends.settled.round().astype(np.int64)
        new = int(table["new since the run"].sum())
    known = states[~is_test]
    return TrainingPreview(
        table=table,
        run=None if current is None else current.run,
        previous_run=None if previous is None else previous.run,
        positive=int((known > 0).sum()),
        negative=int((known < 0).sum()),
        new=new,
        blends=blends,
        changes=_changes(proposed, states),
        without_positive=content.without_positive,
        without_negative=content.without_negative,
    )


def _changes(proposed: ProposalSet, states: np.ndarray) -> dict[str, int] | None:
    current, previous = proposed.current, proposed.previous
    if current is None or previous is None:
        return None
    found = changes(proposed.of(previous), proposed.of(current), states)
    return {name: int(np.count_nonzero(getattr(found, name))) for name in ("new", "withdrawn", "flipped")}
