"""What there is to learn from: whether training can start, what it would see, and what the last run changed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.review.proposals import changes
from logicmix_studio.review.usefulness import BlendDifference, blend_difference
from logicmix_studio.runs.benchmark import read_benchmark
from logicmix_studio.runs.jobs import Jobs
from logicmix_studio.runs.registry import snapshot_states
from logicmix_studio.store import Dataset, Source
from logicmix_studio.words import counted

ENOUGH_FOR_THOROUGH: Final = 1_000
"""Known positives from which the recipe "thorough" was measured to pay (docs/performance.md)."""
FEW_FOR_BLENDS: Final = 5_000
"""Images below which blends took mAP away wherever that was measured (docs/results.md: up to 1,767 of them)."""
MOST_NAMED: Final = 5
"""Classes that are named where there are many."""
SOURCE_WORDS: Final = {Source.IMPORTED: "imported", Source.HUMAN: "by people", Source.ACCEPTED: "accepted"}


@dataclass(frozen=True)
class Readiness:
    """What there is to learn from. Images of split test are left out: no run learns from them."""

    images: int
    test_images: int
    positive: int
    negative: int
    unknown: int
    classes: int
    learnable: int
    """Classes with known cells of both signs."""
    since_last: int | None
    """Cells answered since the last run began; None before the first run."""
    measured: tuple[str | None, str] = (None, "")
    """The recipe that a benchmark of this data set speaks for, and what it found, in words; nothing without one."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a known cell of each sign."""
        return bool(self.positive and self.negative)

    @property
    def recommended(self) -> str:
        """The recipe to take, by its title."""
        return self.measured[0] or ("thorough" if self.positive >= ENOUGH_FOR_THOROUGH else "fast")

    @property
    def words(self) -> str:
        """What there is and what is missing, in words."""
        if not self.images:
            return "There is no image to train on: images of split test are never trained on."
        if not self.is_ready:
            return (
                "There is nothing to learn from yet: a model needs at least one known positive and one known negative "
                "cell outside split test. Answer some in Label or Browse."
            )
        known = self.positive + self.negative
        lines = [
            f"{known / (known + self.unknown):.1%} of the cells to train on are known: {self.positive:,} positive, "
            f"{self.negative:,} negative."
        ]
        if self.learnable < self.classes:
            lines.append(f"{self.learnable:,} of {counted(self.classes, 'class')} have both and can be measured.")
        if self.since_last is not None:
            new = counted(self.since_last, "answer") if self.since_last else "Nothing new"
            lines.append(f"{new} since the last run.")
        if self.measured[1]:
            lines += [self.measured[1], f"Take the recipe {self.measured[0]}." if self.measured[0] else ""]
        elif self.recommended == "fast":
            lines.append(
                f"Take the recipe fast: with fewer than {ENOUGH_FOR_THOROUGH:,} known positives, thorough was no better "
                "where it was measured."
            )
        if self.recommended != "fast" and not self.measured[1] and self.images < FEW_FOR_BLENDS:
            lines.append(
                "Blends took a point or two of mAP away where that was measured on so few images: make a run with "
                '"LogicMix: method none", too, and compare.'
            )
        return " ".join(filter(None, lines))


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
                shown = ", ".join(names[:MOST_NAMED]) + (" …" if len(names) > MOST_NAMED else "")
                lines.append(f"Without any known {sign} cell, and so not learnt: {shown}.")
        return " ".join(lines)


def readiness(dataset: Dataset, jobs: Jobs) -> Readiness:
    """Return what there is to learn from."""
    states, since_last = dataset.ledger.states[~dataset.table.is_test], None
    runs = [info for info in jobs.list() if not info.is_imported]
    if runs:
        with suppress(StudioError):  # its snapshot may be gone
            since_last = int((dataset.ledger.states != snapshot_states(runs[-1].folder, dataset)).sum())
    positive, negative = states == POSITIVE, states == NEGATIVE
    measured: tuple[str | None, str] = (None, "")
    with suppress(StudioError):  # where it is shown, a broken one is told
        if benchmark := read_benchmark(dataset.workspace.benchmark_file):
            measured = benchmark.advice(float((states != UNKNOWN).mean()) if states.size else 0.0)
    return Readiness(
        images=len(states),
        test_images=int(dataset.table.is_test.sum()),
        positive=int(positive.sum()),
        negative=int(negative.sum()),
        unknown=int((states == UNKNOWN).sum()),
        classes=dataset.table.num_classes,
        learnable=int((positive.any(axis=0) & negative.any(axis=0)).sum()),
        since_last=since_last,
        measured=measured,
    )


def preview(dataset: Dataset, proposed: ProposalSet, jobs: Jobs) -> TrainingPreview:
    """Return what training would see if it were started now.

    Raises:
        StudioError: If an earlier run's files are broken.
    """
    current, previous = proposed.current, proposed.previous
    with dataset.ledger.lock:
        every, sources = dataset.ledger.states.copy(), dataset.ledger.sources.copy()
    trained, names = ~dataset.table.is_test, np.array(dataset.class_names)
    states, sources = every[trained], sources[trained]
    proposals = proposed.of(current)[trained] * (states == UNKNOWN)
    table, without = pd.DataFrame({"class": names}), {}
    for mark, sign in (("●", POSITIVE), ("○", NEGATIVE)):
        has_sign = states == sign
        for source, words in SOURCE_WORDS.items():
            table[f"{mark} {words}"] = np.count_nonzero(has_sign & (sources == source), axis=0)
        table[f"{mark} pseudo-labels"] = np.count_nonzero(proposals == sign, axis=0)
        without[sign] = tuple(names[~has_sign.any(axis=0)].tolist())
    table["unknown"] = np.count_nonzero(states == UNKNOWN, axis=0)
    blends, new, changed = None, 0, None
    if current is not None and not jobs.info(current.run).is_imported:
        before = snapshot_states(jobs.folder(current.run), dataset)
        blends = blend_difference(before, every, ~trained)
        is_new = (before == UNKNOWN) & (every != UNKNOWN)
        table["new since the run"] = np.count_nonzero(is_new, axis=0)
        table["blend labels settled"] = blends.settled.round().astype(np.int64)
        new = int(is_new.sum())
        if previous is not None:
            found = changes(proposed.of(previous), proposed.of(current), every)
            changed = {name: int(getattr(found, name).sum()) for name in ("new", "withdrawn", "flipped")}
    return TrainingPreview(
        table=table,
        run=None if current is None else current.run,
        previous_run=None if previous is None else previous.run,
        positive=int((states == POSITIVE).sum()),
        negative=int((states == NEGATIVE).sum()),
        new=new,
        blends=blends,
        changes=changed,
        without_positive=without[POSITIVE],
        without_negative=without[NEGATIVE],
    )
