"""Small words that messages are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Progress = Callable[[int, int, str], None]
"""Called with done, total and what is going on in words, while something long goes on."""
MINUTE: Final = 60
HOUR: Final = 3600


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is not one; its plural must be regular.

    Example:
        >>> counted(1, "image"), counted(1200, "image"), counted(0, "class")
        ('1 image', '1,200 images', '0 classes')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('s') else 's'}"


def duration(seconds: float) -> str:
    """Return a time in words, no more exact than it is useful.

    Example:
        >>> duration(0.4), duration(75), duration(150), duration(3900), duration(7200)
        ('1 s', '75 s', '3 min', '1 h 5 min', '2 h')
    """
    if seconds < 2 * MINUTE:
        return f"{max(1, round(seconds))} s"
    minutes = -(-round(seconds) // MINUTE)
    if minutes < 2 * MINUTE and seconds < HOUR:
        return f"{minutes} min"
    hours, rest = divmod(minutes, MINUTE)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def size(num_bytes: int) -> str:
    """Return a size on disk.

    Example:
        >>> size(900), size(16_900_000), size(2_340_000_000)
        ('1 kB', '16.9 MB', '2.34 GB')
    """
    if num_bytes < 1e6:
        return f"{max(1, round(num_bytes / 1e3))} kB"
    return f"{num_bytes / 1e6:.1f} MB" if num_bytes < 1e9 else f"{num_bytes / 1e9:.2f} GB"
