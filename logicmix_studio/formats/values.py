"""What people write into a cell, and the state that it means."""

from __future__ import annotations

from typing import Final

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN

_WORDS: Final = {
    POSITIVE: ("1", "1.0", "+1", "true", "yes", "positive", "present", "t", "y"),
    NEGATIVE: ("0", "0.0", "false", "no", "negative", "absent", "f", "n"),
    UNKNOWN: ("", "?", "u", "unknown", "uncertain", "nan", "na", "n/a", "none", "null"),
}
STATE_OF_WORD: Final = {word: state for state, words in _WORDS.items() for word in words}
"""The state that a word in lower case stands for."""

SPLITS: Final = ("train", "val", "test")
"""Names that a `split` column may hold, besides nothing."""

_AMBIGUOUS: Final = frozenset({"-1", "-1.0"})


class WrongValueError(ValueError):
    """A value that stands for no state; the message says how to write it."""


def parse_state(text: str) -> int:
    """Return the state that a value stands for.

    Case and surrounding blanks do not matter. Uncertain is unknown.

    Raises:
        WrongValueError: It is no such value, or -1, which means absent to some and uncertain to others.

    Example:
        >>> [parse_state(text) for text in ("1", "no", "", "Uncertain")]
        [1, -1, 0, 0]
    """
    word = text.strip().lower()
    state = STATE_OF_WORD.get(word)
    if state is not None:
        return state
    if word in _AMBIGUOUS:
        raise WrongValueError(
            f"the value {text.strip()!r} may mean absent or uncertain: write 0 for absent, "
            "and leave the cell empty (or write u) for uncertain"
        )
    raise WrongValueError(f"the value {text.strip()!r} is none of 1 (present), 0 (absent) and empty (unknown)")


def parse_split(text: str) -> str:
    """Return the split that a value names, empty for none.

    Raises:
        WrongValueError: It is no name of a split.
    """
    split = text.strip().lower()
    if split and split not in SPLITS:
        raise WrongValueError(f"the split {text.strip()!r} is none of train, val and test")
    return split
