"""Collect statements from label files, and report everything that is wrong at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels.states import STATE_NAMES, UNKNOWN, as_states
from logicmix_studio.labels.table import LabelTable, check_unique, clean_path

SHOWN_PROBLEMS: Final = 20
"""How many problems the message names before it only counts."""
_SHOWN_LINES: Final = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a label file."""

    file: str
    """Name of the file; empty where the problem stands in none."""
    line: int
    """Line in the file, from 1; 0 where a line means nothing."""
    message: str
    """What is wrong, with the value at fault."""
    also: tuple[int, ...] = ()
    """Further lines of the file with the same problem."""

    @property
    def count(self) -> int:
        """How often the file has it."""
        return 1 + len(self.also)

    def __str__(self) -> str:
        """Return `file:line: message`, as editors understand it, with the other lines behind it."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{place}: {self.message}" if place else self.message
        if not self.also:
            return text
        more = self.count - 1 - _SHOWN_LINES
        lines = ", ".join(map(str, self.also[:_SHOWN_LINES])) + (f" and {more:,} more" if more > 0 else "")
        return f"{text} (also line{'s' if self.count > 2 else ''} {lines})"


def group_problems(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return problems in the order of file and line, those that say the same of a file as one."""
    lines: dict[tuple[str, str], set[int]] = {}
    for problem in problems:
        lines.setdefault((problem.file, problem.message), set()).update((problem.line, *problem.also))
    groups = ((file, message, sorted(found)) for (file, message), found in lines.items())
    grouped = (Problem(file, found[0], message, tuple(found[1:])) for file, message, found in groups)
    return tuple(sorted(grouped, key=lambda p: (p.file, p.line, p.message)))


class LabelProblems(StudioError):  # noqa: N818 (it is a list of problems, not one error)
    """Everything that is wrong with labels; the message names the first twenty problems and counts the rest."""

    def __init__(self, problems: Iterable[Problem], hint: str = "Correct these lines and import again.") -> None:
        self.problems = tuple(problems)
        count = sum(problem.count for problem in self.problems)
        lines = ["1 problem:" if count == 1 else f"{count:,} problems:"]
        lines += [f"  {problem}" for problem in self.problems[:SHOWN_PROBLEMS]]
        if more := sum(problem.count for problem in self.problems[SHOWN_PROBLEMS:]):
            lines.append(f"  ... and {more:,} more")
        super().__init__("\n".join(lines), hint)


