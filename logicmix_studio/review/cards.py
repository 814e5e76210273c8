"""What a review hands out and gives back: cards, batches, pages and reversals."""

from __future__ import annotations

from dataclasses import dataclass

from logicmix_studio.review.empty_queue import EmptyQueue
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
    """Some pseudo-labels of one class and sign, to be confirmed together."""

    class_name: str
    sign: int
    batch: Batch


@dataclass(frozen=True)
class Provenance:
    """Who says what is known of a cell."""

    source: Source
    line: Line | None
    """The journal line that set it last; None where it was imported."""
