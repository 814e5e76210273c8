"""Find the image that a label file means."""

from __future__ import annotations

import os
import posixpath
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Final

from logicmix_studio.labels import clean_path

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
        self._paths = frozenset(paths)

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        """Paths of each file name, with and without its ending; only made when a name is no path."""
        by_name: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._paths):
            name = posixpath.basename(path)
            by_name[name].append(path)
            stem = posixpath.splitext(name)[0]
            if stem != name:
                by_name[stem].append(path)
        return by_name

    def find(self, name: str) -> str:
        """Return the path of the image that a name means.

        A name may be the path below the folder, the end of that path, a longer path that ends with it, or the
        file name, if no other image has the same; the ending (.jpg) may be left out.

        Raises:
            UnknownImageError: If no image or more than one fits, or the name leads out of the folder.
        """
        if name in self._paths:
            return name
        cleaned = self._relative(name)
        if cleaned in self._paths:
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
