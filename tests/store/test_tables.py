import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable, image_id
from logicmix_studio.store import load_table, save_table


def test_table_survives_the_file(tmp_path):
    table = LabelTable(
        image_ids=(image_id("ü/1.jpg"),),
        paths=("ü/1.jpg",),
        class_names=("🐕", "<b>"),
        states=np.array([[1, 0]], np.int8),
        splits=("test",),
    )
    save_table(tmp_path / "labels.npz", table)
    assert load_table(tmp_path / "labels.npz") == table
    assert [path.name for path in tmp_path.iterdir()] == ["labels.npz"]


def test_broken_table_says_what_to_do(tmp_path):
    (tmp_path / "labels.npz").write_bytes(b"PK no archive")
    with pytest.raises(StudioError, match="import the images again"):
        load_table(tmp_path / "labels.npz")
