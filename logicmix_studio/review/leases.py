"""Several people at one queue: nobody is shown what somebody else is looking at."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import NamedTuple

DEFAULT_LEASE_SECONDS = 300.0
"""How long an item belongs to a person who was shown it and did not answer."""


class Lease(NamedTuple):
    """One item in somebody's hands."""

    who: str
    """Who holds it; another browser window of the same person is another holder."""
    until: float
    """The time at which it ends by itself."""


class LeaseTable:
    """Who holds which item, and until when.

    Time is passed in, in seconds of any clock that never goes back. All methods may be called from several threads.

    Args:
        seconds: How long a lease lasts, more than 0.
    """

    def __init__(self, seconds: float = DEFAULT_LEASE_SECONDS) -> None:
        self._seconds = seconds
        self._leases: dict[int, Lease] = {}
        self._lock = threading.Lock()

    def acquire(self, who: str, items: Iterable[int], count: int, now: float) -> list[int]:
        """Take up to ``count`` items, the first that nobody holds; ``items`` are read no further than needed.

        Items in one's own hands are passed over, too: a person who prefetches gets others.
        """
        with self._lock:
            self._drop_ended(now)
            free = (item for item in items if item not in self._leases)
            taken: list[int] = []
            while len(taken) < count and (item := next(free, None)) is not None:
                self._leases[item] = Lease(who, now + self._seconds)
                taken.append(item)
            return taken

    def renew(self, who: str, items: Iterable[int], now: float) -> list[int]:
        """Lengthen the leases of what a holder still shows, and end its others; return what somebody else holds by now.

        Leases that ended and that nobody took meanwhile are taken back.
        """
        with self._lock:
            self._drop_ended(now)
            others = {item: lease for item, lease in self._leases.items() if lease.who != who}
            kept = {item: Lease(who, now + self._seconds) for item in items}
            self._leases = kept | others
            return [item for item in kept if item in others]

    def release(self, items: Iterable[int], who: str | None = None) -> None:
        """End the leases of items that were decided or are no longer shown; with ``who`` only those of this holder."""
        with self._lock:
            for item in items:
                lease = self._leases.get(item)
                if lease is not None and who in (None, lease.who):
                    del self._leases[item]

    def held_by_others(self, who: str, now: float) -> frozenset[int]:
        """Return the items that a holder must not be shown."""
        with self._lock:
            self._drop_ended(now)
            return frozenset(item for item, lease in self._leases.items() if lease.who != who)

    def _drop_ended(self, now: float) -> None:
        self._leases = {item: lease for item, lease in self._leases.items() if lease.until > now}
