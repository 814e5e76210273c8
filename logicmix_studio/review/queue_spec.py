"""Which cells a queue holds and in which order, as an address that can be shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from logicmix_studio.errors import StudioError

ORDERS: Final = {
    "conflicts": "known cells that a confident model contradicts, then the most uncertain",
    "flipped": "pseudo-labels that changed sides since the last run, then the most confident",
    "uncertain": "scores nearest 0.5 first",
    "confident": "scores nearest 0 or 1 first",
    "class": "class after class, the most confident first",
    "rarest": "the class with the fewest known positives first",
    "useful": "cells whose answer settles most labels of blends, and about which the model is uncertain",
    "random": "shuffled, the same for the same seed",
}
"""The orders of a queue, and what each does in words."""

CHANGES: Final = ("", "new", "withdrawn", "flipped", "conflict")
"""What a queue can be narrowed to; the empty text narrows nothing."""

_WIDE_ORDERS = ("uncertain", "useful")


@dataclass(frozen=True)
class QueueSpec:
    """What a person asked to review."""

    order: str = "uncertain"
    """One of `ORDERS`."""
    class_names: tuple[str, ...] = ()
    """Only these classes; all where empty."""
    sign: int = 0
    """1: only cells with a score above 0.5; -1: only below; 0: both."""
    score_low: float = 0.0
    """Lowest score, in [0, 1]."""
    score_high: float = 1.0
    """Highest score, in [score_low, 1]."""
    splits: tuple[str, ...] = ()
    """Only images of these splits; all but the test split where empty."""
    changes: str = ""
    """One of `CHANGES`: against the run before, or known cells that the model contradicts."""
    never_shown: bool = False
    """Only cells that nobody saw in a review."""
    unsure_before: bool = False
    """Only cells that somebody left as unsure, in this run or before."""
    only_proposals: bool | None = None
    """Whether unknown cells that are no pseudo-labels are left out.

    None: decided by the order. The most uncertain and the most useful cells lie below every threshold, so
    these two orders range over all unknown cells, or nobody would ever see them; so does a queue of cells
    left unsure, and every queue before the first run. All others hold pseudo-labels only.
    """
    run: int | None = None
    """The run whose scores and pseudo-labels are reviewed; None: the one that is current."""
    seed: int = 0
    """Seed of the random order."""

    def __post_init__(self) -> None:
        """Refuse an unknown order or filter and a band that is empty."""
        if self.order not in ORDERS:
            raise StudioError(f"There is no order {self.order!r}.", f"Choose one of {', '.join(ORDERS)}.")
        if self.changes not in CHANGES:
            raise StudioError(
                f"There is no filter {self.changes!r}.", f"Choose one of {', '.join(CHANGES[1:])}."
            )
        if self.sign not in (-1, 0, 1):
            raise StudioError(f"The sign is {self.sign}.", "Choose 1, -1, or 0 for both.")
        if not 0.0 <= self.score_low <= self.score_high <= 1.0:
            raise StudioError(
                f"The score band goes from {self.score_low} to {self.score_high}.",
                "Choose two numbers from 0 to 1, the lower first.",
            )

    def takes_only_proposals(self, *, has_run: bool) -> bool:
        """Return whether the queue holds pseudo-labels only; see `only_proposals`."""
        if self.only_proposals is not None:
            return self.only_proposals
        return has_run and self.order not in _WIDE_ORDERS and not self.unsure_before

    def to_query(self) -> dict[str, str]:
        """Return the parts that differ from the default, as the texts of an address."""
        default = QueueSpec()
        query: dict[str, str] = {}
        for name in _FIELDS:
            value = getattr(self, name)
            if value != getattr(default, name):
                query[name] = _to_text(value)
        return query

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> QueueSpec:
        """Return the spec that `to_query` wrote; other keys are passed over.

        Raises:
            StudioError: If a value cannot be read.
        """
        values = {name: _from_text(name, query[name]) for name in _FIELDS if name in query}
        return cls(**values)  # type: ignore[arg-type]  # each reader returns its field's type


def _to_text(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return ",".join(quote(str(part), safe="") for part in value)
    return str(value)


def _read_names(text: str) -> tuple[str, ...]:
    return tuple(unquote(part) for part in text.split(",") if part)


def _read_flag(text: str) -> bool:
    if text not in ("0", "1"):
        raise ValueError(text)
    return text == "1"


_FIELDS: dict[str, Callable[[str], object]] = {
    "order": str,
    "class_names": _read_names,
    "sign": int,
    "score_low": float,
    "score_high": float,
    "splits": _read_names,
    "changes": str,
    "never_shown": _read_flag,
    "unsure_before": _read_flag,
    "only_proposals": _read_flag,
    "run": int,
    "seed": int,
}


def _from_text(name: str, text: str) -> object:
    try:
        return _FIELDS[name](text)
    except ValueError as error:
        raise StudioError(
            f"The address says {name}={text!r}, which cannot be read.", "Open the queue anew."
        ) from error
