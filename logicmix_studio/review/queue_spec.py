"""Which cells a queue holds and in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from logicmix_studio.errors import StudioError

ORDERS: Final = {
    "useful": "Most useful",
    "uncertain": "Most uncertain",
    "confident": "Most confident",
    "rarest": "Rarest class first",
    "class": "Class by class",
    "conflicts": "Conflicts first",
    "flipped": "Flipped since last run",
    "random": "Random",
}
"""The orders of a queue in words; useful: cells whose answer settles most labels of blends come first."""
DEFAULT_ORDER: Final = "useful"
"""It teaches the model as much as asking what is most uncertain, and finds more positives: docs/results.md."""

CHANGES: Final = ("", "new", "withdrawn", "flipped", "conflict")
"""What a queue can be narrowed to; the empty text narrows nothing."""

SCOPES: Final = {
    "": "All that wait",
    "proposals": "Pseudo-labels",
    "open": "All unknown",
    "new": "New since the last run",
    "withdrawn": "Withdrawn by the last run",
    "flipped": "Flipped by the last run",
    "unsure": "Left unsure before",
    "fresh": "Never shown before",
}
"""Which cells to ask about, in words; see :meth:`QueueSpec.of`."""

PAGE_SCOPES: Final = {"": "Pseudo-labels", "likeliest": "Likely positives"}
"""Which cells stand on pages of tiles, in words; see :meth:`ReviewService.likeliest_page`."""

_SCOPE_FIELDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "": {},
    "proposals": {"only_proposals": True},
    "open": {"only_proposals": False},
    **{name: {"changes": name} for name in CHANGES[1:]},
    "unsure": {"unsure_before": True},
    "fresh": {"never_shown": True},
}
_WIDE_ORDERS: Final = ("uncertain", "useful")


@dataclass(frozen=True)
class QueueSpec:
    """What a person asked to review."""

    order: str = DEFAULT_ORDER
    """One of `ORDERS`."""
    class_names: tuple[str, ...] = ()
    """Only these classes; all where empty."""
    sign: int = 0
    """1: only cells with a score above 0.5; -1: only below; 0: both."""
    score_low: float = 0.0
    score_high: float = 1.0
    """Both scores belong to the band, in [0, 1]."""
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

    def __post_init__(self) -> None:
        """Refuse an unknown order or filter and a band that is empty."""
        if self.order not in ORDERS:
            raise StudioError(f"there is no order {self.order!r}", f"choose one of {', '.join(ORDERS)}")
        if self.changes not in CHANGES:
            raise StudioError(f"there is no filter {self.changes!r}", f"choose one of {', '.join(CHANGES[1:])}")
        if self.sign not in (-1, 0, 1):
            raise StudioError(f"the sign is {self.sign}", "choose 1, -1, or 0 for both")
        if not 0.0 <= self.score_low <= self.score_high <= 1.0:
            raise StudioError(
                f"the score band goes from {self.score_low} to {self.score_high}",
                "choose two numbers from 0 to 1, the lower first",
            )

    @classmethod
    def of(
        cls,
        *,
        order: str = DEFAULT_ORDER,
        scope: str = "",
        class_name: str = "",
        sign: int | str = 0,
        band: str = "",
        run: int | str | None = None,
        split: str = "",
    ) -> QueueSpec:
        """Return a spec from the few words that a page or an address has for it.

        ``scope`` is one of `SCOPES`, or conflict; ``band`` is two scores with a hyphen between, like 0.2-0.8.

        Raises:
            StudioError: If one of them cannot be read.

        Example:
            >>> QueueSpec.of(class_name="cat", band="0.2-0.8").score_high
            0.8
        """
        if scope not in _SCOPE_FIELDS:
            raise StudioError(f"there are no cells {scope!r}", f"choose one of {', '.join(_SCOPE_FIELDS)}")
        low, _, high = (band or "0-1").partition("-")
        try:
            return cls(
                order=order or DEFAULT_ORDER,
                class_names=(class_name,) if class_name else (),
                sign=int(sign or 0),
                score_low=float(low),
                score_high=float(high),
                splits=(split,) if split else (),
                run=int(run) if run else None,
                **_SCOPE_FIELDS[scope],
            )
        except ValueError as error:
            raise StudioError(
                f"sign={sign!r}, band={band!r} or run={run!r} cannot be read", "write them like 1, 0.2-0.8, 3"
            ) from error

    def takes_only_proposals(self, *, has_run: bool) -> bool:
        """Return whether the queue holds pseudo-labels only; see `only_proposals`."""
        if self.only_proposals is not None:
            return self.only_proposals
        return has_run and self.order not in _WIDE_ORDERS and not self.unsure_before