class TableBuilder:
    """Takes statements in any order and makes a `LabelTable`, or says all that is wrong with them.

    Reported with file and line: a cell that is said to be positive and negative, a statement or a whole
    row that stands there twice, a class that does not exist, a path outside the folder, an image with two
    splits. The first statement about a cell stays; a cell with a contradiction becomes unknown.

    Args:
        class_names: The classes, in column order. Left out: every class that is met, in order of appearance.
        repeats_allowed: Whether the same statement may stand there twice, as where each object of an image
            has its own line. A contradiction is reported in any case.

    Raises:
        StudioError: A class name is given twice.
    """

    def __init__(self, class_names: Sequence[str] | None = None, *, repeats_allowed: bool = False) -> None:
        check_unique("class", class_names or ())
        self._columns = {name: column for column, name in enumerate(class_names or ())}
        self._may_grow = class_names is None
        self._repeats_allowed = repeats_allowed
        self._image_rows: dict[str, int | None] = {}
        self._paths: dict[str, int] = {}
        self._splits: dict[int, str] = {}
        self._files: dict[str, int] = {}
        self._cells = array("q")
        """Row, column, state, file and line of each statement about a single cell, one after the other."""
        self._scores = array("d")
        """Row, column and probability of each label of a machine, one after the other."""
        self._whole_rows = array("q")
        """Row, file and line of each statement about a whole row, one after the other."""
        self._whole_states = bytearray()
        """Their states, C bytes each."""
        self._first = np.zeros(0, dtype=np.int64)
        """Once they are placed: which of them is the first about each image."""
        self._unknown_classes: dict[str, str] = {}
        self._problems: list[Problem] = []

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes so far, in column order."""
        return tuple(self._columns)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was wrong so far; complete after `build`."""
        return tuple(self._problems)

    def add_problem(self, message: str, *, file: str = "", line: int = 0) -> None:
        """Note something wrong that only the reader of a file can know: where, and what, with the value at fault."""
        self._problems.append(Problem(file, line, message))

    def add_image(self, path: str, *, split: str = "", file: str = "", line: int = 0) -> int | None:
        """Make an image known, also where nothing is said about its classes.

        Args:
            path: Path below the data set's folder.
            split: Name of its split; case does not matter, empty for none.
            file: Name of the file that says so, as below.
            line: Line in the file, from 1; 0 for none.

        Returns:
            Row of the image, or None where its path is wrong (which is noted once a path).
        """
        if path not in self._image_rows:
            try:
                self._image_rows[path] = self._paths.setdefault(clean_path(path), len(self._paths))
            except ValueError as error:
                self._image_rows[path] = None
                self.add_problem(str(error), file=file, line=line)
        row = self._image_rows[path]
        split = split.strip().lower()
        if split and row is not None:
            before = self._splits.setdefault(row, split)
            if before != split:
                message = f"{path!r} is of split {split!r} here and of split {before!r} before"
                self.add_problem(message, file=file, line=line)
        return row

    @property
    def scores(self) -> NDArray[np.float32] | None:
        """(N, C) the highest probability that a machine gives a class; nan for none, None where no machine spoke."""
        if not self._scores:
            return None
        rows, columns, said = np.asarray(self._scores).reshape(-1, 3).T
        scores = np.full((len(self._paths), len(self._columns)), np.nan, dtype=np.float32)
        np.fmax.at(scores, (rows.astype(np.int64), columns.astype(np.int64)), said)
        return scores

    def add_cell(self, path: str, class_name: str, state: int, *, file: str = "", line: int = 0) -> None:
        """Take a statement about one cell: -1, 0 or 1. Unknown says nothing but makes image and class known."""
        place = self._place_of_cell(path, class_name, file, line)
        if place is not None and state != UNKNOWN:
            self._cells.extend((*place, state, self._files.setdefault(file, len(self._files)), line))

    def add_score(self, path: str, class_name: str, score: float, *, file: str = "", line: int = 0) -> None:
        """Take what a machine says of a cell: the probability in [0, 1] that the class is present. It makes no cell known."""
        place = self._place_of_cell(path, class_name, file, line)
        if place is not None:
            self._scores.extend((*place, score))

    def add_row(self, path: str, states: ArrayLike, *, split: str = "", file: str = "", line: int = 0) -> None:
        """Take a statement about all C classes of an image: (C,), values in {-1, 0, 1}, in the order of `class_names`.

        Raises:
            ValueError: The classes were left out on construction, or there is not one state for each.
        """
        vector = as_states(states)
        if self._may_grow or vector.shape != (len(self._columns),):
            raise ValueError(
                f"a whole row needs one state for each of {len(self._columns)} given classes, "
                f"but its shape is {vector.shape}"
            )
        row = self.add_image(path, split=split, file=file, line=line)
        if row is not None:
            self._whole_rows.extend((row, self._files.setdefault(file, len(self._files)), line))
            self._whole_states += vector.tobytes()

    def build(self, *, skip_bad: bool = False) -> LabelTable:
        """Return the table of everything that was said.

        Args:
            skip_bad: Whether to leave out what is wrong instead of refusing all; `problems` has it.

        Raises:
            LabelProblems: Something is wrong, and it was not to be left out.
            StudioError: A class has an empty name.
        """
        paths = tuple(self._paths)
        states = np.zeros((len(paths), len(self._columns)), dtype=np.int8)
        contradicted = self._place_rows(states, paths)
        contradicted |= self._place_cells(states, paths)
        states[contradicted] = UNKNOWN
        self._problems = list(group_problems(self._problems))
        if self._problems and not skip_bad:
            raise LabelProblems(self._problems)
        return LabelTable.build(
            paths, self.class_names, states, [self._splits.get(row, "") for row in range(len(paths))]
        )

    def _place_of_cell(self, path: str, class_name: str, file: str, line: int) -> tuple[int, int] | None:
        row = self.add_image(path, file=file, line=line)
        column = self._columns.get(class_name)
        if column is None:
            column = self._new_column(class_name, file, line)
        return None if row is None or column is None else (row, column)

    def _new_column(self, class_name: str, file: str, line: int) -> int | None:
        if self._may_grow and class_name:
            return self._columns.setdefault(class_name, len(self._columns))
        if class_name not in self._unknown_classes:
            close = get_close_matches(class_name, self._columns, n=1)
            guess = f"; did you mean {close[0]!r}?" if close else ""
            self._unknown_classes[class_name] = f"there is no class {class_name!r}{guess}"
        self.add_problem(self._unknown_classes[class_name], file=file, line=line)
        return None

    def _place_rows(self, states: NDArray[np.int8], paths: tuple[str, ...]) -> NDArray[np.bool_]:
        """Write whole rows into the states, and report those that stand there twice; return the cells (N, C) that contradict."""
        contradicted = np.zeros(states.shape, dtype=np.bool_)
        places = np.asarray(self._whole_rows, dtype=np.int64).reshape(-1, 3)
        said = np.frombuffer(self._whole_states, dtype=np.int8).reshape(len(places), states.shape[1])
        rows, first = np.unique(places[:, 0], return_index=True)
        states[rows] = said[first]
        self._first = np.zeros(len(paths), dtype=np.int64)
        self._first[rows] = first
        files = tuple(self._files)
        for i in np.setdiff1d(np.arange(len(places)), first).tolist():
            row, file, line = places[i].tolist()
            before, opposite = self._place_of_row(row), states[row] * said[i] < 0
            contradicted[row] |= opposite
            for column in np.flatnonzero(opposite).tolist():
                message = self._contradiction(paths[row], column, int(said[i, column]), before)
                self.add_problem(message, file=files[file], line=line)
            if not self._repeats_allowed:
                self.add_problem(f"a second row for {paths[row]!r} (first: {before})", file=files[file], line=line)
            states[row] = np.where(states[row] != UNKNOWN, states[row], said[i])
        return contradicted

    def _place_cells(self, states: NDArray[np.int8], paths: tuple[str, ...]) -> NDArray[np.bool_]:
        """Write single statements into the states; return the cells (N, C) that contradict."""
        contradicted = np.zeros(states.shape, dtype=np.bool_)
        statements = np.asarray(self._cells, dtype=np.int64).reshape(-1, 5)
        rows, columns, said = statements[:, :3].T
        _, first, inverse = np.unique(rows * states.shape[1] + columns, return_index=True, return_inverse=True)
        earlier = first[inverse]
        in_whole_row = states[rows, columns] != UNKNOWN
        is_fresh = ~in_whole_row & (earlier == np.arange(rows.size))
        states[rows[is_fresh], columns[is_fresh]] = said[is_fresh]
        is_opposite = ~is_fresh & (states[rows, columns] != said)
        contradicted[rows[is_opposite], columns[is_opposite]] = True
        is_wrong = is_opposite if self._repeats_allowed else ~is_fresh
        files = tuple(self._files)
        for i in np.flatnonzero(is_wrong).tolist():
            row, column, state, file, line = statements[i].tolist()
            first_file, first_line = statements[earlier[i], 3:].tolist()
            before = self._place_of_row(row) if in_whole_row[i] else _place(files[first_file], first_line)
            message = f"{self.class_names[column]!r} of {paths[row]!r} is stated twice (first: {before})"
            if is_opposite[i]:
                message = self._contradiction(paths[row], column, state, before)
            self.add_problem(message, file=files[file], line=line)
        return contradicted

    def _place_of_row(self, row: int) -> str:
        _, file, line = self._whole_rows[3 * self._first[row] : 3 * self._first[row] + 3]
        return _place(tuple(self._files)[file], line)

    def _contradiction(self, path: str, column: int, state: int, before: str) -> str:
        here, there = STATE_NAMES[state], STATE_NAMES[-state]
        return f"{self.class_names[column]!r} of {path!r} is {here} here and {there} in {before}"


def _place(file: str, line: int) -> str:
    return f"{file}:{line}" if line else file or "an earlier statement"
