"""Small facts that several routes share."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from logicmix_studio.studio import Studio

STATE_WORDS = {1: "positive", 0: "unknown", -1: "negative"}
"""How a state is written in JSON and in addresses."""


def media_version(studio: Studio) -> str:
    """Return a text that changes when the data set is imported anew; part of every picture's address."""
    stat = studio.workspace.labels_file.stat()
    return hashlib.blake2b(f"{stat.st_size}-{stat.st_mtime_ns}".encode(), digest_size=5).hexdigest()


def assets_version(folder: Path) -> str:
    """Return a text that changes when any script, style sheet or icon does."""
    digest = hashlib.blake2b(digest_size=5)
    for path in sorted(folder.glob("*/*")):
        stat = path.stat()
        digest.update(f"{path.name}-{stat.st_size}-{stat.st_mtime_ns};".encode())
    return digest.hexdigest()


def as_score(value: float | np.floating[Any]) -> float | None:
    """Return a score for JSON: four digits, None where there is none."""
    number = float(value)
    return None if np.isnan(number) else round(number, 4)
