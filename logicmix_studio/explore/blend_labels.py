"""What the labels of a blend's sources make of each class, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, OrExplanation, explain_or, kleene_or


@dataclass(frozen=True)
class SourceLabels:
    """All that is known and claimed about K sources and C classes."""

    states: npt.NDArray[np.int8]
    """(K, C) in {-1, 0, 1}: what people and files said."""
    heldout: npt.NDArray[np.bool_]
    """(K, C), True where a cell measures the model instead of training it, as soon as it is known."""
    working: npt.NDArray[np.int8]
    """(K, C) what the trainer works with: known and not held out, or filled in with a pseudo-label."""
    proposals: npt.NDArray[np.int8]
    """(K, C) pseudo-labels of unknown cells; 0 elsewhere."""
    scores: npt.NDArray[np.floating[Any]] | None
    """(K, C) calibrated probabilities; None without a run."""
    complete: npt.NDArray[np.int8] | None
    """(K, C) the complete labels of a trial, 0 where even they are silent; None where they are not known."""


@dataclass(frozen=True)
class SourceCell:
    """One source in one row of the truth table."""

    state: int
    """What is known: +1, 0 or -1."""
    is_heldout: bool
    """Whether an answer measures the model instead of training it."""
    decides: bool
    """Whether the blend's label follows from it."""
    proposal: int
    """The pseudo-label, 0 where there is none."""
    score: float | None


@dataclass(frozen=True)
class TruthRow:
    """One class of a blend."""

    class_name: str
    state: int
    """The blend's label: +1, 0 or -1."""
    reason: str
    settling: str
    """Which single answers would settle it; empty once it is decided."""
    sources: tuple[SourceCell, ...]
    rests_on_pseudo: bool
    """Whether the label would be another without pseudo-labels."""
    truth: int | None
    """What the complete labels say, 0 where they are silent; None where they are not known."""


def truth_rows(class_names: Sequence[str], labels: SourceLabels) -> list[TruthRow]:
    """Return one row of the truth table for each of C classes."""
    filled = (labels.working != UNKNOWN) & ((labels.states == UNKNOWN) | labels.heldout)
    alone = kleene_or(np.where(filled, UNKNOWN, labels.working))
    truths = None if labels.complete is None else kleene_or(labels.complete)

    def cell(source: int, column: int, found: OrExplanation) -> SourceCell:
        return SourceCell(
            state=int(labels.states[source, column]),
            is_heldout=bool(labels.heldout[source, column]),
            decides=source in found.deciding,
            proposal=int(labels.proposals[source, column]),
            score=None if labels.scores is None else round(float(labels.scores[source, column]), 4),
        )

    return [
        TruthRow(
            class_name=name,
            state=found.result,
            reason=_reason(found, filled[:, column], labels.states[:, column]),
            settling=_settling(found, labels.heldout[:, column]),
            sources=tuple(cell(source, column, found) for source in range(len(filled))),
            rests_on_pseudo=bool(found.result != alone[column]),
            truth=None if truths is None else int(truths[column]),
        )
        for column, (name, found) in enumerate(zip(class_names, explain_or(labels.working), strict=True))
    ]


def verdict(rows: Sequence[TruthRow]) -> tuple[int, list[str]]:
    """Return how many decided classes can be compared with the truth, and which of them are wrong."""
    decided = [row for row in rows if row.state != UNKNOWN and row.truth]
    return len(decided), [row.class_name for row in decided if row.truth != row.state]


def listed(sources: Sequence[int], word: str) -> str:
    """Return positions as the screen names them.

    Example:
        >>> listed([1], "or"), listed([0, 1, 3], "and")
        ('image 2', 'images 1, 2 and 4')
    """
    *numbers, last = (str(source + 1) for source in sources)
    return f"images {', '.join(numbers)} {word} {last}" if numbers else f"image {last}"


def _reason(found: OrExplanation, filled: npt.NDArray[np.bool_], states: npt.NDArray[np.int8]) -> str:
    claimed = [source for source in found.deciding if filled[source]]
    checked = [source for source in found.deciding if not filled[source]]
    if found.result == POSITIVE and checked:
        which = listed(checked, "and")
        return f"one has it: {which}" if len(checked) == 1 else f"one is enough: {which} have it"
    if found.result == POSITIVE:
        return f"one has it, says a pseudo-label of {listed(claimed, 'and')}: nobody checked"
    if found.result == NEGATIVE and claimed:
        said = f"; {listed(checked, 'and')} checked" if checked else ""
        return f"a pseudo-label says no in {listed(claimed, 'and')}: nobody checked{said}"
    if found.result == NEGATIVE:
        return "all were checked, none has it" if len(states) > 1 else "it was checked: not there"
    unseen = [source for source in found.open_sources if states[source] == UNKNOWN]
    held = [source for source in found.open_sources if states[source] != UNKNOWN]
    parts = [f"nobody looked in {listed(unseen, 'and')}"] if unseen else []
    parts += [f"the answer of {listed(held, 'and')} is held out, to measure the model"] if held else []
    return "; ".join(parts)


def _settling(found: OrExplanation, heldout: npt.NDArray[np.bool_]) -> str:
    """Say which answers settle the class: none that would be held out, a no only where nothing else is open."""
    useful = [source for source in found.open_sources if not heldout[source]]
    if not useful:
        return "an answer here would be held out, too" if found.open_sources else ""
    answer = "yes or no" if len(found.open_sources) == 1 else "yes"
    return f"{answer} in {listed(useful, 'or')} would settle it"
