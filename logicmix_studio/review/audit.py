"""Blind random checks: the only answers that measure how right a run is.

An audit draws claims of a sign at random and without replacement, as many as were fixed before the first look. They are
shown shuffled, without score and without the claim. Only the plan's own items count; what people answered in a chosen
order never does. The answers are decisions like any other, and settle their cells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE

CLAIM_WORDS = {POSITIVE: "present", NEGATIVE: "absent"}
"""What a claim says of its class."""
DEFAULT_TARGET = 0.95

Part = Literal["all", "new", "old"]
"""All claims, those that no earlier audit drew from, or those that one did."""


@dataclass(frozen=True)
class Scope:
    """Claims that are checked, or accepted, together."""

    sign: int
    """`POSITIVE` or `NEGATIVE`."""
    class_names: tuple[str, ...] = ()
    """Only of these classes; of all where empty."""
    threshold: float | None = None
    """From this confidence on, in [0.5, 1]; from the thresholds of today where None."""
    target: float = DEFAULT_TARGET
    """Share of them that shall be right, in (0, 1)."""

    def __post_init__(self) -> None:
        """Refuse what is no sign and no share."""
        if self.sign not in CLAIM_WORDS:
            raise StudioError(f"the sign is {self.sign}", "choose 1 (present) or -1 (absent)")
        if not 0.0 < self.target < 1.0:
            raise StudioError(f"the target is {self.target}", "choose a number between 0 and 1, such as 0.95")


@dataclass(frozen=True)
class AuditItem:
    """One claim of an audit; only `image_id` and `class_name` are shown."""

    image_id: str
    class_name: str
    sign: int
    """What the run claims."""
    confidence: float = 1.0
    draw: int = -1
    """Index into the plan's draws."""


@dataclass(frozen=True)
class Draw:
    """Claims that were drawn at random from one population."""

    sign: int
    part: Part
    class_names: list[str]
    """The classes that it drew from."""
    earlier: list[int]
    """The audits whose populations tell "old" from "new"."""
    population: int
    """Claims it drew from."""
    size: int
    """Claims that were drawn."""


@dataclass(frozen=True)
class AuditPlan:
    """A drawn audit: what is shown, in that order, and all that tells what it was drawn from."""

    run: int
    seq: int
    """The journal's last line at that moment."""
    seed: int
    target: float
    thresholds: Mapping[str, Mapping[str, float]]
    """From which confidence on, as `Thresholds.to_json` gives them."""
    left_out: list[int]
    """Open audits whose cells could not be drawn."""
    draws: list[Draw]
    items: list[AuditItem]

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> AuditPlan:
        """Return the plan that `dataclasses.asdict` has written.

        Plans by confidence band, as they once were, have no draws: their answers can be read and are no evidence, since
        each band was drawn at another rate.

        Raises:
            StudioError: If parts are missing.
        """
        try:
            if "strata" in saved:
                old = [AuditItem(one["image_id"], one["class_name"], one["sign"]) for one in saved["items"]]
                return cls(int(saved["run"]), 0, int(saved["seed"]), 0.0, {}, [], [], old)
            draws, items = ([kind(**one) for one in saved[name]] for name, kind in _LISTS.items())
            return cls(**{**saved, "draws": draws, "items": items})
        except (KeyError, TypeError, ValueError) as error:
            raise StudioError(f"an audit cannot be read: {error!r}", "draw a new one") from error


_LISTS: Mapping[str, Any] = {"draws": Draw, "items": AuditItem}
