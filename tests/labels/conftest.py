from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest


@pytest.fixture(scope="session")
def reference() -> Mapping[str, np.ndarray[Any, Any]]:
    """Values of the published implementation."""
    with np.load(Path(__file__).parents[1] / "data" / "reference.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays}


def from_targets(targets: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the published labels (1, 0, nan) as states."""
    return np.select([targets == 1, targets == 0], [1, -1], 0).astype(np.int8)
