from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

MakeDataset = Callable[..., Path]


@pytest.fixture
def make_dataset(tmp_path: Path) -> MakeDataset:
    """Make a folder of tiny images and text files; returns the folder."""

    def make(*images: str, **files: str | bytes) -> Path:
        root = tmp_path / "dataset"
        for name in images:
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (2, 2), "navy").save(path)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (root / name.replace("__", "/").replace("_", ".")).write_bytes(data)
        return root

    return make
