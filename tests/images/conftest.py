from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ImageMaker = Callable[..., Path]


@pytest.fixture
def make_image(tmp_path: Path) -> ImageMaker:
    """Write a smooth picture of a given size and colour below the test's folder."""

    def make(name: str, size: tuple[int, int] = (40, 30), seed: int = 0) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(seed)
        coarse = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(path)
        return path

    return make
