"""What would help most now, in words, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from logicmix_studio.explore.class_statistics import ANSWERS, Counts
from logicmix_studio.studio import Studio

ENOUGH_ANSWERS = 50
"""New answers from which retraining pays, at the least."""
ENOUGH_SHARE = 0.02
"""And as a share of the cells known when the last run began."""
ENOUGH_CONFLICTS = 10
"""Fewer conflicts are not worth a round of their own."""
FEW = 3
"""Classes that a reason names before it counts the rest."""


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    key: str
    title: str
    """What to do, as an order."""
    reason: str
    """Why it comes now."""
    label: str
    """What the button says."""
    tab: str
    params: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the step for the page."""
        return asdict(self)


def next_steps(studio: Studio, counts: Counts) -> list[Step]:
    """Return what to do, the most useful first; empty only for a data set without images or classes.

    Args:
        studio: The data set.
        counts: Its cells by class and state.
    """
    if not counts.total:
        return []
    return list(_steps(studio, counts))


def _steps(studio: Studio, counts: Counts) -> Iterator[Step]:
    infos = studio.jobs.list()
    finished = [info for info in infos if info.status == "finished"]
    active = next((info for info in infos if info.is_active), None)
    fresh = _answers_since(studio, max((info.created for info in infos), default=0.0))
    needed = max(ENOUGH_ANSWERS, round(ENOUGH_SHARE * counts.known))
    if counts.known == counts.total:
        reason = f"All {counts.total:,} cells are known: nothing is left to label."
        yield Step("complete", "Everything is known", reason, "Look through it", "browse")
        if not finished:
            yield Step(
                "train",
                "Train on the complete labels",
                "A run shows which labels look wrong.",
                "Train",
                "train",
            )
    if active is not None:
        doing = active.message or "It goes on while you label."
        yield Step("watch", f"Run {active.run} is training", doing, "Watch it", "train")
    elif fresh >= needed and finished:
        reason = f"{fresh:,} new answers since run {infos[-1].run}: a new round learns from them."
        yield Step("retrain", f"Retrain: {fresh:,} new answers", reason, "Train", "train")
    yield from _missing_sign(studio, counts, has_run=bool(finished))
    if active is None and not finished and _can_train(studio):
        reason = (
            f"{counts.known:,} known cells are enough for a first round; it proposes labels for the rest."
        )
        yield Step("train", "Train a first round", reason, "Train", "train")
    yield from _from_scores(studio, counts)
    if active is None and finished and 0 < fresh < needed:
        reason = f"{fresh:,} new answers so far; from {needed:,} on it pays."
        yield Step("retrain-later", "Retrain a little later", reason, "Train now", "train")
    if int(counts.unknown.sum()):
        rarest = int(np.argmax(counts.unknown))
        name = studio.class_names[rarest]
        reason = f"“{name}” has most cells that nobody looked at: {int(counts.unknown[rarest]):,}."
        yield Step(
            "label", f"Label “{name}”", reason, "Show them", "browse", {"class": name, "state": "unknown"}
        )


def _missing_sign(studio: Studio, counts: Counts, *, has_run: bool) -> Iterator[Step]:
    for sign, have, opposite in (
        ("positive", counts.positive, counts.negative),
        ("negative", counts.negative, counts.positive),
    ):
        missing = np.flatnonzero((have == 0) & (opposite + have < len(studio.ledger.states)))
        if not len(missing):
            continue
        names = [studio.class_names[i] for i in missing[:FEW]]
        more = f" and {len(missing) - FEW:,} more" if len(missing) > FEW else ""
        reason = (
            f"Without a known {sign} the model can't learn {', '.join(f'“{name}”' for name in names)}{more}."
        )
        params = {"class": names[0], "state": "unknown"}
        if has_run:
            params["sort"] = "score-high" if sign == "positive" else "score-low"
        title = (
            f"Find a {sign} of “{names[0]}”"
            if len(missing) == 1
            else f"{len(missing):,} classes have no known {sign}"
        )
        yield Step(f"no-{sign}", title, reason, f"Label “{names[0]}”", "browse", params)


def _from_scores(studio: Studio, counts: Counts) -> Iterator[Step]:
    current = studio.current
    if current is None:
        return
    conflicts = int(np.count_nonzero(studio.conflicts_array(current)))
    if conflicts >= ENOUGH_CONFLICTS:
        reason = (
            f"A confident model contradicts {conflicts:,} known cells: either it is wrong, or the label is."
        )
        yield Step(
            "conflicts",
            f"Look at {conflicts:,} conflicts",
            reason,
            "Review",
            "review",
            {"screen": "conflicts"},
        )
    if counts.pseudo and not _audited(studio, current.run):
        reason = f"Nobody has checked yet how right run {current.run} is; a few blind answers tell."
        yield Step(
            "audit", "Audit the pseudo-labels", reason, "Start an audit", "review", {"screen": "audit"}
        )
    if counts.pseudo:
        positive, negative = int(counts.pseudo_positive.sum()), int(counts.pseudo_negative.sum())
        reason = f"Run {current.run} proposes {positive:,} positives and {negative:,} negatives."
        yield Step("review", f"Review {counts.pseudo:,} pseudo-labels", reason, "Review", "review")


def _can_train(studio: Studio) -> bool:
    states = studio.ledger.states[~studio.table.is_test]
    return bool((states == 1).any() and (states == -1).any())


def _answers_since(studio: Studio, moment: float) -> int:
    from_time = _iso(moment)
    lines = studio.ledger.lines
    return sum(
        cell.answer in ANSWERS
        for line in reversed(lines)
        if line.time > from_time and line.kind == "decide"
        for cell in line.cells
    )


def _audited(studio: Studio, run: int) -> bool:
    """Return whether anybody has answered in an audit of a run."""
    return any(line.origin == "audit" and line.run == run for line in reversed(studio.ledger.lines))


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
