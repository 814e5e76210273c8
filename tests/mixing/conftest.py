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
