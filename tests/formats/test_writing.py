from __future__ import annotations

import json
import string
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import Cells, read_dataset, write_cells
from logicmix_studio.formats.registry import FORMATS, open_labels
from logicmix_studio.formats.request import ImageNames, ReadRequest
from logicmix_studio.formats.writing import WRITE_FORMATS
from logicmix_studio.labels import NEGATIVE, POSITIVE, LabelTable
from tests.formats.conftest import read_again

TABLE = LabelTable.build(["a.jpg", "b.jpg", "sub/c.jpg"], ["cat", "dog"], [[1, 0], [0, -1], [0, 0]], ["", "test", ""])
CELLS = Cells.of(
    TABLE,
    sources=np.array([[3, 0], [0, 1], [0, 0]], dtype=np.uint8),
    proposals=np.array([[0, -1], [1, 1], [0, 0]], dtype=np.int8),
    scores=np.array([[0.99, 0.02], [0.97, 0.5], [0.5, np.nan]]),
    run=7,
)


def again(target: Path, table: LabelTable) -> LabelTable:
    return read_again(open_labels(target.parent, target), table.paths, table.class_names)


def test_long(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    report = write_cells(file, "csv-long", CELLS)
    assert file.read_text().splitlines() == [
        "image,class,value,source,score,run,split",
        "a.jpg,cat,1,accepted,0.9900,,",
        "a.jpg,dog,0,pseudo,0.0200,7,",
        "b.jpg,cat,1,pseudo,0.9700,7,test",
        "b.jpg,dog,0,imported,,,test",
    ]
    assert report.lines == ()
    assert again(file, TABLE) == TABLE


@pytest.mark.parametrize("name", sorted(set(WRITE_FORMATS) - {"nus-wide", "voc-lists", "yolo"}))
def test_progress_is_told(name: str, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    write_cells(tmp_path / "out", name, Cells.of(TABLE, progress=lambda *step: told.append(step)))
    assert {(done, words) for done, _, words in told} == {(0, "writing")}
    assert max(total for _, total, _ in told) <= TABLE.num_images


def test_long__holds_the_split_of_an_image_and_a_class_without_a_known_cell(tmp_path: Path) -> None:
    table = LabelTable.build(["a.jpg", "b.jpg"], ["cat", "dog"], [[1, 0], [0, 0]], ["train", "test"])
    report = write_cells(tmp_path / "out.csv", "csv-long", table)
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "image,class,value,source,score,split",
        "a.jpg,dog,,,,train",
        "a.jpg,cat,1,,,train",
        "b.jpg,,,,,test",
    ]
    assert report.lines == ()
    read = read_again(open_labels(tmp_path, tmp_path / "out.csv"), table.paths)
    assert (read.splits, sorted(read.class_names)) == (table.splits, ["cat", "dog"])


def test_wide(tmp_path: Path) -> None:
    file = tmp_path / "out.csv"
    report = write_cells(file, "csv-wide", CELLS)
    assert file.read_text().splitlines() == [
        "image,split,cat,dog",
        "a.jpg,,1,",
        "b.jpg,test,,0",
        "sub/c.jpg,,,",
    ]
    assert [(loss.kind, loss.count) for loss in report.losses] == [
        ("sources", 2),
        ("pseudo-positives", 1),
        ("pseudo-negatives", 1),
    ]
    assert "Negative pseudo-labels left out: 1; csv-long holds them." in report.lines
    assert again(file, TABLE) == TABLE
    assert write_cells(file, "csv-wide", TABLE).lines == ()


def test_through_a_folder(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "sub/c.jpg")
    for file_format in ("csv-long", "csv-wide"):
        write_cells(root / "labels.csv", file_format, TABLE)
        assert read_dataset(root, classes=TABLE.class_names).table == TABLE


def test_strict_refuses_what_would_lose_something(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match=r"csv-list cannot hold everything: Negative cells: 1; they are unknown"):
        write_cells(tmp_path / "out.csv", "csv-list", TABLE, is_strict=True)
    assert list(tmp_path.iterdir()) == []
    write_cells(tmp_path / "out.csv", "csv-long", CELLS, is_strict=True)
    with pytest.raises(StudioError, match="images or classes that are gone: 3"):
        write_cells(tmp_path / "out.csv", "csv-long", TABLE, not_kept=3, is_strict=True)


@pytest.mark.parametrize("name", ["csv-long", "csv-wide", "csv-list", "json-lists"])
def test_harmless__puts_an_apostrophe_before_formulas_in_csv_and_says_so(name: str, tmp_path: Path) -> None:
    table = LabelTable.build(["@a.jpg", "b.jpg"], ["=1+1", "dog"], [[1, 1], [1, 0]], ["", ""])
    plain, changed = tmp_path / f"plain{WRITE_FORMATS[name]}", tmp_path / f"changed{WRITE_FORMATS[name]}"
    write_cells(plain, name, table)
    report = write_cells(changed, name, table, is_harmless=True)
    told = [loss for loss in report.losses if loss.kind == "names"]
    if name == "json-lists":
        assert changed.read_bytes() == plain.read_bytes()
        assert told == []
    else:
        wanted = plain.read_text().replace("=1+1", "'=1+1").replace("@a.jpg", "'@a.jpg")
        assert changed.read_text() == wanted
        assert told[0].count == 2
        assert "=1+1" in told[0].text


def test_a_folder_appears_whole_and_replaces_nothing(tmp_path: Path) -> None:
    write_cells(tmp_path / "voc", "voc-xml", TABLE)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["voc/a.jpg.xml", "voc/b.jpg.xml", "voc/classes.txt", "voc/sub/c.jpg.xml"]
    with pytest.raises(StudioError, match="there is something already"):
        write_cells(tmp_path / "voc", "voc-xml", TABLE)
    (tmp_path / "empty").mkdir()
    write_cells(tmp_path / "empty", "voc-xml", TABLE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "voc"]


@pytest.mark.parametrize("names", [["split", "x"], ["image", "x"], ["labels"], ["class", "value"]])
def test_wide__names_that_would_be_misread(tmp_path: Path, names: list[str]) -> None:
    table = LabelTable.build(["a.jpg"], names, [[1] * len(names)])
    with pytest.raises(StudioError, match=f"csv-wide cannot hold a class called '{names[0]}'"):
        write_cells(tmp_path / "out.csv", "csv-wide", table)
    assert list(tmp_path.iterdir()) == []


def test_unknown_format_folder_and_name(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="unknown format 'xlsx'"):
        write_cells(tmp_path / "out.xlsx", "xlsx", TABLE)
    with pytest.raises(StudioError, match="cannot write"):
        write_cells(tmp_path / "none" / "out.csv", "csv-wide", TABLE)
    with pytest.raises(StudioError, match="cannot hold a class called ' x'"):
        write_cells(tmp_path / "out.csv", "csv-long", LabelTable.build(["a.jpg"], [" x"], [[1]]))


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


# "nan" is what pandas leaves in an empty field.
NAMES = st.just("nan") | st.text(
    string.ascii_letters + string.digits + ' ,;|"<>&\n\t=#[/🐟ä', min_size=1, max_size=8
).map(str.strip)
CLASS_NAMES = st.lists(
    NAMES.filter(lambda name: name and name.lower() not in {"image", "split", "labels", "classes", "tags"}),
    min_size=1,
    max_size=5,
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(class_names=CLASS_NAMES, seed=st.integers(0, 2**32 - 1), is_complete=st.booleans())
@pytest.mark.parametrize("file_format", WRITE_FORMATS)
def test_round_trip__gives_the_same_up_to_the_reported_losses(
    tmp_path_factory, file_format: str, class_names: list[str], seed: int, is_complete: bool
) -> None:
    rng = np.random.default_rng(seed)
    states = rng.choice([-1, 1] if is_complete else [-1, 0, 1], (6, len(class_names)))
    states[0, 0] = POSITIVE
    splits = rng.choice(["train", "val", "test", ""], 6).tolist()
    table = LabelTable.build([f"a b/{i}, {i}.jpg" for i in range(6)], class_names, states, splits)
    target = tmp_path_factory.mktemp("round") / f"out{WRITE_FORMATS[file_format]}"
    try:
        report = write_cells(target, file_format, table)
    except StudioError as error:
        assert f"{file_format} cannot hold" in error.what  # noqa: PT017
        return
    lost = {loss.kind: loss for loss in report.losses}
    is_exhaustive = "--exhaustive" in str(lost.get("negatives"))
    given = None if "classes" not in lost else table.class_names
    read = read_again(open_labels(target.parent, target), table.paths, given, is_exhaustive)
    expected = np.where(table.states == NEGATIVE, 0, table.states) if "negatives" in lost else table.states
    columns = [read.class_names.index(name) for name in table.class_names]
    assert len(columns) == read.num_classes == len(class_names)
    assert read.states[:, columns].tolist() == (table.states if is_exhaustive else expected).tolist()
    assert read.splits == (("",) * 6 if "splits" in lost else table.splits)


def test_pseudo_labels_leave_only_where_a_format_can_mark_them(tmp_path: Path) -> None:
    for name in set(WRITE_FORMATS) - {"nus-wide"}:
        report = write_cells(tmp_path / name, name, CELLS)
        layout = open_labels(tmp_path, (tmp_path / name).rename(tmp_path / f"{name}-{WRITE_FORMATS[name]}"))
        states = read_again(layout, TABLE.paths, TABLE.class_names).states
        assert not np.any((states == POSITIVE) & (TABLE.states != POSITIVE)), name
        lost = {loss.kind for loss in report.losses} & {"pseudo-positives", "pseudo-negatives"}
        held = {"csv-long": 2, "open-images": 2, "fiftyone": 2, "label-studio": 1}
        assert len(lost) == 2 - held.get(name, 0), name


def test_label_studio__pseudo_labels_are_predictions_and_absent_classes_no_choices(tmp_path: Path) -> None:
    write_cells(tmp_path / "tasks.json", "label-studio", CELLS)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    (prediction,) = tasks[1]["predictions"]
    assert prediction["model_version"] == "run 7"
    assert [(one["value"], one["score"]) for one in prediction["result"]] == [({"choices": ["cat"]}, 0.97)]
    assert tasks[1]["data"]["absent"] == ["dog"]
    assert [task["annotations"] for task in tasks[1:]] == [[{"result": []}], []]


def test_open_images__pseudo_labels_are_a_machines(tmp_path: Path) -> None:
    write_cells(tmp_path / "out.csv", "open-images", CELLS)
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "ImageID,Source,LabelName,Confidence",
        "a.jpg,verification,cat,1",
        "a.jpg,machine,dog,0.0200",
        "b.jpg,machine,cat,0.9700",
        "b.jpg,verification,dog,0",
    ]


def test_fiftyone__pseudo_labels_are_read_with_their_scores(tmp_path: Path) -> None:
    assert write_cells(tmp_path / "out", "fiftyone", CELLS, is_strict=True).lines == ()
    layout = open_labels(tmp_path, tmp_path / "out")
    images, none = ImageNames(tmp_path, TABLE.paths), ImageNames(tmp_path, [])
    builder = layout.label_format.read(ReadRequest(layout.files, images, none, none, TABLE.class_names))
    assert builder.build() == TABLE
    assert builder.scores is not None
    assert builder.scores[[0, 1], [1, 0]].tolist() == pytest.approx([0.02, 0.97])


def test_roboflow__a_table_a_split_folder(tmp_path: Path) -> None:
    paths = ["train/a.jpg", "train/b.jpg", "c.jpg", "valid/d.jpg"]
    table = LabelTable.build(paths, ["cat", "dog"], [[1, -1], [0, 1], [1, 0], [-1, -1]], ["train", "train", "test", ""])
    write_cells(tmp_path / "out", "roboflow", table)
    written = {file.parent.name: file.read_text().splitlines() for file in (tmp_path / "out").glob("*/_classes.csv")}
    assert written == {
        "train": ["filename,cat,dog", "a.jpg,1,0", "b.jpg,,1"],
        "valid": ["filename,cat,dog"],
        "test": ["filename,cat,dog", "c.jpg,1,"],
        "trainval": ["filename,cat,dog", "valid/d.jpg,0,0"],
    }
    assert again(tmp_path / "out", table) == table


def test_chexpert(tmp_path: Path) -> None:
    write_cells(tmp_path / "out.csv", "chexpert", TABLE)
    assert (tmp_path / "out.csv").read_text().splitlines()[:3] == [
        "Path,split,cat,dog",
        "a.jpg,,1.0,",
        "b.jpg,test,,0.0",
    ]
    assert open_labels(tmp_path, tmp_path / "out.csv").label_format.name == "chexpert"


def test_every_format_and_option_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    options = ("labels", "classes", "columns", "separator", "exhaustive", "skip-bad", "with-pseudo", "strict", "report")
    for name in (*(f"| {each.name} |" for each in FORMATS), *(f"--{option}" for option in options)):
        assert name in page, name
