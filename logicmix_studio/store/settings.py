"""What people chose on screen: kept in one JSON file, replaced in one step."""

from __future__ import annotations

import copy
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from logicmix_studio.store.workspace import read_json, write_json


class Settings:
    """A thread-safe dictionary on disk.

    ``version`` rises by one with every change, so that a derived value knows when it is stale.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; a missing one is an empty dictionary.

        Raises:
            StudioError: If the file is no JSON object.
        """
        self._path = path
        self._lock = threading.Lock()
        self._content: dict[str, Any] = read_json(path) or {}
        self.version = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return a copy of one setting."""
        with self._lock:
            return copy.deepcopy(self._content.get(key, default))

    def all(self) -> dict[str, Any]:
        """Return a copy of every setting."""
        with self._lock:
            return copy.deepcopy(self._content)

    def update(self, changes: Mapping[str, Any]) -> None:
        """Set some settings and write the file; a value of None removes its key."""
        with self._lock:
            content = {key: value for key, value in {**self._content, **changes}.items() if value is not None}
            write_json(self._path, content)
            self._content = content
            self.version += 1
