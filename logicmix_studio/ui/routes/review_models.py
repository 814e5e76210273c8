"""What the Review tab sends."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

MAX_CELLS = 200_000
"""Cells of one action."""

AnswerRow = tuple[str, str, int, str, float | None]
"""Image id, class, state, answer and the score that was on screen."""


class Action(BaseModel):
    """Something that is done once, however often it arrives."""

    id: str = Field(min_length=8, max_length=100)
    """Made by the page; the same id twice is one action."""


class QueueRequest(BaseModel):
    """Ask for the next cells of a queue."""

    query: dict[str, str] = Field(default_factory=dict)
    """Filters and order, as in the address."""
    want: int = Field(default=50, ge=1, le=500)
    have: list[int] = Field(default_factory=list, max_length=5000)
    """Cells the screen still shows."""
    holder: str = Field(min_length=4, max_length=80)
    """The screen of one window."""
    plant: bool = False
    """Whether wrong suggestions may be mixed in."""


class ReleaseRequest(BaseModel):
    """Give cells back that nobody looks at any more."""

    holder: str = Field(min_length=4, max_length=80)
    cells: list[int] = Field(default_factory=list, max_length=5000)
    everything: bool = False
    """Whether the window leaves."""


class AnswerRequest(Action):
    """Answers that are one journal line and one undo."""

    origin: Literal["stream", "grid", "conflicts"]
    cells: list[AnswerRow] = Field(min_length=1, max_length=MAX_CELLS)
    run: int | None = None
    ms: float | None = Field(default=None, ge=0)
    """How long the person looked."""
    note: str = Field(default="", max_length=2000)
    suggestion: Literal["hidden", "shown", "score"] = "shown"
    """What the person could see of the pseudo-label."""
    tiles: int | None = None
    """Tiles of a grid page."""


class UndoRequest(Action):
    """Take an action back, or bring it again."""

    target: str | None = None
    """The id of the action."""
    of: int | None = None
    """Its journal line."""


class AuditRequest(Action):
    """Draw an audit."""

    class_names: list[str] = Field(default_factory=list)
    by_class: bool = False
    per_stratum: int = Field(default=30, ge=1, le=2000)
    lowest_confidence: float = Field(default=0.9, ge=0.5, lt=1.0)
    num_known: int = Field(default=10, ge=0, le=500)
    seed: int | None = None
    """Of the draw; taken from the id unless given."""


class AuditItemsRequest(BaseModel):
    """Ask for the next cells of an audit."""

    want: int = Field(default=20, ge=1, le=200)
    have: list[int] = Field(default_factory=list, max_length=5000)


class AuditAnswer(Action):
    """The answer to one cell of an audit."""

    place: int = Field(ge=0)
    said: Literal[-1, 0, 1]
    ms: float | None = Field(default=None, ge=0)


class Group(BaseModel):
    """One class and sign of a bulk."""

    class_name: str
    sign: Literal[-1, 1]
    threshold: float = Field(ge=0.5, le=1.0)


class ThresholdsRequest(BaseModel):
    """Thresholds to set."""

    groups: list[Group]


class BulkRequest(Action):
    """Accept all pseudo-labels of some classes and signs at once."""

    groups: list[Group] = Field(min_length=1)
    target: float = Field(gt=0.0, lt=1.0)
    """The precision that the audits must show."""
    expected: int = Field(ge=0)
    """How many cells the person was told; a bulk that would write another number is refused."""
    override: str = Field(default="", max_length=2000)
    """Why to accept what no audit covers; empty where every group is covered."""
