from __future__ import annotations

import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import CellDetails, read_dataset, write_cells
from logicmix_studio.formats.registry import recognise
from logicmix_studio.formats.request import ImageNames, ReadRequest
from logicmix_studio.labels import LabelTable

TABLE = LabelTable.build(["a.jpg", "b.jpg", "sub/c.jpg"], ["cat", "dog"], [[1, 0], [0, -1], [0, 0]], ["", "test", ""])
DETAILS = CellDetails(
    sources=np.array([[3, 0], [0, 1], [0, 0]], dtype=np.uint8),
    proposals=np.array([[0, -1], [1, 1], [0, 0]], dtype=np.int8),
    scores=np.array([[0.99, 0.02], [0.97, 0.5], [0.5, np.nan]]),
)


def read_again(file: Path, table: LabelTable) -> LabelTable:
    """Read a file as labels of the same images, without the images being there."""
    root = file.parent
    images, none = ImageNames(root, table.paths), ImageNames(root, [])
    request = ReadRequest(file, images, none, table.class_names, False)
    return recognise(file).read(request).build()


def test_long(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    report = write_cells(file, "csv-long", TABLE, DETAILS)
    assert file.read_text().splitlines() == [
        "image,class,value,source,score,split",
        "a.jpg,cat,1,accepted,0.9900,",
        "a.jpg,dog,0,pseudo,0.0200,",
        "b.jpg,cat,1,pseudo,0.9700,test",
        "b.jpg,dog,0,imported,,test",
    ]
    assert report.lines == ("Images without a known cell: 1; no row, and unknown when read again.",)
    assert read_again(file, TABLE) == TABLE


def test_long__names_classes_that_are_lost(tmp_path: Path) -> None:
    table = LabelTable.build(["a.jpg"], ["cat", "dog"], [[1, 0]])
    report = write_cells(tmp_path / "out.csv", "csv-long", table)
    assert (tmp_path / "out.csv").read_text() == "image,class,value,source,score\na.jpg,cat,1,,\n"
    assert report.lines == (
        "Classes without a known cell: 1; no row for dog. Keep the list of classes to get them back.",
    )


def test_wide(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    report = write_cells(file, "csv-wide", TABLE, DETAILS)
    assert file.read_text().splitlines() == [
        "image,split,cat,dog",
        "a.jpg,,1,",
        "b.jpg,test,,0",
        "sub/c.jpg,,,",
    ]
    assert len(report.lines) == 3
    assert "Pseudo-labels left out: 2; csv-long holds them." in report.lines
    assert read_again(file, TABLE) == TABLE
    assert write_cells(file, "csv-wide", TABLE).lines == ()


def test_through_a_folder(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "sub/c.jpg")
    for file_format in ("csv-long", "csv-wide"):
        write_cells(root / "labels.csv", file_format, TABLE)
        assert read_dataset(root, classes=TABLE.class_names).table == TABLE


@pytest.mark.parametrize("names", [["split", "x"], ["image", "x"], ["labels"], ["class", "value"], [" x", "y"]])
def test_wide__names_that_would_be_misread(tmp_path: Path, names: list[str]) -> None:
    table = LabelTable.build(["a.jpg"], names, [[1] * len(names)])
    with pytest.raises(StudioError, match=f"csv-wide cannot hold a class called '{names[0]}'"):
        write_cells(tmp_path / "out.csv", "csv-wide", table)
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_and_folder(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="unknown format 'xlsx'"):
        write_cells(tmp_path / "out.xlsx", "xlsx", TABLE)  # type: ignore[arg-type]
    with pytest.raises(StudioError, match="cannot write"):
        write_cells(tmp_path / "none" / "out.csv", "csv-wide", TABLE)


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "out.csv"
    file.write_text("old")

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StudioError, match="No space left on device"):
        write_cells(file, "csv-wide", TABLE)
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert file.read_text() == "old"


NAMES = st.text(string.ascii_letters + string.digits + ' ,;|"<>&\n\t=🐟ä', min_size=1, max_size=8).map(str.strip)
CLASS_NAMES = st.lists(
    NAMES.filter(lambda name: name and name.lower() not in {"image", "split", "labels", "classes", "tags"}),
    min_size=1,
    max_size=5,
    unique=True,
)


@settings(max_examples=150, deadline=None)
@given(
    class_names=CLASS_NAMES,
    seed=st.integers(0, 2**32 - 1),
    file_format=st.sampled_from(["csv-long", "csv-wide"]),
)
def test_round_trip(tmp_path_factory, class_names: list[str], seed: int, file_format: str) -> None:
    rng = np.random.default_rng(seed)
    states = rng.integers(-1, 2, (4, len(class_names)))
    table = LabelTable.build([f"{i}, {i}.jpg" for i in range(4)], class_names, states)
    file = tmp_path_factory.getbasetemp() / "round.csv"
    write_cells(file, file_format, table)  # type: ignore[arg-type]
    assert read_again(file, table) == table
