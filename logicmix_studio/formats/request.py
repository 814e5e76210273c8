"""What a reader of one format is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from logicmix_studio.formats.names import ImageNames, UnknownImageError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, Problem, TableBuilder


@dataclass
class ReadRequest:
    """One reading of one label file, shared by all formats."""

    labels: Path
    """The label file, or a folder of them."""
    images: ImageNames
    """The images that can be read."""
    image_paths: Sequence[str]
    """The same images in the order of the table."""
    bad_images: ImageNames
    """Images that cannot be read; what is said about them is passed over."""
    class_names: tuple[str, ...] | None
    """The classes, if they were given; otherwise the format finds them."""
    is_exhaustive: bool
    """In a format that names only present classes: whether the others are absent, not unknown."""
    skip_bad: bool
    """Whether statements that cannot be taken are left out instead of refused."""
    notes: list[str] = field(default_factory=list)
    """What a user should know about the reading."""
    found: set[str] = field(default_factory=set)
    """Paths of images about which something was said."""

    def start(self, class_names: Sequence[str] | None, *, repeats_allowed: bool = False) -> TableBuilder:
        """Return a builder that knows all images, in their order.

        Args:
            class_names: The classes; every class that is met if None.
            repeats_allowed: Whether the same statement may stand there twice.
        """
        builder = TableBuilder(class_names, repeats_allowed=repeats_allowed)
        for path in self.image_paths:
            builder.add_image(path)
        return builder

    def find_image(self, name: str, builder: TableBuilder, line: int = 0, file: str = "") -> str | None:
        """Return the path of an image, or None after telling the builder what is wrong with its name."""
        try:
            path = self.images.find(name)
        except UnknownImageError as error:
            if not self._is_bad(name):
                builder.add_problem(str(error), file=file or self.labels.name, line=line)
            return None
        self.found.add(path)
        return path

    def _is_bad(self, name: str) -> bool:
        """Tell whether a name stands for an image that cannot be read."""
        try:
            self.bad_images.find(name)
        except UnknownImageError:
            return False
        return True


Reader = Callable[[ReadRequest], TableBuilder]
"""Reads a label file into a builder."""


@dataclass(frozen=True)
class Positives:
    """The classes that are present in one image."""

    image: str
    """The image, as the label file calls it."""
    class_names: tuple[str, ...]
    """Classes, each once."""
    split: str = ""
    """Split of the image, empty for none."""
    file: str = ""
    """File that says so."""
    line: int = 0
    """Line in the file; 0 for none."""


def read_positives(request: ReadRequest, rows: Sequence[Positives], problems: Iterable[Problem]) -> TableBuilder:
    """Take lists of present classes; the others become absent or stay unknown, as the request says.

    Args:
        request: Names the classes; without, all that are met, in alphabetical order.
        rows: The lists.
        problems: What is wrong with the others.
    """
    class_names = request.class_names or tuple(sorted({name for row in rows for name in row.class_names}))
    builder = request.start(class_names)
    add_problems(builder, problems)
    columns = {name: column for column, name in enumerate(class_names)}
    rest = NEGATIVE if request.is_exhaustive else UNKNOWN
    for row in rows:
        path = request.find_image(row.image, builder, row.line, row.file)
        if path is None:
            continue
        states = [rest] * len(columns)
        for name in row.class_names:
            if name in columns:
                states[columns[name]] = POSITIVE
            else:
                # The builder knows how to say that there is no such class, and which is meant perhaps.
                builder.add_cell(path, name, UNKNOWN, file=row.file, line=row.line)
        builder.add_row(path, states, split=row.split, file=row.file, line=row.line)
    return builder


def add_problems(builder: TableBuilder, problems: Iterable[Problem]) -> None:
    """Tell a builder what is wrong with parts of a file that it never sees."""
    for problem in problems:
        builder.add_problem(problem.message, file=problem.file, line=problem.line)
