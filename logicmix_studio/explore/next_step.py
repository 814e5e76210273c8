"""What would help most now, in words, with the reason.

N images, C classes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN
from logicmix_studio.review.likeliest import WORTH_A_PAGE
from logicmix_studio.review.progress import Counts, per_class
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.runs import RunInfo
from logicmix_studio.store import Dataset
from logicmix_studio.words import counted

ANSWERS = frozenset({"accept", "reject", "set"})
"""Answers that settle a cell."""
ENOUGH_ANSWERS = 50
"""New answers from which retraining pays, at the least."""
ENOUGH_SHARE = 0.02
"""And as a share of the cells known when the last run began."""
ENOUGH_CONFLICTS = 10
"""Fewer conflicts are not worth a round of their own."""
ENOUGH_LOOKED_AT = 50
"""Photographs without a class after which it may be absent, ..."""
BEST_CANDIDATES = 10
"""... if the model's surest candidates are among them."""
FEW = 3
"""Classes that a reason names before it counts the rest."""


@dataclass(frozen=True)
class Step:
    """One thing to do."""

    key: str
    """What it is about; a step that was put off comes back under another key when things have changed."""
    title: str
    """What to do, as an order."""
    reason: str
    label: str
    """What the button says."""
    tab: str
    filters: dict[str, str] = field(default_factory=dict)
    """What the tab shall show."""


def next_steps(
    dataset: Dataset, proposed: ProposalSet, infos: Sequence[RunInfo], counts: Counts, put_off: Collection[str] = ()
) -> list[Step]:
    """Return what to do, the most useful first; empty for a data set without images or classes.

    Runs come oldest first; ``put_off`` are the keys of steps that nobody wants now.
    """
    if not counts.total:
        return []
    infos = [info for info in infos if not info.is_imported]
    steps: list[Step] = []

    def add(key: str, title: str, reason: str, label: str, tab: str, **filters: str) -> None:
        steps.append(Step(key, title, reason, label, tab, filters))

    states = dataset.states[~dataset.table.is_test]
    has_positive, has_negative = per_class(states == POSITIVE) > 0, per_class(states == NEGATIVE) > 0
    can_train = bool(has_positive.any() and has_negative.any())
    finished = [info for info in infos if info.status == "finished"]
    active = next((info for info in infos if info.is_active), None)
    last = infos[-1].run if infos else 0
    fresh = _answers_since(dataset, max((info.created for info in infos), default=0.0))
    needed = max(ENOUGH_ANSWERS, round(ENOUGH_SHARE * counts.known))
    is_complete = counts.known == counts.total
    if is_complete:
        reason = f"All {counts.total:,} cells are known: nothing is left to label."
        add("complete", "Everything is known", reason, "Look through it", "browse")
    elif not can_train:
        title = "Label some more photographs" if counts.known else "Label the first photographs"
        reason = "Training needs a class that is there and one that is not; two or three keys settle a photograph."
        add("start", title, reason, "Label", "label")
    if active is not None:
        doing = active.message or "It goes on while you label."
        add(f"watch:{active.run}", f"Run {active.run} is training", doing, "Watch it", "train")
    elif fresh >= needed and finished:
        reason = f"{fresh:,} new answers since run {last}: a new round learns from them."
        add(f"retrain:{last}", f"Retrain: {fresh:,} new answers", reason, "Train", "train")
    missing = list(_missing_sign(dataset, proposed, states, put_off)) if can_train else []
    is_learnable = 2 * np.count_nonzero(has_positive & has_negative) >= len(has_positive)
    if not is_learnable:
        steps += missing
    if active is None and not finished and can_train:
        reason = f"{counts.known:,} known cells are enough for a first round; it proposes labels for the rest."
        reason = "A run shows which labels look wrong." if is_complete else reason
        add("train", "Train a first round", reason, "Train", "train")
    if is_learnable:
        steps += missing
    steps += _from_scores(dataset, proposed, counts)
    if active is None and finished and 0 < fresh < needed:
        reason = f"{fresh:,} new answers so far; from {needed:,} on it pays."
        add(f"later:{last}", "Retrain a little later", reason, "Train now", "train")
    if counts.unknown.any() and can_train:
        name = dataset.class_names[int(np.argmax(counts.unknown))]
        reason = f"“{name}” has most cells that nobody looked at: {int(counts.unknown.max()):,}."
        add(f"label:{name}", f"Label “{name}”", reason, "Show them", "browse", class_name=name, state="unknown")
    return [step for step in steps if step.key not in put_off]


