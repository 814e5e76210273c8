"""What people write: text files in any usual encoding, lists of class names, words for a state or a split."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import NEGATIVE, POSITIVE, UNKNOWN, LabelProblems, Problem

CLASSES_FILE: Final = "classes.txt"
"""A file of this name beside the images gives class names and their order."""
NO_LABELS: Final = Path("none")
"""Stands for: there are no labels."""

_WORDS: Final = {
    POSITIVE: ("1", "1.0", "+1", "true", "yes", "positive", "present", "t", "y"),
    NEGATIVE: ("0", "0.0", "false", "no", "negative", "absent", "f", "n"),
    UNKNOWN: ("", "?", "u", "unknown", "uncertain", "nan", "na", "n/a", "none", "null"),
}
STATE_OF_WORD: Final = {word: state for state, words in _WORDS.items() for word in words}
"""The state that a word in lower case stands for; uncertain is unknown."""
MINUS_ONE: Final = ("-1", "-1.0")
"""Means absent to some and uncertain to others."""
SPLIT_OF_WORD: Final = {
    **{"": "", "train": "train", "training": "train", "trainval": "", "test": "test", "testing": "test"},
    **{"val": "val", "valid": "val", "validation": "val", "dev": "val"},
}
"""The split that a word in lower case stands for; train and val together are none."""


class WrongValueError(ValueError):
    """A word that stands for no state or split; the message says how to write it."""


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file (with or without a mark) or a UTF-16 file with one, its line ends as they are.

    Raises:
        StudioError: If it cannot be opened, or is in another encoding.
    """
    encoding, content = encoding_of(path), path.read_bytes()
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudioError(
            f"{path}:{line}: the text is not UTF-{16 if encoding == 'utf-16' else 8} (byte 0x{content[error.start]:02x})",
            "Save the file with the encoding UTF-8.",
        ) from error


def encoding_of(path: Path) -> str:
    """Return `utf-16` where a file begins with its mark, or else `utf-8-sig`.

    Raises:
        StudioError: If it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            is_utf16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    except OSError as error:
        raise StudioError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from error
    return "utf-16" if is_utf16 else "utf-8-sig"


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
        first = first_lines.setdefault(name, line) if name else line
        if first != line:
            message = f"the class {name!r} stands there twice (first: line {first})"
            problems.append(Problem(path.name, line, message))
    if problems:
        raise LabelProblems(problems)
    if not first_lines:
        raise StudioError(f"{path} holds no class name", "Write one class name a line.")
    return tuple(first_lines)


def stems(paths: Sequence[str], format_name: str) -> list[str]:
    """Return paths without their endings; a StudioError where two would be the same."""
    found = [str(PurePosixPath(path).with_suffix("")) for path in paths]
    if len(set(found)) < len(found):
        twice = next(stem for stem in found if found.count(stem) > 1)
        raise StudioError(f"{format_name} cannot hold two images called {twice!r} but for their endings", "Rename one.")
    return found


def class_lines(class_names: Sequence[str], format_name: str, *, are_files: bool = False) -> list[str]:
    """Return names as `read_classes` reads them again; a StudioError for one that is no line or can't be a file's."""
    for name in class_names:
        if name.splitlines() != [name] or (are_files and not {"/", "\0"}.isdisjoint(name)):
            why = "its files are called after classes" if are_files else "its list of classes has one a line"
            told = f"{format_name} cannot hold a class called {name!r}: {why}"
            raise StudioError(told, "Rename the class, or export in another format.")
    return [f"{name}\n" for name in class_names]


def parse_state(text: str) -> int:
    """Return the state that a value stands for; case and surrounding blanks do not matter.

    Raises:
        WrongValueError: It is no such value, or -1, which means absent to some and uncertain to others.

    Example:
        >>> [parse_state(text) for text in ("1", "no", "", "Uncertain")]
        [1, -1, 0, 0]
    """
    text = text.strip()
    state = STATE_OF_WORD.get(text.lower())
    if state is not None:
        return state
    if text in MINUS_ONE:
        raise WrongValueError(
            f"the value {text!r} may mean absent or uncertain: write 0 for absent, "
            "and leave the cell empty (or write u) for uncertain"
        )
    raise WrongValueError(f"the value {text!r} is none of 1 (present), 0 (absent) and empty (unknown)")


def parse_split(text: str) -> str:
    """Return train, val or test, or an empty text for none; a WrongValueError for anything else.

    Example:
        >>> parse_split("Validation"), parse_split("")
        ('val', '')
    """
    split = SPLIT_OF_WORD.get(text.strip().lower())
    if split is None:
        raise WrongValueError(f"the split {text.strip()!r} is none of train, val and test")
    return split


def split_of_name(path: PurePosixPath) -> str:
    """Return the split that a file's name, or else its nearest folder, is called after; empty for none.

    Example:
        >>> split_of_name(PurePosixPath("valid/_classes.csv")), split_of_name(PurePosixPath("instances_train2017.json"))
        ('val', 'train')
    """
    for name in (path.stem, *reversed(path.parts[:-1])):
        words = [word for word in re.split(r"[^a-z]+", name.lower()) if SPLIT_OF_WORD.get(word)]
        if words:
            return SPLIT_OF_WORD[words[-1]]
    return ""


def part_of(path: Path) -> str:
    """Return what a file that may be one of several parts is called without the part's number.

    Example:
        >>> part_of(Path("train-00001-of-00002.parquet")), part_of(Path("train/0000.parquet")), part_of(Path("a1.csv"))
        ('train', '', 'a1')
    """
    return re.sub(r"(^|-)\d+(-of-\d+)?$", "", path.stem)


def shown(names: Iterable[str], most: int = 5) -> str:
    """Return names joined by commas, the first few of many.

    Example:
        >>> shown(["a", "b", "c"], 2)
        'a, b, ...'
    """
    first = list(itertools.islice(names, most + 1))
    return ", ".join(first[:most]) + (", ..." if len(first) > most else "")
