"""Several people at one queue: nobody is shown what somebody else is looking at."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass

DEFAULT_LEASE_SECONDS = 300.0
"""How long an item belongs to a person who was shown it and did not answer."""


@dataclass(frozen=True)
class Lease:
    """One item in somebody's hands."""

    who: str
    """Who holds it; another browser window of the same person is another holder."""
    until: float
    """The time at which it ends by itself."""


class LeaseTable:
    """Who holds which item, and until when.

    Time is passed in, in seconds of any clock that never goes back. All methods may be called from several
    threads.

    Args:
        seconds: How long a lease lasts, more than 0.
    """

    def __init__(self, seconds: float = DEFAULT_LEASE_SECONDS) -> None:
        self._seconds = seconds
        self._leases: dict[int, Lease] = {}
        self._lock = threading.Lock()

    def acquire(self, who: str, items: Iterable[int], count: int, now: float) -> list[int]:
        """Take the first items that nobody holds.

        Items in one's own hands are passed over, too: a person who prefetches gets others.

        Args:
            who: The holder.
            items: What to choose from, the most wanted first; read no further than needed.
            count: How many are wanted.
            now: The time.

        Returns:
            Up to `count` items, now leased to `who`.
        """
        with self._lock:
            self._drop_ended(now)
            taken: list[int] = []
            if count < 1:
                return taken
            for item in items:
                if item in self._leases:
                    continue
                self._leases[item] = Lease(who, now + self._seconds)
                taken.append(item)
                if len(taken) == count:
                    break
            return taken

    def renew(self, who: str, items: Iterable[int], now: float) -> list[int]:
        """Lengthen leases, and take back those that ended and that nobody took meanwhile.

        Args:
            who: The holder.
            items: What `who` still shows.
            now: The time.

        Returns:
            The items that somebody else holds by now.
        """
        with self._lock:
            self._drop_ended(now)
            lost: list[int] = []
            for item in items:
                lease = self._leases.get(item)
                if lease is not None and lease.who != who:
                    lost.append(item)
                else:
                    self._leases[item] = Lease(who, now + self._seconds)
            return lost

    def release(self, items: Iterable[int], who: str | None = None) -> None:
        """End the leases of items that were decided or are no longer shown.

        Args:
            items: The items.
            who: Where given, only leases of this holder end.
        """
        with self._lock:
            for item in items:
                lease = self._leases.get(item)
                if lease is not None and who in (None, lease.who):
                    del self._leases[item]

    def release_all(self, who: str) -> None:
        """End all leases of one holder, who left."""
        with self._lock:
            self._leases = {item: lease for item, lease in self._leases.items() if lease.who != who}

    def held(self, who: str, now: float) -> list[int]:
        """Return the items that a holder has, in the order of acquisition."""
        with self._lock:
            self._drop_ended(now)
            return [item for item, lease in self._leases.items() if lease.who == who]

    def held_by_others(self, who: str, now: float) -> frozenset[int]:
        """Return the items that a holder must not be shown."""
        with self._lock:
            self._drop_ended(now)
            return frozenset(item for item, lease in self._leases.items() if lease.who != who)

    def _drop_ended(self, now: float) -> None:
        ended = [item for item, lease in self._leases.items() if lease.until <= now]
        for item in ended:
            del self._leases[item]
