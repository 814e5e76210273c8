from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.formats.registry import find_labels, open_labels
from logicmix_studio.images.decode import scan_images
from logicmix_studio.labels import LabelProblems
from tests.formats.conftest import read_again


def test_bare_folder(make_dataset) -> None:
    root = make_dataset("b.jpg", "a/a.jpg")
    result = read_dataset(root, classes="cat,dog")
    assert result.table.paths == ("a/a.jpg", "b.jpg")
    assert result.table.states.tolist() == [[0, 0], [0, 0]]
    assert result.notes == ("No labels were found: every cell is unknown.",)
    (root / "classes.txt").write_text("emu\n")
    assert read_dataset(root).table.class_names == ("emu",)


def test_bare_folder__no_classes(make_dataset) -> None:
    with pytest.raises(StudioError, match="neither labels nor classes") as caught:
        read_dataset(make_dataset("a.jpg"))
    assert "--classes" in caught.value.hint


def test_no_images(make_dataset, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudioError, match="there is no image in"):
        read_dataset(tmp_path / "empty", classes="cat")


def test_broken_image(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat\na.jpg,1\nbad.jpg,1\n")
    (root / "bad.jpg").write_bytes(b"no image")
    with pytest.raises(LabelProblems, match=r"bad.jpg: cannot read this image") as caught:
        read_dataset(root)
    assert len(caught.value.problems) == 1
    assert "--skip-bad" in caught.value.hint
    result = read_dataset(root, skip_bad=True)
    assert [error.path.name for error in result.bad_images] == ["bad.jpg"]
    assert result.table.paths == ("a.jpg",)


def test_only_broken_images(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / "a.jpg").write_bytes(b"no image")
    with pytest.raises(StudioError, match="no image in"):
        read_dataset(root, classes="cat", skip_bad=True)


def test_link_out_of_the_folder(make_dataset, tmp_path: Path) -> None:
    root = make_dataset("a.jpg")
    outside = tmp_path / "b.jpg"
    outside.write_bytes((root / "a.jpg").read_bytes())
    (root / "b.jpg").symlink_to(outside)
    with pytest.raises(LabelProblems, match=r"b.jpg: this link leads out of the data set's folder"):
        read_dataset(root, classes="cat")
    assert read_dataset(root, classes="cat", skip_bad=True).table.paths == ("a.jpg",)


def found(root: Path) -> list[str] | None:
    layout = find_labels(root, scan_images(root).others)
    return layout and [file.name for file in layout.files]


def test_find_labels(make_dataset) -> None:
    root = make_dataset("images/a.jpg")
    assert found(root) is None
    (root / "images" / "deep.csv").write_text("image,cat\n")
    assert found(root) == ["images/deep.csv"]
    (root / "mine.csv").write_text("image,cat\n")
    assert found(root) == ["mine.csv"]
    (root / "other.csv").write_text("image,cat\n")
    with pytest.raises(StudioError, match=r"2 files in .* may hold the labels: mine.csv, other.csv"):
        found(root)
    (root / "labels.csv").write_text("image,cat\n")
    assert found(root) == ["labels.csv"]


def test_hidden_folders_hold_no_labels(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / ".truth").mkdir()
    (root / ".truth" / "labels.csv").write_text("image,cat\na.jpg,1\n")
    assert found(root) is None


def test_named_label_file(make_dataset, tmp_path: Path) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat\na.jpg,1\n")
    other = tmp_path / "other.csv"
    other.write_text("image,cat\na.jpg,0\n")
    assert read_dataset(root, labels=other).table.states.tolist() == [[-1]]
    with pytest.raises(StudioError, match="there is no label file"):
        read_dataset(root, labels=tmp_path / "none.csv")


def test_progress_reaches_the_end(make_dataset) -> None:
    seen: list[tuple[int, int, str]] = []
    read_dataset(make_dataset("a.jpg"), classes="cat", progress=lambda *step: seen.append(step))
    assert seen == [(1, 1, "checking images"), (0, 1, "reading labels"), (1, 1, "reading labels")]


def test_exhaustive_means_nothing_where_absence_is_stated(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat,dog\na.jpg,1,\n")
    result = read_dataset(root, exhaustive=True)
    assert result.table.states.tolist() == [[1, 0]]
    assert any("change nothing" in note for note in result.notes)


def test_large_wide_file_is_read_in_seconds(tmp_path: Path) -> None:
    num_images, num_classes = 10_000, 80
    states = np.random.default_rng(0).integers(-1, 2, (num_images, num_classes))
    words = np.array(["", "1", "0"])[states]
    paths = [f"images/{i:06d}.jpg" for i in range(num_images)]
    names = [f"class {i}" for i in range(num_classes)]
    lines = [",".join(["image", *names])]
    lines += [f"{path},{','.join(row)}" for path, row in zip(paths, words, strict=True)]
    file = tmp_path / "labels.csv"
    file.write_text("\n".join(lines))
    start = time.process_time()
    table = read_again(open_labels(tmp_path, file), paths)
    # 100,000 rows take about ten times as long; the bound is loose, as others use the machine.
    assert time.process_time() - start < 5
    assert np.array_equal(table.states, states)


def test_image_given_as_label_file(make_dataset) -> None:
    root = make_dataset("a.jpg")
    with pytest.raises(StudioError, match=r"a.jpg is no label file: its name ends in none of .csv"):
        read_dataset(root, labels=root / "a.jpg")


def test_what_is_missing_is_said_before_images_are_decoded(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / "a.jpg").write_bytes(b"no image")
    with pytest.raises(StudioError, match="neither labels nor classes"):
        read_dataset(root)


def test_progress_of_a_large_table(make_dataset) -> None:
    rows = "".join(f"a.jpg,class {i},1\n" for i in range(50_001))
    seen: list[tuple[int, int, str]] = []
    read_dataset(
        make_dataset("a.jpg", labels_csv=f"image,class,value\n{rows}"), progress=lambda *step: seen.append(step)
    )
    assert [step[2] for step in seen] == ["checking images", *["reading labels"] * 3]
    assert 0 < seen[2][0] <= seen[2][1]
