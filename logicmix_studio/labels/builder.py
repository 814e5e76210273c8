"""Collect statements from label files, and report everything that is wrong at once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.labels.problems import LabelProblems, Problem
from logicmix_studio.labels.states import STATE_NAMES, UNKNOWN, as_states
from logicmix_studio.labels.table import LabelTable, check_unique, clean_path


@dataclass
class _Cells:
    """Statements about single cells, in columns; the order is that of reading."""

    rows: array[int] = field(default_factory=lambda: array("q"))
    columns: array[int] = field(default_factory=lambda: array("q"))
    states: array[int] = field(default_factory=lambda: array("b"))
    files: array[int] = field(default_factory=lambda: array("q"))
    lines: array[int] = field(default_factory=lambda: array("q"))

    def append(self, row: int, column: int, state: int, file: int, line: int) -> None:
        self.rows.append(row)
        self.columns.append(column)
        self.states.append(state)
        self.files.append(file)
        self.lines.append(line)


@dataclass(frozen=True)
class _WholeRow:
    """Statement about all classes of one image."""

    row: int
    states: NDArray[np.int8]
    file: int
    line: int


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
        self._columns = {name: column for column, name in enumerate(class_names or ())}
        if class_names is not None:
            check_unique("class", class_names)
        self._may_grow = class_names is None
        self._repeats_allowed = repeats_allowed
        self._image_rows: dict[str, int | None] = {}
        self._paths: dict[str, int] = {}
        self._splits: list[str] = []
        self._files: dict[str, int] = {}
        self._file_names: list[str] = []
        self._cells = _Cells()
        self._whole_rows: dict[int, _WholeRow] = {}
        self._repeated_rows: list[_WholeRow] = []
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
            self._image_rows[path] = self._register(path, file, line)
        row = self._image_rows[path]
        if split and row is not None:
            self._set_split(row, split.strip().lower(), Problem(file, line, path))
        return row

    def add_cell(self, path: str, class_name: str, state: int, *, file: str = "", line: int = 0) -> None:
        """Take a statement about one cell: -1, 0 or 1. Unknown says nothing but makes image and class known."""
        row = self.add_image(path, file=file, line=line)
        column = self._columns.get(class_name)
        if column is None:
            column = self._new_column(class_name, file, line)
        if row is not None and column is not None and state != UNKNOWN:
            self._cells.append(row, column, state, self._file_index(file), line)

    def add_row(self, path: str, states: ArrayLike, *, split: str = "", file: str = "", line: int = 0) -> None:
        """Take a statement about all C classes of an image: (C,), values in {-1, 0, 1}, in the order of `class_names`.

        Raises:
            ValueError: The classes were left out on construction, or there is not one state for each.
        """
        vector = np.array(as_states(states))
        if self._may_grow or vector.shape != (len(self._columns),):
            raise ValueError(
                f"a whole row needs one state for each of {len(self._columns)} given classes, "
                f"but its shape is {vector.shape}"
            )
        row = self.add_image(path, split=split, file=file, line=line)
        if row is None:
            return
        statement = _WholeRow(row, vector, self._file_index(file), line)
        if self._whole_rows.setdefault(row, statement) is not statement:
            self._repeated_rows.append(statement)

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
        for statement in self._whole_rows.values():
            states[statement.row] = statement.states
        contradicted = self._check_repeated_rows(states, paths)
        contradicted |= self._place_cells(states, paths)
        states[contradicted] = UNKNOWN
        self._problems = sorted(set(self._problems), key=lambda p: (p.file, p.line, p.message))
        if self._problems and not skip_bad:
            raise LabelProblems(self._problems)
        return LabelTable.build(paths, self.class_names, states, self._splits)

    def _register(self, path: str, file: str, line: int) -> int | None:
        try:
            cleaned = clean_path(path)
        except ValueError as error:
            self.add_problem(str(error), file=file, line=line)
            return None
        if cleaned not in self._paths:
            self._paths[cleaned] = len(self._paths)
            self._splits.append("")
        return self._paths[cleaned]

    def _set_split(self, row: int, split: str, at: Problem) -> None:
        before = self._splits[row]
        if before and before != split:
            message = f"{at.message!r} is of split {split!r} here and of split {before!r} before"
            self.add_problem(message, file=at.file, line=at.line)
            return
        self._splits[row] = split

    def _new_column(self, class_name: str, file: str, line: int) -> int | None:
        if self._may_grow and class_name:
            self._columns[class_name] = len(self._columns)
            return self._columns[class_name]
        if class_name not in self._unknown_classes:
            close = get_close_matches(class_name, self._columns, n=1)
            guess = f"; did you mean {close[0]!r}?" if close else ""
            self._unknown_classes[class_name] = f"there is no class {class_name!r}{guess}"
        self.add_problem(self._unknown_classes[class_name], file=file, line=line)
        return None

    def _file_index(self, file: str) -> int:
        index = self._files.get(file)
        if index is None:
            index = self._files[file] = len(self._file_names)
            self._file_names.append(file)
        return index

    def _check_repeated_rows(self, states: NDArray[np.int8], paths: tuple[str, ...]) -> NDArray[np.bool_]:
        """Report rows that stand there twice; return the cells (N, C) in which they contradict."""
        contradicted = np.zeros(states.shape, dtype=np.bool_)
        for statement in self._repeated_rows:
            file, path = self._file_names[statement.file], paths[statement.row]
            before = self._whole_row_place(statement.row)
            opposite = states[statement.row] * statement.states < 0
            contradicted[statement.row] |= opposite
            for column in np.flatnonzero(opposite):
                message = self._contradiction(path, int(column), int(statement.states[column]), before)
                self.add_problem(message, file=file, line=statement.line)
            if not self._repeats_allowed:
                self.add_problem(f"a second row for {path!r} (first: {before})", file=file, line=statement.line)
            known = states[statement.row] != UNKNOWN
            states[statement.row] = np.where(known, states[statement.row], statement.states)
        return contradicted

    def _place_cells(self, states: NDArray[np.int8], paths: tuple[str, ...]) -> NDArray[np.bool_]:
        """Write single statements into the states; return the cells (N, C) that contradict."""
        contradicted = np.zeros(states.shape, dtype=np.bool_)
        rows = np.frombuffer(self._cells.rows, dtype=np.int64)
        if rows.size == 0:
            return contradicted
        columns = np.frombuffer(self._cells.columns, dtype=np.int64)
        said = np.frombuffer(self._cells.states, dtype=np.int8)
        _, first, inverse = np.unique(rows * states.shape[1] + columns, return_index=True, return_inverse=True)
        earlier = first[inverse]
        in_whole_row = states[rows, columns] != UNKNOWN
        is_fresh = ~in_whole_row & (earlier == np.arange(rows.size))
        states[rows[is_fresh], columns[is_fresh]] = said[is_fresh]
        is_opposite = ~is_fresh & (states[rows, columns] != said)
        contradicted[rows[is_opposite], columns[is_opposite]] = True
        is_wrong = is_opposite if self._repeats_allowed else ~is_fresh
        for i in np.flatnonzero(is_wrong).tolist():
            before = self._whole_row_place(int(rows[i])) if in_whole_row[i] else self._cell_place(earlier[i])
            self._report_cell(i, paths, before, is_opposite=bool(is_opposite[i]))
        return contradicted

    def _report_cell(self, i: int, paths: tuple[str, ...], before: str, *, is_opposite: bool) -> None:
        cells = self._cells
        path, column = paths[cells.rows[i]], cells.columns[i]
        message = f"{self.class_names[column]!r} of {path!r} is stated twice (first: {before})"
        if is_opposite:
            message = self._contradiction(path, column, cells.states[i], before)
        self.add_problem(message, file=self._file_names[cells.files[i]], line=cells.lines[i])

    def _cell_place(self, i: int) -> str:
        return self._place(self._cells.files[i], self._cells.lines[i])

    def _whole_row_place(self, row: int) -> str:
        return self._place(self._whole_rows[row].file, self._whole_rows[row].line)

    def _place(self, file: int, line: int) -> str:
        name = self._file_names[file]
        return f"{name}:{line}" if line else name or "an earlier statement"

    def _contradiction(self, path: str, column: int, state: int, before: str) -> str:
        here, there = STATE_NAMES[state], STATE_NAMES[-state]
        return f"{self.class_names[column]!r} of {path!r} is {here} here and {there} in {before}"
