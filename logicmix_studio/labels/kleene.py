"""OR in Kleene's strong three-valued logic, and why it came out as it did.

With NEGATIVE < UNKNOWN < POSITIVE the OR of any number of states is their maximum:

- *domination*: one positive source makes the blend positive, whatever the others are;
- *identity*: negative sources change nothing, so a blend of negatives only is negative;
- *open*: no source is positive and at least one is unknown, so nothing can be said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.labels.states import NEGATIVE, POSITIVE, STATE_NAMES, UNKNOWN, as_states

Law = Literal["domination", "identity", "open"]

_COUNT_WORDS: Final = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def kleene_or(states: ArrayLike, axis: int = 0) -> NDArray[np.int8]:
    """Return the OR of the states along an axis.

    Args:
        states: Any shape, values in {-1, 0, 1}; at least one state along the axis.
        axis: The axis of the sources.

    Returns:
        The shape of the states without that axis.

    Raises:
        ValueError: There is no source: an OR of nothing would call every class negative.

    Example:
        >>> kleene_or([[1, 0, -1, -1], [-1, -1, -1, 0]])
        array([ 1,  0, -1,  0], dtype=int8)
    """
    array = as_states(states)
    if array.ndim == 0 or array.shape[axis] == 0:
        raise ValueError(f"OR needs at least one source, but the shape is {array.shape} and the axis {axis}")
    return np.asarray(array.max(axis=axis), dtype=np.int8)


@dataclass(frozen=True, slots=True)
class SettlingAnswer:
    """One answer to one cell that would settle an open class of a blend."""

    source: int
    """Position of the source whose cell is answered."""

    answer: int
    """The answer, positive or negative."""

    result: int
    """State of the class in the blend after this answer."""


@dataclass(frozen=True, slots=True)
class OrExplanation:
    """Why one class of a blend has its state."""

    result: int
    """State of the class in the blend."""

    law: Law
    """The law that decided."""

    num_sources: int
    """How many sources were mixed."""

    deciding: tuple[int, ...]
    """Positions of the sources that decide: the positive ones, all of them for identity, none while open."""

    open_sources: tuple[int, ...]
    """Positions of the unknown sources that keep the class open; empty once it is decided."""

    settling: tuple[SettlingAnswer, ...]
    """The single answers that would settle an open class; empty once it is decided."""

    def reason(self, class_name: str, source_names: Sequence[str]) -> str:
        """Return the reason in words.

        Args:
            class_name: Name of the class.
            source_names: Name of each source, in the order of the states.

        Raises:
            ValueError: There is not one name for each source.

        Example:
            >>> explain_or([[-1], [1]])[0].reason("dog", ["image 1", "image 2"])
            'positive: dog is in image 2 (domination)'
        """
        self._check_names(source_names)
        if self.law == "domination":
            body = f"{class_name} is in {_listed([source_names[i] for i in self.deciding], 'and')}"
        elif self.law == "identity":
            was = "was" if self.num_sources == 1 else "were"
            body = f"{_all_of(self.num_sources)} {was} checked for {class_name}, and none has it"
        elif len(self.open_sources) == self.num_sources > 1:
            which = "either" if self.num_sources == 2 else "any"
            body = f"nobody looked for {class_name} in {which} of the {_count(self.num_sources)}"
        else:
            body = f"nobody looked for {class_name} in {_listed(self._open_names(source_names), 'or')}"
            body += ", and no other source has it" if self.num_sources > 1 else ""
        return f"{STATE_NAMES[self.result]}: {body} ({self.law})"

    def settling_words(self, source_names: Sequence[str]) -> str:
        """Return in words which single answers would settle the class; empty once it is decided.

        Args:
            source_names: Name of each source, in the order of the states.

        Raises:
            ValueError: There is not one name for each source.

        Example:
            >>> explain_or([[0], [-1]])[0].settling_words(["image 1", "image 2"])
            'a yes in image 1 would make it positive, a no negative'
        """
        self._check_names(source_names)
        if not self.settling:
            return ""
        words = f"a yes in {_listed(self._open_names(source_names), 'or')} would make it positive"
        return f"{words}, a no negative" if len(self.open_sources) == 1 else words

    def _open_names(self, source_names: Sequence[str]) -> list[str]:
        return [source_names[i] for i in self.open_sources]

    def _check_names(self, source_names: Sequence[str]) -> None:
        if len(source_names) != self.num_sources:
            raise ValueError(f"{self.num_sources} sources need as many names, not {len(source_names)}")


def explain_or(states: ArrayLike) -> tuple[OrExplanation, ...]:
    """Return for each class of a blend which source decided it, and by which law.

    K sources, C classes.

    Args:
        states: (K, C) with K >= 1, values in {-1, 0, 1}.

    Returns:
        One explanation a class, in column order.

    Raises:
        ValueError: The states are not a matrix with at least one row.
    """
    array = as_states(states)
    if array.ndim != 2:
        raise ValueError(f"states must have two axes (sources, classes), but their shape is {array.shape}")
    results = kleene_or(array)
    return tuple(_explain(array[:, c], int(result)) for c, result in enumerate(results))


def _explain(column: NDArray[np.int8], result: int) -> OrExplanation:
    num_sources = len(column)
    if result == POSITIVE:
        return OrExplanation(result, "domination", num_sources, _positions(column == POSITIVE), (), ())
    if result == NEGATIVE:
        return OrExplanation(result, "identity", num_sources, tuple(range(num_sources)), (), ())
    unknown = _positions(column == UNKNOWN)
    settling = [SettlingAnswer(source, POSITIVE, POSITIVE) for source in unknown]
    if len(unknown) == 1:
        settling.append(SettlingAnswer(unknown[0], NEGATIVE, NEGATIVE))
    return OrExplanation(result, "open", num_sources, (), unknown, tuple(settling))


def _positions(mask: NDArray[np.bool_]) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(mask))


def _listed(names: Sequence[str], word: str) -> str:
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} {word} {names[-1]}"


def _count(number: int) -> str:
    return _COUNT_WORDS[number] if number < len(_COUNT_WORDS) else str(number)


def _all_of(number: int) -> str:
    if number == 1:
        return "the one source"
    return "both" if number == 2 else f"all {_count(number)}"
