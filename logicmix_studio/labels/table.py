"""The table of what is known: one row an image, one column a class."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.labels.states import DEFAULT_SEED, as_states, drop_labels

TEST_SPLIT: Final = "test"
"""Images of this split measure: they are never trained on and never proposed for review."""

_IMAGE_ID: Final = re.compile(r"[0-9a-f]{24}")
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_TEXTS: Final = ("image_ids", "paths", "class_names", "splits")


def image_id(relative_path: str) -> str:
    """Return the id of an image: 24 hex digits of its path below the data set's folder, as `clean_path` returns it."""
    return hashlib.blake2b(relative_path.encode(errors="surrogateescape"), digest_size=12).hexdigest()


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
    return path if path == normal else normal  # no second copy of a million names


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
        num_images, num_classes = len(self.image_ids), len(self.class_names)
        if self.states.shape != (num_images, num_classes):
            raise StudioError(
                f"The states have the shape {self.states.shape}, but there are {num_images} images "
                f"and {num_classes} classes.",
                "Reload the data set after changing images or classes.",
            )
        for what, names in (("paths", self.paths), ("splits", self.splits)):
            if len(names) != num_images:
                told = f"There are {len(names)} {what}, but {num_images} image ids."
                raise StudioError(told, "Import the labels again.")
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
        cls, paths: Sequence[str], class_names: Sequence[str], states: ArrayLike, splits: Sequence[str] | None = None
    ) -> LabelTable:
        """Return a table whose image ids follow from the paths; no image has a split where these are left out.

        Raises:
            StudioError: The parts do not fit together, or a path leaves the folder.
        """
        cleaned = tuple(_cleaned(path) for path in paths)
        ids = tuple(image_id(path) for path in cleaned)
        all_splits = ("",) * len(cleaned) if splits is None else tuple(splits)
        return cls(ids, cleaned, tuple(class_names), np.asarray(states), all_splits)

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
        if not isinstance(other, LabelTable):
            return NotImplemented
        is_equal = all(getattr(self, name) == getattr(other, name) for name in _TEXTS)
        return is_equal and np.array_equal(self.states, other.states)

    __hash__ = None  # type: ignore[assignment]  # a table compares by its arrays


def hide_labels(table: LabelTable, proportion: float, seed: int = DEFAULT_SEED) -> LabelTable:
    """Return a complete table for a trial, in which :func:`drop_labels` hid cells; images of split test keep all.

    What is hidden in one image does not depend on whether others belong to the test split.

    Raises:
        StudioError: If the proportion lies outside [0, 1], or the seed is negative.
    """
    if not 0.0 <= proportion <= 1.0:
        told = f"the known proportion must lie in [0, 1], but {proportion:g} was given"
        raise StudioError(told, "Give 0.1 for 10 %.")
    if seed < 0:
        raise StudioError(f"the seed must not be negative, but {seed} was given", "Give 0 or a larger number.")
    states = drop_labels(table.states, proportion, seed)
    states[table.is_test] = table.states[table.is_test]
    return replace(table, states=states)


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


def check_unique(what: str, names: Sequence[str]) -> None:
    """Raise a StudioError for a name that stands there twice; ``what`` says what the names are."""
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise StudioError(f"The {what} {twice!r} stands there twice.", f"Keep each {what} once.")
