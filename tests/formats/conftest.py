from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.formats import ReadResult
from logicmix_studio.formats.registry import Layout
from logicmix_studio.formats.request import ImageNames, ReadRequest
from logicmix_studio.formats.texts import CLASSES_FILE, read_classes
from logicmix_studio.labels import LabelTable

MakeDataset = Callable[..., Path]
NOTE = "Labels of machines for cells that stay unknown: N; they become pseudo-labels."


def told(result: ReadResult) -> dict[tuple[str, str], float]:
    """Return what machines say, by image and class."""
    assert result.scores is not None
    assert result.scores.shape == result.table.states.shape
    return {
        (result.table.paths[row], result.table.class_names[column]): round(float(result.scores[row, column]), 4)
        for row, column in np.argwhere(~np.isnan(result.scores)).tolist()
    }


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


def read_again(
    layout: Layout, paths: Sequence[str], class_names: tuple[str, ...] | None = None, is_exhaustive: bool = False
) -> LabelTable:
    """Read labels of images without these being there."""
    root = layout.folder
    if class_names is None and (root / CLASSES_FILE).exists():
        class_names = read_classes(root / CLASSES_FILE)
    images, none = ImageNames(root, paths), ImageNames(root, [])
    request = ReadRequest(layout.files, images, none, none, class_names, is_exhaustive)
    return layout.label_format.read(request).build()
