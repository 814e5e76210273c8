"""A table of label files: named columns, and rows of text below them; how it is stored, its subclasses know."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from logicmix_studio.formats.texts import MINUS_ONE, STATE_OF_WORD
from logicmix_studio.labels import NEGATIVE, UNKNOWN
from logicmix_studio.words import Progress

IMAGE_COLUMNS: Final = (
    *("image", "image_id", "imageid", "image_name", "image_path", "filename", "file_name", "file", "filepath"),
    *("path", "img", "image index", "image_file", "img_name", "img_path", "fname"),
)
"""Headers, in lower case, of the column that names the image; the first of them in the file counts."""
SPLIT_COLUMN: Final = "split"

ROWS_A_STEP: Final = 50_000
"""Rows between two reports of progress."""

# From this share of its values on, a column holds something else than states, not mistakes.
_FOREIGN_SHARE: Final = 0.25
_MOST_WORDS: Final = 1000
_STATE_WORDS: Final = frozenset((*STATE_OF_WORD, *MINUS_ONE))


class UnreadableError(ValueError):
    """A part of a file that can't be read, and its line; 0 where that can't be told."""

    def __init__(self, kind: str, reason: str, line: int = 0) -> None:
        super().__init__(f"not readable as {kind}: {reason}")
        self.line = line


@dataclass(frozen=True)
class Column:
    """What stands in one column of a table."""

    title: str
    counts: dict[str, int]
    """How often each value occurs; of very many different ones only the first."""

    @cached_property
    def words(self) -> frozenset[str]:
        """Its values in lower case, an empty one among them."""
        return frozenset(word.strip().lower() for word in self.counts)

    @cached_property
    def foreign(self) -> dict[str, int]:
        """Values that are no words for a state."""
        return {word: n for word, n in self.counts.items() if word.strip().lower() not in _STATE_WORDS}

    @property
    def is_foreign(self) -> bool:
        """Whether it holds something else than states, rather than mistakes among them."""
        num_values = sum(n for word, n in self.counts.items() if word.strip())
        return bool(self.foreign) and sum(self.foreign.values()) >= _FOREIGN_SHARE * num_values

    def __str__(self) -> str:
        """Return its title with a value that is no state."""
        return f"{self.title} ({next(iter(self.foreign), '')!r})"


@dataclass(frozen=True)
class Table(ABC):
    """A table whose header is read."""

    path: Path
    header: tuple[str, ...]
    """Column names, surrounding blanks removed; empty for a column that is passed over."""

    def column(self, *names: str) -> int | None:
        """Return the first column with one of these names (in lower case), or None; its own case does not matter."""
        return min((self._first[name] for name in names if name in self._first), default=None)

    @cached_property
    def _first(self) -> dict[str, int]:
        return {title.lower(): i for i, title in reversed([*enumerate(self.header)])}

    @property
    def image_column(self) -> int | None:
        """The column that names the image."""
        return self.column(*IMAGE_COLUMNS)

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """What stands in each column; reads the whole file."""
        counters: list[dict[str, int]] = [{} for _ in self.header]
        try:
            for _, fields in self.rows():
                for counts, word in zip(counters, fields, strict=False):
                    if word in counts or len(counts) < _MOST_WORDS:
                        counts[word] = counts.get(word, 0) + 1
        except UnreadableError:  # told by whoever reads the rows
            pass
        return tuple(map(Column, self.header, counters))

    @cached_property
    def minus_is_uncertain(self) -> bool:
        """Whether -1 must mean uncertain: 0 says absent beside it, and empty fields say unknown."""
        words = set().union(*(column.words for column in self.columns if not column.is_foreign))
        states = {STATE_OF_WORD.get(word) for word in words}
        return not words.isdisjoint(MINUS_ONE) and {NEGATIVE, UNKNOWN} <= states

    @abstractmethod
    def rows(self, progress: Progress | None = None) -> Iterator[tuple[int, list[str]]]:
        """Yield the first line and the fields of each row below the header that is not empty.

        Raises:
            UnreadableError: If a row can't be read.
            StudioError: If the text is in another encoding.
        """