def _missing_sign(
    dataset: Dataset, proposed: ProposalSet, states: npt.NDArray[np.int8], put_off: Collection[str]
) -> Iterator[Step]:
    """Yield what is missing to learn some classes: first those that were looked for least, never one given up."""
    known = {sign: per_class(states == sign) for sign in (POSITIVE, NEGATIVE)}
    absent: list[str] = []
    for sign, word, other in ((POSITIVE, "positive", "no"), (NEGATIVE, "negative", "yes")):
        looked = known[-sign]
        wanted: list[str] = []
        for column in np.argsort(looked, kind="stable"):
            name = dataset.class_names[column]
            if known[sign][column] or looked[column] == len(states) or f"no-{word}:{name}" in put_off:
                continue
            is_absent = sign == POSITIVE and _may_be_absent(dataset, proposed, column, looked[column])
            (absent if is_absent else wanted).append(name)
        if not wanted:
            continue
        name, count = wanted[0], looked[dataset.column_of(wanted[0])]
        listed = ", ".join(f"“{name}”" for name in wanted[:FEW])
        more = f" and {len(wanted) - FEW:,} more" if len(wanted) > FEW else ""
        so_far = f" {count:,} looked at so far, all “{other}”." if count else ""
        reason = f"Without a known {word} outside split test the model can't learn {listed}{more}.{so_far}"
        many = len(wanted) > 1
        title = f"{len(wanted):,} classes have no known {word}" if many else f"Find a {word} of “{name}”"
        filters = {"class_name": name, "state": "open"}
        if proposed.current is not None:
            filters["sort"] = "score-high" if sign == POSITIVE else "score-low"
        yield Step(f"no-{word}:{name}", title, reason, f"Look for “{name}”", "browse", filters)
    for name in absent[:1]:
        count = known[NEGATIVE][dataset.column_of(name)]
        reason = f"{count:,} photographs were looked at, the model's best candidates too: “{name}” is in none."
        filters = {"class_name": name, "state": "open"}
        yield Step(f"absent:{name}", f"“{name}” may be absent", reason, "Look once more", "browse", filters)


def _may_be_absent(dataset: Dataset, proposed: ProposalSet, column: int, looked: int) -> bool:
    """Return whether a class without a positive was looked for long enough, where the model finds it likeliest, too."""
    current = proposed.current
    if looked < ENOUGH_LOOKED_AT:
        return False
    if current is None or not current.is_scored[:, column].any():
        return True
    rows = np.flatnonzero(current.is_scored[:, column] & ~dataset.table.is_test)
    best = rows[np.argsort(-current.scores[rows, column], kind="stable")[:BEST_CANDIDATES]]
    return bool((dataset.states[best, column] != UNKNOWN).all())


def _from_scores(dataset: Dataset, proposed: ProposalSet, counts: Counts) -> Iterator[Step]:
    current = proposed.current
    if current is None:
        return
    run = current.run
    conflicts = int(np.count_nonzero(proposed.conflicts(current)))
    if conflicts >= ENOUGH_CONFLICTS:
        reason = f"A confident model contradicts {conflicts:,} known cells: it is wrong, or the label is."
        title, filters = f"Look at {conflicts:,} conflicts", {"screen": "conflicts"}
        yield Step(f"conflicts:{run}", title, reason, "Review", "review", filters)
    if proposed.promises(current).max(initial=0.0) >= WORTH_A_PAGE:
        expected = round(float(current.scores.sum(where=proposed.open_cells(current), dtype=np.float64)))
        reason = f"Run {run} expects so many among unknown cells outside split test: go through the likeliest pages."
        title = f"Find the {counted(max(1, expected), 'positive')} that the model expects"
        filters = {"screen": "grid", "scope": "likeliest"}
        yield Step(f"likeliest:{run}", title, reason, "Show the likeliest", "review", filters)
    if not counts.pseudo:
        return
    if not any(line.origin == "audit" and line.run == run for line in reversed(dataset.ledger.lines)):
        reason = f"Nobody has checked yet how right run {run} is; a few blind answers tell."
        title, filters = "Audit the pseudo-labels", {"screen": "audits"}
        yield Step(f"audit:{run}", title, reason, "Start an audit", "review", filters)
    positive, negative = int(counts.pseudo_positive.sum()), int(counts.pseudo_negative.sum())
    reason = f"Run {run} proposes {positive:,} positives and {negative:,} negatives."
    yield Step(f"review:{run}", f"Review {counts.pseudo:,} pseudo-labels", reason, "Review", "review")


def _answers_since(dataset: Dataset, moment: float) -> int:
    """Count the settled cells of decisions after a time (seconds since 1970), reading the journal from its end."""
    start = datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")
    settled = 0
    for line in reversed(dataset.ledger.lines):
        if line.time <= start:
            break
        if line.kind == "decide":
            settled += sum(cell.answer in ANSWERS for cell in line.cells)
    return settled
