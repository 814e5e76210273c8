"""What people chose on screen: one JSON file, replaced in one step."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logicmix_studio.files import read_json, write_json

_LEVELS_ABOVE_CLASSES = {"thresholds": 1, "descriptions": 0}
"""Settings by class name, and how many levels of keys stand above the names."""


class Settings:
    """A thread-safe dictionary on disk.

    ``version`` rises by one with every change, so that a derived value knows when it is stale.
    """

    def __init__(self, path: Path, renamed: Mapping[str, str] | None = None) -> None:
        """Read the file; a missing one is an empty dictionary.

        Args:
            path: The file.
            renamed: Former class names and the names of today; what was chosen for a class follows its name.

        Raises:
            StudioError: If the file is no JSON object.
        """
        self._path = path
        self._lock = threading.Lock()
        self._content: dict[str, Any] = read_json(path) or {}
        for key, levels in _LEVELS_ABOVE_CLASSES.items():
            if renamed and key in self._content:
                self._content[key] = _follow(self._content[key], renamed, levels)
        self.version = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return a copy of one setting."""
        with self._lock:
            return copy.deepcopy(self._content.get(key, default))

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set some settings and write the file; a value of None removes its key."""
        with self._lock:
            content = {key: value for key, value in {**self._content, **changes}.items() if value is not None}
            write_json(self._path, content)
            self._content = content
            self.version += 1


def _follow(value: Any, renamed: Mapping[str, str], levels: int) -> Any:
    """Return a setting with today's class names, ``levels`` below its top."""
    if levels:
        return {key: _follow(part, renamed, levels - 1) for key, part in value.items()}
    if isinstance(value, dict):
        return {renamed.get(name, name): part for name, part in value.items()}
    return [renamed.get(name, name) for name in value]
