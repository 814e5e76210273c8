from __future__ import annotations

import hashlib
import io

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import (
    LabelTable,
    clean_path,
    drop_labels,
    hide_labels,
    image_id,
    table_from_arrays,
    table_to_arrays,
)

STATES = np.array([[1, 0], [-1, 1], [0, 0]], dtype=np.int8)


@pytest.fixture
def table() -> LabelTable:
    return LabelTable.build(["a.jpg", "b/c.jpg", "ü.jpg"], ["cat", "dog"], STATES, ["", "test", "train"])


def test_image_id__is_24_hex_digits_of_the_path():
    assert image_id("b/c.jpg") == hashlib.blake2b(b"b/c.jpg", digest_size=12).hexdigest()
    assert len(image_id("a.jpg")) == 24
    assert image_id("a.jpg") != image_id("b.jpg")


def test_image_id__of_a_name_that_is_no_utf8():
    assert len(image_id("caf\udce9.jpg")) == 24


@pytest.mark.parametrize(
    ("path", "clean"), [("./a.jpg", "a.jpg"), ("x//y/../a.jpg", "x/a.jpg"), ("..a.jpg", "..a.jpg")]
)
def test_clean_path(path, clean):
    assert clean_path(path) == clean


@pytest.mark.parametrize(
    "path", ["/a.jpg", "../a.jpg", "x/../../a.jpg", "..", ".", "", " ", "C:/a.jpg", "//host/a.jpg"]
)
def test_clean_path__refuses_what_is_outside(path):
    with pytest.raises(ValueError, match=r"outside|below|no name"):
        clean_path(path)


def test_build(table):
    assert table.image_ids == tuple(image_id(path) for path in ("a.jpg", "b/c.jpg", "ü.jpg"))
    assert (table.num_images, table.num_classes) == (3, 2)
    assert table.is_test.tolist() == [False, True, False]
    assert LabelTable.build(["a.jpg"], ["cat"], [[1]]).splits == ("",)


def test_states__are_a_read_only_copy():
    states = STATES.copy()
    table = LabelTable.build(["a", "b", "c"], ["cat", "dog"], states)
    states[0, 0] = -1
    assert table.states[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        table.states[0, 0] = -1


def test_equality(table):
    same = LabelTable.build(table.paths, table.class_names, STATES, table.splits)
    assert table == same
    assert table != LabelTable.build(table.paths, table.class_names, -STATES, table.splits)
    assert table != LabelTable.build(table.paths, table.class_names, STATES)
    assert table != "table"


def test_arrays__through_a_file_without_pickle(table):
    file = io.BytesIO()
    np.savez(file, **table_to_arrays(table))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        assert table_from_arrays(arrays) == table


def test_arrays__of_nothing():
    empty = LabelTable.build([], [], np.zeros((0, 0)))
    assert table_from_arrays(table_to_arrays(empty)) == empty
    assert empty.is_test.shape == (0,)


def test_table_from_arrays__names_what_is_missing(table):
    arrays = table_to_arrays(table)
    del arrays["splits"]
    with pytest.raises(StudioError, match="lacks splits"):
        table_from_arrays(arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"states": STATES[:2]}, r"shape \(2, 2\), but there are 3 images and 2 classes"),
        ({"states": STATES + np.int8(3)}, r"but [234] was found"),
        ({"class_names": ("cat", "cat")}, "class 'cat' stands there twice"),
        ({"class_names": ("cat", "")}, "empty name"),
        ({"paths": ("a.jpg", "b.jpg")}, "There are 2 paths, but 3 image ids"),
        ({"splits": ("a",)}, "There are 1 splits"),
        ({"paths": ("a.jpg", "./b.jpg", "c.jpg")}, "normal form"),
        ({"paths": ("a.jpg", "/b.jpg", "c.jpg")}, "not a path below"),
        ({"image_ids": ("0" * 24, "0" * 24, "1" * 24)}, "image id '0+' stands there twice"),
        ({"image_ids": ("x", "0" * 24, "1" * 24)}, "'x' is not 24 hex digits"),
    ],
)
def test_table__refuses_what_does_not_fit(table, changes, message):
    fields = {name: getattr(table, name) for name in ("image_ids", "paths", "class_names", "states", "splits")}
    with pytest.raises(StudioError, match=message):
        LabelTable(**(fields | changes))


COMPLETE = np.random.default_rng(0).choice([-1, 1], (200, 5)).astype(np.int8)
SPLITS = ["test" if i % 4 == 0 else "train" for i in range(200)]
TRIAL = LabelTable.build([f"{i:03d}.jpg" for i in range(200)], list("abcde"), COMPLETE, SPLITS)


def test_hide_labels__outside_the_test_split_only() -> None:
    hidden = hide_labels(TRIAL, 0.1, seed=1)
    assert np.array_equal(hidden.states[TRIAL.is_test], TRIAL.states[TRIAL.is_test])
    assert np.array_equal(hidden.states[~TRIAL.is_test], drop_labels(COMPLETE, 0.1, 1)[~TRIAL.is_test])
    assert 0.05 < np.count_nonzero(hidden.states[~TRIAL.is_test]) / 750 < 0.15
    assert hidden.splits == TRIAL.splits


def test_hide_labels__all_and_nothing() -> None:
    assert hide_labels(TRIAL, 1.0) == TRIAL
    assert not hide_labels(TRIAL, 0.0).states[~TRIAL.is_test].any()


@pytest.mark.parametrize("proportion", [-0.1, 1.5])
def test_hide_labels__out_of_range(proportion: float) -> None:
    with pytest.raises(StudioError, match=r"must lie in \[0, 1\]"):
        hide_labels(TRIAL, proportion)
