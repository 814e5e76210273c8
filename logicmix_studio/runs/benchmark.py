"""The finished benchmark of a data set: which training methods were how good, and what follows for the next run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json
from logicmix_studio.training.config import RECIPES
from logicmix_studio.training.fields import value_words
from logicmix_studio.training.settings import setting_words
from logicmix_studio.words import counted


@dataclass(frozen=True)
class Measured:
    """A method at one known proportion: means over seeds, with the ends of 95 % t-intervals, which one seed has not."""

    method: str
    words: str
    """What it is."""
    recipe: str
    known_proportion: float
    """In (0, 1]."""
    seeds: int
    map: float
    """On split test, in [0, 1]."""
    low: float | None
    high: float | None
    behind: float
    """How much less than the best one's, with the same labels; 0 for the best."""
    behind_low: float | None
    """Above 0 the best one is better beyond noise."""

    @property
    def is_level(self) -> bool:
        """Whether it can't be told from the best one; true of the best one itself."""
        return self.behind_low is None or self.behind_low <= 0.0

    @property
    def figure(self) -> str:
        """The mAP with its interval, in percent."""
        ends = "one seed" if self.low is None or self.high is None else f"{100 * self.low:.1f} to {100 * self.high:.1f}"
        return f"{100 * self.map:.1f} ({ends})"


@dataclass(frozen=True)
class Benchmark:
    """Methods that were trained on the same hidden labels of this data set."""

    rows: tuple[Measured, ...]
    """By known proportion, the best first."""
    settings: Mapping[str, Any]
    """What all methods had in common, by dotted name; empty for the recipes' own."""
    made: str
    """When it was finished, in ISO 8601."""

    @property
    def about(self) -> str:
        """How it was made, in words."""
        same = ", ".join(f"{setting_words(name)} {value_words(value)}" for name, value in self.settings.items())
        return f"{counted(max(row.seeds for row in self.rows), 'seed')}; {same or 'the settings of the recipes'}"

    @property
    def table(self) -> pd.DataFrame:
        """``labels known, method, mAP % (95 %), points behind, told from the best, what it is``."""
        rows = [
            (
                *(f"{row.known_proportion:.0%}", row.method, row.figure, round(100 * row.behind, 1)),
                "no" if row.is_level else "yes",
                row.words,
            )
            for row in self.rows
        ]
        columns = ["labels known", "method", "mAP % (95 %)", "points behind", "told from the best", "what it is"]
        return pd.DataFrame(rows, columns=columns)

    def advice(self, known_proportion: float) -> tuple[str | None, str]:
        """Return the title of the recipe to take, None where the fast one was not measured, and what that rests on.

        Args:
            known_proportion: Of the data set, in [0, 1]; the one nearest to it that was measured counts.
        """
        share = min({row.known_proportion for row in self.rows}, key=lambda one: abs(one - known_proportion))
        best, *others = (row for row in self.rows if row.known_proportion == share)
        level = [row for row in others if row.is_level]
        told = f", and can't be told from {', '.join(row.method for row in level)}" if level else ""
        told = ", better than the others beyond noise" if others and not level else told
        words = f"In the benchmark of this data set at {share:.0%} known ({self.about}) {best.method} was best with a mAP of"
        # What can't be told from the fast recipe is no reason to take a slower one.
        recipe = "quick" if any(row.recipe == "quick" for row in level) else best.recipe
        has_fast = any(row.recipe == "quick" for row in (best, *others))
        return RECIPES[recipe].title if has_fast else None, f"{words} {best.figure} %{told}."


def read_benchmark(file: Path) -> Benchmark | None:
    """Return the benchmark that a file holds, None where none has been finished.

    Raises:
        StudioError: If the file is broken.
    """
    if (content := read_json(file)) is None:
        return None
    try:
        rows = tuple(Measured(**row) for row in content["rows"])
        found = Benchmark(rows, dict(content["settings"]), str(content["made"]))
        found.advice(0.0)  # a value of another type shows itself
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StudioError(f"{file} is no benchmark: {error}", "run it again: logicmix-studio benchmark run") from error
    return found
