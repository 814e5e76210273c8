"""The table of what is known: one row an image, one column a class."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels.states import as_states

TEST_SPLIT: Final = "test"
"""Images of this split measure: they are never trained on and never proposed for review."""

_ID_BYTES: Final = 12
_IMAGE_ID: Final = re.compile(r"[0-9a-f]{24}")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_TEXTS: Final = ("image_ids", "paths", "class_names", "splits")


def image_id(relative_path: str) -> str:
    """Return the id of an image: 24 hex digits of its path below the data set's folder, as `clean_path` returns it."""
    return hashlib.blake2b(relative_path.encode(errors="surrogateescape"), digest_size=_ID_BYTES).hexdigest()


def clean_path(path: str) -> str:
    """Return a path below the data set's folder in its one normal form, with forward slashes and without dots.

    Raises:
        ValueError: The path is empty, absolute, or leads out of the folder.

    Example:
        >>> clean_path("./cats//one.jpg")
        'cats/one.jpg'
    """
    if not path.strip():
        raise ValueError("the image has no name")
    normal = posixpath.normpath(path)
    if normal.startswith("/") or _DRIVE.match(normal):
        raise ValueError(f"{path!r} is not a path below the data set's folder")
    if normal in (".", "..") or normal.startswith("../"):
        raise ValueError(f"{path!r} lies outside the data set's folder")
    return normal


@dataclass(frozen=True, eq=False)
class LabelTable:
    """What is known about each image and class; it cannot be changed.

    N images, C classes. Two tables are equal when all their fields are.
    """

    image_ids: tuple[str, ...]
    """N ids of 24 hex digits, each once; see `image_id`."""

    paths: tuple[str, ...]
    """N paths below the data set's folder, with forward slashes."""

    class_names: tuple[str, ...]
    """C names, each once, in column order."""

    states: NDArray[np.int8]
    """(N, C), values in {-1, 0, 1}; read-only."""

    splits: tuple[str, ...]
    """N names of splits; empty where an image belongs to none."""

    def __post_init__(self) -> None:
        """Check the table and make its states read-only."""
        _check_lengths(self)
        check_unique("image id", self.image_ids)
        check_unique("class", self.class_names)
        wrong = next((i for i in self.image_ids if not _IMAGE_ID.fullmatch(i)), None)
        if wrong is not None:
            raise StudioError(f"The image id {wrong!r} is not 24 hex digits.", "Import the labels again.")
        if "" in self.class_names:
            raise StudioError("A class has an empty name.", "Give each class a name.")
        for path in self.paths:
            if _cleaned(path) != path:
                raise StudioError(f"The path {path!r} is not in its normal form.", f"Use {_cleaned(path)!r}.")
        object.__setattr__(self, "states", _frozen_states(self.states))

    @classmethod
    def build(
        cls,
        paths: Sequence[str],
        class_names: Sequence[str],
        states: ArrayLike,
        splits: Sequence[str] | None = None,
    ) -> LabelTable:
        """Return a table whose image ids follow from the paths.

        Args:
            paths: N paths below the data set's folder.
            class_names: C names, each once.
            states: (N, C), values in {-1, 0, 1}.
            splits: N names of splits; none for any image where it is left out.

        Raises:
            StudioError: The parts do not fit together, or a path leaves the folder.
        """
        cleaned = tuple(_cleaned(path) for path in paths)
        return cls(
            image_ids=tuple(image_id(path) for path in cleaned),
            paths=cleaned,
            class_names=tuple(class_names),
            states=np.asarray(states),
            splits=tuple(splits) if splits is not None else ("",) * len(cleaned),
        )

    @property
    def num_images(self) -> int:
        """Number of rows, N."""
        return len(self.image_ids)

    @property
    def num_classes(self) -> int:
        """Number of columns, C."""
        return len(self.class_names)

    @cached_property
    def is_test(self) -> NDArray[np.bool_]:
        """(N,), True where an image belongs to the test split; read-only."""
        mask = np.fromiter((split == TEST_SPLIT for split in self.splits), np.bool_, self.num_images)
        mask.setflags(write=False)
        return mask

    def __eq__(self, other: object) -> bool:
        """Return whether all fields are equal."""
        if not isinstance(other, LabelTable):
            return NotImplemented
        is_equal = all(getattr(self, name) == getattr(other, name) for name in _TEXTS)
        return is_equal and np.array_equal(self.states, other.states)

    __hash__ = None  # type: ignore[assignment]  # a table compares by its arrays


def table_to_arrays(table: LabelTable) -> dict[str, NDArray[Any]]:
    """Return the table's fields as plain arrays that `np.savez` writes without pickle."""
    texts = {key: np.array(getattr(table, key), dtype=np.str_) for key in _TEXTS}
    return {"states": table.states, **texts}


def table_from_arrays(arrays: Mapping[str, NDArray[Any]]) -> LabelTable:
    """Return the table that `table_to_arrays` took apart; other arrays are ignored.

    Raises:
        StudioError: An array is missing, or the arrays do not fit together.
    """
    missing = [key for key in ("states", *_TEXTS) if key not in arrays]
    if missing:
        raise StudioError(f"The label table lacks {', '.join(missing)}.", "Import the labels again.")
    return LabelTable(states=arrays["states"], **{key: tuple(arrays[key].tolist()) for key in _TEXTS})


def _cleaned(path: str) -> str:
    try:
        return clean_path(path)
    except ValueError as error:
        raise StudioError(f"Wrong path: {error}.", "Name images by their path below the folder.") from error


def _frozen_states(states: NDArray[Any]) -> NDArray[np.int8]:
    try:
        checked = as_states(states)
    except ValueError as error:
        raise StudioError(f"Wrong label: {error}.", "Import the labels again.") from error
    if checked.flags.writeable:
        checked = checked.copy()
        checked.setflags(write=False)
    return checked


def _check_lengths(table: LabelTable) -> None:
    expected = (len(table.image_ids), len(table.class_names))
    if table.states.shape != expected:
        raise StudioError(
            f"The states have the shape {table.states.shape}, but there are {expected[0]} images "
            f"and {expected[1]} classes.",
            "Reload the data set after changing images or classes.",
        )
    for name in ("paths", "splits"):
        length = len(getattr(table, name))
        if length != expected[0]:
            raise StudioError(f"There are {length} {name}, but {expected[0]} image ids.", "Import the labels again.")


def check_unique(what: str, names: Sequence[str]) -> None:
    """Refuse a name that stands there twice; ``what`` says in the message what the names are.

    Raises:
        StudioError: A name stands there twice.
    """
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise StudioError(f"The {what} {name!r} stands there twice.", f"Keep each {what} once.")
        seen.add(name)
