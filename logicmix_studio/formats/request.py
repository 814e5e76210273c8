"""What a reader of one format is given, and what it gives back."""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple

from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, Problem, TableBuilder, clean_path

_SHOWN: Final = 3


class UnknownImageError(ValueError):
    """A name that stands for no image, or for several; the message says which."""


class ImageNames:
    """The images below a folder, looked up by what label files call them.

    Args:
        root: The data set's folder.
        paths: Paths below it, with forward slashes.
    """

    def __init__(self, root: Path, paths: Sequence[str]) -> None:
        self._roots = tuple(f"{os.fspath(place).rstrip('/')}/" for place in (root.absolute(), root.resolve()))
        self.paths = dict.fromkeys(paths)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Paths of each file name, with and without its ending; only made when a name is no path."""
        by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self.paths):
            name = posixpath.basename(path)
            for called in dict.fromkeys((name, posixpath.splitext(name)[0])):
                by_name[called].append(path)
        return by_name

    def find(self, name: str) -> str:
        """Return the path of the image that a name means.

        A name may be the path below the folder, the end of that path, a longer path that ends with it, or the
        file name, if no other image has the same; the ending (.jpg) may be left out.

        Raises:
            UnknownImageError: If no image or more than one fits, or the name leads out of the folder.
        """
        if name in self.paths:
            return name
        cleaned = self._relative(name)
        if cleaned in self.paths:
            return cleaned
        candidates = self._by_name.get(posixpath.basename(cleaned), [])
        fitting = [path for path in candidates if _is_end_of_other(cleaned, path)] or candidates
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise UnknownImageError(f"there is no image {name!r}")
        shown = ", ".join(fitting[:_SHOWN]) + (", ..." if len(fitting) > _SHOWN else "")
        raise UnknownImageError(f"{name!r} may be any of {len(fitting)} images ({shown}): give its folder, too")

    def _relative(self, name: str) -> str:
        """Return a name in normal form; an absolute path below the folder becomes relative."""
        cleaned = name.strip().replace("\\", "/")
        for root in self._roots:
            cleaned = cleaned.removeprefix(root)
        try:
            return clean_path(cleaned)
        except ValueError as error:
            raise UnknownImageError(str(error)) from error


def _is_end_of_other(name: str, path: str) -> bool:
    """Tell whether one is the end of the other, by whole parts; the file ending may be missing."""
    ends = [path, posixpath.splitext(path)[0]]
    return any(f"/{end}".endswith(f"/{name}") or f"/{name}".endswith(f"/{end}") for end in ends)


@dataclass
class ReadRequest:
    """One reading of one label file, shared by all formats."""

    labels: Path
    """The label file, or a folder of them."""
    images: ImageNames
    """The images that can be read, in the order of the table."""
    bad_images: ImageNames
    """Images that cannot be read; what is said about them is passed over."""
    class_names: tuple[str, ...] | None
    """The classes, if they were given; otherwise the format finds them."""
    is_exhaustive: bool
    """In a format that names only present classes: whether the others are absent, not unknown."""
    notes: list[str] = field(default_factory=list)
    """What a user should know about the reading."""
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with parts of the file that no builder sees."""
    found: set[str] = field(default_factory=set)
    """Paths of images about which something was said."""

    def start(self, class_names: Sequence[str] | None, *, repeats_allowed: bool = False) -> TableBuilder:
        """Return a builder that knows all images, in their order; see `TableBuilder` for the arguments."""
        builder = TableBuilder(class_names, repeats_allowed=repeats_allowed)
        for path in self.images.paths:
            builder.add_image(path)
        return builder

    def report(self, message: str, line: int = 0, file: str = "") -> None:
        """Note what is wrong in a line (0 where there is none) of the label file, or of one of its files."""
        self.problems.append(Problem(file or self.labels.name, line, message))

    def find_image(self, name: str, line: int = 0, file: str = "") -> str | None:
        """Return the path of an image, or None after noting what is wrong with its name."""
        try:
            path = self.images.find(name)
        except UnknownImageError as error:
            try:
                self.bad_images.find(name)
            except UnknownImageError:
                self.report(str(error), line, file)
            return None
        self.found.add(path)
        return path


class Positives(NamedTuple):
    """The classes that are present in one image."""

    path: str | None
    """The image; None where the one that is named is not found."""
    class_names: tuple[str, ...]
    """Classes, each once."""
    file: str
    line: int = 0
    split: str = ""


def read_positives(request: ReadRequest, rows: Sequence[Positives]) -> TableBuilder:
    """Take lists of present classes; the others become absent or stay unknown, as the request says.

    Without given classes, all that are met are taken, in alphabetical order.
    """
    class_names = request.class_names or tuple(sorted({name for row in rows for name in row.class_names}))
    builder = request.start(class_names)
    columns = {name: column for column, name in enumerate(class_names)}
    rest = NEGATIVE if request.is_exhaustive else UNKNOWN
    for path, names, file, line, split in rows:
        if path is None:
            continue
        states = [rest] * len(columns)
        for name in names:
            if name in columns:
                states[columns[name]] = POSITIVE
            else:
                # The builder knows how to say that there is no such class, and which is meant perhaps.
                builder.add_cell(path, name, UNKNOWN, file=file, line=line)
        builder.add_row(path, states, split=split, file=file, line=line)
    return builder
