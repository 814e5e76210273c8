"""What a reader of one format is given, and what it gives back."""

from __future__ import annotations

import math
import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.table import SPLIT_COLUMN, UnreadableError
from logicmix_studio.formats.texts import WrongValueError, parse_split, parse_state, shown
from logicmix_studio.images.decode import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, Problem, TableBuilder, clean_path
from logicmix_studio.words import Progress

_SHOWN: Final = 3


class UnknownImageError(ValueError):
    """A name that stands for no image, or for several; the message says which."""


class ImageNames:
    """The images below a folder, looked up by what label files call them.

    Args:
        root: The data set's folder.
        paths: Paths below it, with forward slashes.
    """

    def __init__(self, root: Path, paths: Iterable[str]) -> None:
        self._roots = tuple(f"{os.fspath(place).rstrip('/')}/" for place in (root.absolute(), root.resolve()))
        self.paths = {path: path for path in paths}

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Paths of each file name, with and without its ending; only made when a name is no path."""
        by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.paths):
            name = _normal(posixpath.basename(path))
            for called in dict.fromkeys((name, posixpath.splitext(name)[0])):
                by_name[called].append(path)
        return by_name

    def find(self, name: str, folder: str = "") -> str:
        """Return the path of the image that a name means.

        A name may be the path below the folder, the end of that path, a longer path that ends with it, or the
        file name, if no other image has the same; the ending (.jpg) may be left out, and letters may be composed in
        another way (Unicode's normal forms).

        Args:
            name: What a label file calls the image.
            folder: The label file's folder below the data set's: an image there is meant before others.

        Raises:
            UnknownImageError: If no image or more than one fits, or the name leads out of the folder.
        """
        if not folder and name in self.paths:
            return self.paths[name]
        cleaned = self._relative(name)
        for path in (posixpath.join(folder, cleaned), cleaned):
            if path in self.paths:
                return path
        candidates = self._by_name.get(_normal(posixpath.basename(cleaned)), [])
        fitting = [path for path in candidates if _is_end_of_other(_normal(cleaned), _normal(path))] or candidates
        fitting = [path for path in fitting if folder and path.startswith(f"{folder}/")] or fitting
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise UnknownImageError(f"there is no image {name!r}")
        told = f"{name!r} may be any of {len(fitting)} images ({shown(fitting, _SHOWN)}): give its folder, too"
        raise UnknownImageError(told)

    def has(self, name: str, folder: str = "") -> bool:
        """Return whether a name means one of the images."""
        try:
            self.find(name, folder)
        except UnknownImageError:
            return False
        return True

    def _relative(self, name: str) -> str:
        """Return a name in normal form; an absolute path below the folder becomes relative."""
        cleaned = name.strip().replace("\\", "/")
        for root in self._roots:
            cleaned = cleaned.removeprefix(root)
        try:
            return clean_path(cleaned)
        except ValueError as error:
            raise UnknownImageError(str(error)) from error


def _normal(name: str) -> str:
    return name if name.isascii() else unicodedata.normalize("NFC", name)


def _is_end_of_other(name: str, path: str) -> bool:
    """Tell whether one is the end of the other, by whole parts; the file ending may be missing."""
    ends = [path, posixpath.splitext(path)[0]]
    return any(f"/{end}".endswith(f"/{name}") or f"/{name}".endswith(f"/{end}") for end in ends)


@dataclass
class ReadRequest:
    """One reading of one label file, or of several of one format."""

    files: Sequence[LabelFile]
    """The label files, at least one."""
    images: ImageNames
    """The images that can be read, in the order of the table."""
    bad_images: ImageNames
    """Images that cannot be read; what is said about them is passed over."""
    unread_images: ImageNames
    """Images of kinds that are not read."""
    class_names: tuple[str, ...] | None = None
    """The classes, if they were given; otherwise the format finds them."""
    is_exhaustive: bool = False
    """In a format that names only present classes: whether the others are absent, not unknown."""
    separator: str | None = None
    """In lists of class names: what stands between two; None where the format finds it."""
    progress: Progress | None = None
    """Called with (done, total, message) while a large file is read."""
    notes: list[str] = field(default_factory=list)
    """What a user should know about the reading."""
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with parts of the file that no builder sees."""
    found: set[str] = field(default_factory=set)
    """Paths of images about which something was said."""
    num_without_score: int = 0
    """Labels of machines that give no score."""
    other_endings: dict[str, str] = field(default_factory=dict)
    """Names with another ending than the only image of that stem, and this image."""

    def start(self, class_names: Sequence[str] | None, *, repeats_allowed: bool = False) -> TableBuilder:
        """Return a builder that knows all images, in their order; see `TableBuilder` for the arguments."""
        builder = TableBuilder(class_names, repeats_allowed=repeats_allowed)
        for path in self.images.paths:
            builder.add_image(path)
        return builder

    def report(self, message: str, file: LabelFile, line: int = 0) -> None:
        """Note what is wrong in a line (0 where there is none) of a label file."""
        self.problems.append(Problem(file.name, line, message))

    def rows(self, file: LabelFile) -> Iterator[tuple[int, str | None, str, list[str]]]:
        """Yield line, image, split and fields of each row of a table that is as long as its header; a column names the image.

        What is wrong is noted: with other rows, with the image (which then is None) and with the split (which then is empty).
        """
        table = file.table
        image, width, split = table.image_column, len(table.header), table.column(SPLIT_COLUMN)
        assert image is not None
        try:
            for line, fields in table.rows(self.progress):
                if len(fields) > width and not any(fields[width:]):
                    fields = fields[:width]  # noqa: PLW2901 (spreadsheets add empty columns)
                if len(fields) != width:
                    self.report(f"the row has {len(fields)} columns, but the header has {width}", file, line)
                    continue
                path = self.find_image(fields[image], file, line)
                yield line, path, file.split if split is None else self.parse_split(fields[split], file, line), fields
        except UnreadableError as error:
            self.report(str(error), file, error.line)

    def parse_state(self, word: str, file: LabelFile, line: int, title: str = "") -> int | None:
        """Return the state that a word stands for, or None after noting that it is none."""
        try:
            return parse_state(word)
        except WrongValueError as error:
            self.report(f"column {title!r}: {error}" if title else str(error), file, line)
            return None

    def parse_split(self, word: str, file: LabelFile, line: int = 0) -> str:
        """Return the split that a word stands for, or else the file's; a wrong word is noted."""
        try:
            return parse_split(word) or file.split
        except WrongValueError as error:
            self.report(str(error), file, line)
            return ""

    def parse_score(self, value: object, file: LabelFile, line: int = 0) -> float | None:
        """Return a machine's probability, or None where there is none, which is counted, or it is wrong, which is noted."""
        if value is None or value == "":
            self.num_without_score += 1
            return None
        try:
            score = float(value)  # type: ignore[arg-type]  # or else it is wrong
        except (TypeError, ValueError):
            score = math.nan
        if 0.0 <= score <= 1.0:
            return score
        self.report(f"the score {value!r} is no number from 0 to 1", file, line)
        return None

    def find_image(self, name: str, file: LabelFile, line: int = 0) -> str | None:
        """Return the path of an image, or None after noting what is wrong with its name.

        Where no image is called so, the only one of the same stem is meant.
        """
        folder = posixpath.dirname(file.name)
        try:
            path = self.images.find(name, folder)
        except UnknownImageError as error:
            stem, ending = posixpath.splitext(name.strip())
            is_other = ending.lower() in IMAGE_SUFFIXES | UNREAD_SUFFIXES
            if self.bad_images.has(name, folder):
                return None
            if is_other and self.unread_images.has(name, folder):
                self.report(f"{name!r} is an image of a kind that is not read; save it as JPEG or PNG", file, line)
                return None
            if not is_other or not self.images.has(stem, folder):
                self.report(str(error), file, line)
                return None
            path = self.other_endings[name] = self.images.find(stem, folder)
        self.found.add(path)
        return path


class Statement(NamedTuple):
    """What a label file says about one image."""

    path: str | None
    """The image; None where the one that is named is not found."""
    present: tuple[str, ...] | None
    """Classes, each once; None where nobody looked, so that a class that is not named can't be absent."""
    file: LabelFile
    line: int = 0
    split: str = ""
    absent: tuple[str, ...] = ()
    """Classes that are absent, whatever the others are."""


class Prediction(NamedTuple):
    """What a machine says of a class in an image."""

    path: str | None
    """The image; None where the one that is named is not found."""
    class_name: str
    score: object
    """The probability that the class is present, as the file has it."""
    file: LabelFile


def read_statements(
    request: ReadRequest, statements: Sequence[Statement], predictions: Sequence[Prediction] = ()
) -> TableBuilder:
    """Take what is said of images; classes that are not named become absent or stay unknown, as the request says.

    Without given classes, all that are met for some image are taken, in alphabetical order.
    """
    met = {name for said in statements if said.path is not None for name in (*(said.present or ()), *said.absent)}
    met |= {said.class_name for said in predictions if said.path is not None}
    builder = request.start(request.class_names or tuple(sorted(met)))
    columns = {name: column for column, name in enumerate(builder.class_names)}
    rest = NEGATIVE if request.is_exhaustive else UNKNOWN
    for path, present, file, line, split, absent in statements:
        if path is None:
            continue
        builder.add_image(path, split=split or file.split, file=file.name, line=line)
        if present is None:
            continue
        states = np.full(len(columns), rest, dtype=np.int8)
        for names, state in ((absent, NEGATIVE), (present, POSITIVE)):
            for name in names:
                if name in columns:
                    states[columns[name]] = state
                else:
                    # The builder knows how to say that there is no such class, and which is meant perhaps.
                    builder.add_cell(path, name, UNKNOWN, file=file.name, line=line)
        for name in set(present).intersection(absent):
            builder.add_problem(f"{name!r} of {path!r} is said to be present and absent", file=file.name, line=line)
            if name in columns:
                states[columns[name]] = UNKNOWN
        builder.add_row(path, states, file=file.name, line=line)
    for path, name, score, file in predictions:
        if path is not None and (probability := request.parse_score(score, file)) is not None:
            builder.add_score(path, name, probability, file=file.name)
    return builder
