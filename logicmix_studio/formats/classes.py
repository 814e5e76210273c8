"""Lists of class names: from the command line, or from a file with one name a line."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.texts import read_text
from logicmix_studio.labels import LabelProblems, Problem

CLASSES_FILE: Final = "classes.txt"
"""A file of this name beside the images gives class names and their order."""


def parse_classes(text: str) -> tuple[str, ...]:
    """Return the class names that an option gives: joined by commas, or in a file with one name a line.

    Raises:
        StudioError: If there is no name, a name stands there twice, or the file cannot be read.

    Example:
        >>> parse_classes("cat, dog")
        ('cat', 'dog')
    """
    path = Path(text).expanduser()
    if "," not in text and path.is_file():
        return read_classes(path)
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise StudioError("the list of classes is empty", "Give names joined by commas, or a file.")
    for name in names:
        if names.count(name) > 1:
            raise StudioError(f"the class {name!r} is given twice", "Give each class once.")
    if len(names) == 1 and path.suffix:
        raise StudioError(f"there is no file {text}", "Give names joined by commas, or a file of them.")
    return names


def read_classes(path: Path) -> tuple[str, ...]:
    """Read class names, one a line; empty lines are passed over.

    Raises:
        StudioError: If it holds no name, or a name twice, or is no text.
    """
    first_lines: dict[str, int] = {}
    problems: list[Problem] = []
    for line, text in enumerate(read_text(path).splitlines(), start=1):
        name = text.strip()
        if not name:
            continue
        if name in first_lines:
            message = f"the class {name!r} stands there twice (first: line {first_lines[name]})"
            problems.append(Problem(path.name, line, message))
        first_lines.setdefault(name, line)
    if problems:
        raise LabelProblems(problems)
    if not first_lines:
        raise StudioError(f"{path} holds no class name", "Write one class name a line.")
    return tuple(first_lines)
