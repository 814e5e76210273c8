"""What a review hands out and gives back: cards, batches, pages and reversals, and what an empty queue says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from logicmix_studio.review.queue_spec import QueueSpec
from logicmix_studio.store import Line, Receipt, Source

Cell = int
"""A flat index: row * C + column."""


@dataclass(frozen=True)
class Card:
    """One cell as a person is asked about it."""

    cell: Cell
    image_id: str
    path: str
    class_name: str
    state: int
    """What is known: 1, 0 or -1."""
    claim: int
    """What the run says: 1, -1, or 0 where it says too little."""
    score: float | None
    run: int | None


@dataclass(frozen=True)
class Batch:
    """What a screen gets when it asks for cards."""

    cards: list[Card]
    total: int
    """Cells of the queue that wait for an answer, skipped ones included."""
    run: int | None
    lost: list[Cell]
    """Cells that the screen still shows, but that somebody else holds by now."""
    empty: EmptyQueue | None
    """Why nothing came and what to do next; None where cards came."""


@dataclass(frozen=True)
class Reversal:
    """What an undo or a redo did."""

    receipt: Receipt
    target: str
    """The id of the action that was undone or brought back; empty where nothing was."""
    cards: list[Card]
    """Its first cells as they are now."""


@dataclass(frozen=True)
class Pile:
    """The pseudo-labels of one class and sign that wait."""

    class_name: str
    sign: int
    cells: int


@dataclass(frozen=True)
class PilePage:
    """Some cells of one class, to be confirmed together."""

    class_name: str
    sign: int
    """What is taken for granted of a cell that nobody marks: 1 or -1."""
    batch: Batch
    promise: float | None = None
    """How many positives it should have; None for pseudo-labels, which all claim the sign."""


def page_again(cards: list[Card], sign: int) -> PilePage:
    """Return a page of tiles that was shown before, from its cards, at least one, and the sign it had."""
    is_claimed = all(card.claim == sign for card in cards)
    promise = None if is_claimed else sum(card.score or 0.0 for card in cards)
    return PilePage(cards[0].class_name, sign, Batch(cards, len(cards), cards[0].run, [], None), promise)


@dataclass(frozen=True)
class Provenance:
    """Who says what is known of a cell."""

    source: Source
    line: Line | None
    """The journal line that set it last; None where it was imported."""


@dataclass(frozen=True)
class Step:
    """Something that may be done next: go to a tab or a part of this one, change filters, or ask again."""

    label: str
    tab: str = ""
    action: str = ""
    """again (ask once more), take_again (also for what was skipped) or clear (drop all filters)."""
    filters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EmptyQueue:
    """Why a queue gave no cell, in words."""

    title: str
    text: str
    steps: tuple[Step, ...]


def explain_empty(
    spec: QueueSpec, *, total: int, others: int, skipped: int, held: int, has_run: bool, has_previous: bool
) -> EmptyQueue:
    """Say why a queue gave no cell and what to do next.

    Args:
        spec: What was asked for.
        total: Cells that wait for an answer.
        others: Cells of any queue that other people hold at present.
        skipped: Cells that this person skipped.
        held: Cells that this screen shows already.
        has_run: Whether a run has finished.
        has_previous: Whether there is an earlier one to compare it with.
    """
    if total and skipped:
        text = f"You passed over {skipped} of your questions; they still wait for an answer."
        again = Step("Show the skipped ones again", action="take_again")
        return EmptyQueue("Only skipped questions are left", text, (again,))
    if total > held and others:
        text = f"Other people are looking at {others} cells. Unanswered ones come back within five minutes."
        return EmptyQueue("Others have the rest", text, (Step("Look again", action="again"), _OPEN))
    is_narrow = bool(spec.class_names or spec.sign or spec.splits) or spec.score_low > 0 or spec.score_high < 1
    if spec.changes == "conflict":
        if not has_run:
            text = "Conflicts appear once a run has scored the cells that are known."
            return EmptyQueue("No run to compare with", text, (_TRAIN,))
        text = "Where the model is sure of the opposite of what is known, the cell would stand here."
        return EmptyQueue("No conflict waits", text, (_CLEAR,) if is_narrow else ())
    if not has_run and spec.takes_only_proposals(has_run=True):
        text = "No run has finished, so there are no pseudo-labels. Train once, or answer by hand what is unknown."
        return EmptyQueue("No pseudo-labels yet", text, (_TRAIN, _OPEN))
    if spec.changes and not has_previous:
        text = f"This compares two runs, {'and only one has' if has_run else 'and none has'} finished."
        return EmptyQueue("Nothing to compare", text, (_TRAIN, _CLEAR))
    if is_narrow or spec.changes or spec.never_shown or spec.unsure_before:
        text = "Everything that these filters leave has an answer, or nothing fits them."
        return EmptyQueue("Nothing waits with these filters", text, (_CLEAR, _TRAIN))
    text = "Everything in this queue has an answer. The next run will learn from it and propose anew."
    return EmptyQueue("All done here", text, (_TRAIN, _AUDIT))


def explain_unlikely(*, has_run: bool, is_held: bool) -> EmptyQueue:
    """Say why no page promises a positive and what to do next.

    Args:
        has_run: Whether a run has finished.
        is_held: Whether cells that were passed over, or that others hold, would promise some.
    """
    if not has_run:
        text = "Where positives are likely is known once a run has scored the cells."
        return EmptyQueue("No run has finished", text, (_TRAIN, _OPEN))
    if is_held:
        text = "The likely ones that are left were passed over, or others look at them. They come back by themselves."
        return EmptyQueue("No likely one is free", text, (Step("Look again", action="again"),))
    text = "No page promises half a positive any more: audit and accept the rest."
    return EmptyQueue("Nothing more is likely here", text, (_AUDIT, _TRAIN))


_AUDIT = Step("Run an audit", filters={"screen": "audits"})
_TRAIN = Step("Go to training", tab="train")
_CLEAR = Step("Clear the filters", action="clear")
_OPEN = Step("Review all unknown", filters={"scope": "open", "order": "useful"})
