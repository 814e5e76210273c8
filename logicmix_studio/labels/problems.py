"""What is wrong with labels, collected and said all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from logicmix_studio.errors import StudioError

SHOWN_PROBLEMS: Final = 20
"""How many problems the message names before it only counts."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a label file."""

    file: str
    """Name of the file; empty where the problem stands in none."""

    line: int
    """Line in the file, from 1; 0 where a line means nothing."""

    message: str
    """What is wrong, with the value at fault."""

    def __str__(self) -> str:
        """Return `file:line: message`, as editors understand it."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.message}" if place else self.message


class LabelProblems(StudioError):  # noqa: N818 (it is a list of problems, not one error)
    """Labels that cannot be taken as they are.

    Args:
        problems: Everything that is wrong; the message names the first twenty and counts the rest.
        hint: What to do about it.
    """

    def __init__(self, problems: Iterable[Problem], hint: str = "Correct these lines and import again.") -> None:
        self.problems = tuple(problems)
        super().__init__(_summary(self.problems), hint)


def _summary(problems: tuple[Problem, ...]) -> str:
    count = len(problems)
    lines = ["1 problem:" if count == 1 else f"{count:,} problems:"]
    lines += [f"  {problem}" for problem in problems[:SHOWN_PROBLEMS]]
    if count > SHOWN_PROBLEMS:
        lines.append(f"  ... and {count - SHOWN_PROBLEMS:,} more")
    return "\n".join(lines)
