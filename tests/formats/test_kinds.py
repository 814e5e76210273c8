"""Kinds of files that people bring and that are easily misread; each test makes its own."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import NO_LABELS, read_dataset
from logicmix_studio.labels import LabelProblems
from tests.formats.conftest import NOTE, told

NAMES = tuple("abcdef")


def states(root: Path, **options: Any) -> list[list[int]]:
    return read_dataset(root, **options).table.states.tolist()


# names and kinds of images ---------------------------------------------------------------------------------------------


def test_another_ending_means_the_only_image_of_that_stem(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "b.png", "c.jpg", labels_csv="image,cat\na.png,1\nc.heic,0\n")
    result = read_dataset(root)
    assert result.table.states.tolist() == [[1], [0], [0], [-1]]
    assert "Images with another ending than in labels.csv: 2 (a.png is a.jpg)." in result.notes
    (root / "labels.csv").write_text("image,cat\nb.gif,1\n")
    with pytest.raises(LabelProblems, match=r"there is no image 'b.gif'"):
        read_dataset(root)


def test_names_match_in_every_normal_form(make_dataset) -> None:
    composed, apart = (unicodedata.normalize(form, "bär.jpg") for form in ("NFC", "NFD"))
    root = make_dataset(apart, f"sub/{composed}", "a.jpg")
    (root / apart).unlink()
    (root / "labels.csv").write_text(f"image,cat\n{apart},1\n", encoding="utf-8")
    assert states(root) == [[0], [1]]


def test_kinds_that_are_not_read_are_counted_and_refused_where_labels_name_them(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat\na.jpg,1\n")
    for name in ("b.heic", "c.HEIC", "d.dng"):
        (root / name).write_bytes(b"")
    assert "Images of kinds that are not read: 1 .dng, 2 .heic." in read_dataset(root).notes
    (root / "labels.csv").write_text("image,cat\na.jpg,1\nb.heic,1\n")
    with pytest.raises(LabelProblems, match=r"labels.csv:3: 'b.heic' is an image of a kind that is not read"):
        read_dataset(root)
    assert states(root, skip_bad=True) == [[1]]


def test_dead_links_and_names_that_are_not_utf8_are_named_once(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat\na.jpg,1\ndead.jpg,0\n")
    (root / "dead.jpg").symlink_to(root / "gone.jpg")
    (root / "a.jpg").with_name("caf\udce9.jpg").write_bytes((root / "a.jpg").read_bytes())
    with pytest.raises(LabelProblems, match="2 problems") as caught:
        read_dataset(root)
    assert r"caf\xe9.jpg: this name is not UTF-8" in str(caught.value)
    assert "dead.jpg: this link leads nowhere" in str(caught.value)
    assert states(root, skip_bad=True) == [[1]]


def test_tables_in_split_folders(make_dataset) -> None:
    root = make_dataset("train/1.jpg", "train/2.jpg", "valid/1.jpg", "testing/1.jpg")
    for split, row in (("train", "1.jpg, 0, 1\n2.jpg, 1, 0"), ("valid", "1.jpg, 1, 1"), ("testing", "1.jpg, 0, 0")):
        (root / split / "_classes.csv").write_text(f"filename, cat, dog\n{row}\n")
    result = read_dataset(root)
    assert result.table.paths == ("testing/1.jpg", "train/1.jpg", "train/2.jpg", "valid/1.jpg")
    assert result.table.states.tolist() == [[-1, -1], [-1, 1], [1, -1], [1, 1]]
    assert result.table.splits == ("test", "train", "train", "val")
    assert "Splits taken from the names of files and folders: test, train, val." in result.notes


def test_files_named_after_splits(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", train_csv="image,cat\na.jpg,1\n", val_csv="image,cat\nb.jpg,0\n")
    assert read_dataset(root).table.splits == ("train", "val")


# tables ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffsep=;\r\nimage;cat;dog\r\na.jpg;1;0\r\n",
        '"sep=;"\nimage;cat;dog\na.jpg;1;0\n',
        "Unnamed: 0,image,cat,dog\n0,a.jpg,1,0\n",
        ",image,cat,dog\n0,a.jpg,1,0\n",
    ],
)
def test_leftovers_of_spreadsheets_and_pandas(make_dataset, content: str) -> None:
    table = read_dataset(make_dataset("a.jpg", labels_csv=content)).table
    assert (table.class_names, table.states.tolist()) == (("cat", "dog"), [[1, -1]])


CHEST = (
    "Path,Sex,Age,Frontal/Lateral,No Finding,Edema\n"
    "a.jpg,Female,68,Frontal,1.0,\n"
    "b.jpg,Female,87,Lateral,,-1.0\n"
    "c.jpg,Male,0,Frontal,0.0,1.0\n"
)


def test_columns_of_other_values_are_no_classes(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "c.jpg", labels_csv=CHEST)
    for skip_bad in (False, True):
        with pytest.raises(
            StudioError,
            match=r"something else than 1, 0 and empty stands in the columns Sex \('Female'\), Age \('68'\)",
        ):
            read_dataset(root, skip_bad=skip_bad)
    expected = [[1, 0], [0, 0], [-1, 1]]
    named = read_dataset(root, classes="No Finding,Edema")
    assert named.table.states.tolist() == expected
    assert any(note.startswith("Columns passed over, as they hold no labels: Sex") for note in named.notes)
    assert "-1 stands beside 0 in labels.csv, so it means uncertain: 1 cells stay unknown." in named.notes
    assert states(root, columns="No Finding,Edema") == expected
    assert states(root, columns="Edema") == [[0], [0], [1]]
    with pytest.raises(StudioError, match="there is no column 'Oedema'"):
        read_dataset(root, columns="Oedema")
    assert states(root, labels=NO_LABELS, classes="Edema") == [[0], [0], [0]]


def test_a_table_of_something_else_is_passed_over_or_asked_about(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", metadata_csv="file_name,camera,width\na.jpg,X100,50\nb.jpg,X70,0\n")
    with pytest.raises(
        StudioError, match=r"there is no column of labels \(found: camera \('X100'\), width \('50'\)\)"
    ) as caught:
        read_dataset(root, classes="cat", skip_bad=True)
    assert "--labels none" in caught.value.hint
    coco(root, [{"id": 0, "file_name": "a.jpg"}], [(0, 1)], [{"id": 1, "name": "cup"}])
    assert states(root) == [[1], [0]]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_value_of_something_else_makes_no_class(make_dataset, skip_bad: bool) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv="image,class,value\na.jpg,age,68\nb.jpg,age,0\n")
    with pytest.raises(StudioError, match=r"something else than 1, 0 and empty stands in the column value \('68'\)"):
        read_dataset(root, skip_bad=skip_bad)


def test_a_row_of_a_missing_image_makes_no_class(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,labels\na.jpg,cat\ngone.jpg,dog\n")
    assert read_dataset(root, skip_bad=True).table.class_names == ("cat",)


def test_minus_one_without_a_word_for_unknown_stays_ambiguous(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv="image,cat,dog\na.jpg,1,-1\nb.jpg,0,1\n")
    with pytest.raises(LabelProblems, match="may mean absent or uncertain"):
        read_dataset(root)


@pytest.mark.parametrize("join", ["|", ";", ",", "#", "; ", '"json"', "'python'", "'numpy'"])
def test_lists_however_they_are_joined(make_dataset, join: str) -> None:
    lists = [["clear", "partly cloudy"], ["clear"], []]
    write = {'"json"': json.dumps, "'numpy'": lambda names: str(np.array(names))}.get(join, str)
    written = [write(names) for names in lists]
    if len(join) <= 2:
        written = [join.join(names) for names in lists]
    rows = [f'{name},"{text.replace(chr(34), chr(34) * 2)}"\n' for name, text in zip("abc", written, strict=True)]
    root = make_dataset("a.jpg", "b.jpg", "c.jpg", labels_csv="image_name,tags\n" + "".join(rows))
    result = read_dataset(root, exhaustive=True)
    assert result.table.class_names == ("clear", "partly cloudy")
    assert result.table.states.tolist() == [[1, 1], [1, -1], [-1, -1]]


def test_a_list_among_columns_that_may_be_classes_is_named(make_dataset) -> None:
    content = "Image Index,Finding Labels,Follow-up #\na.jpg,Mass|Hernia,0\nb.jpg,No Finding,1\n"
    root = make_dataset("a.jpg", "b.jpg", labels_csv=content)
    with pytest.raises(StudioError, match=r"stands in the columns Finding Labels \('Mass\|Hernia'\)"):
        read_dataset(root)
    table = read_dataset(root, columns="Finding Labels").table
    assert (table.class_names, table.states.tolist()) == (("Hernia", "Mass", "No Finding"), [[1, 1, 0], [0, 0, 1]])


def test_a_list_joined_by_blanks_asks(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv="image,tags\na,haze primary\nb,clear\n")
    with pytest.raises(StudioError, match="the separator can't be told") as caught:
        read_dataset(root)
    assert "--separator" in caught.value.hint
    assert read_dataset(root, separator=" ").table.class_names == ("clear", "haze", "primary")
    assert read_dataset(root, separator="|").table.class_names == ("clear", "haze primary")
    assert states(root, classes="haze,primary,clear") == [[1, 1, 0], [0, 0, 1]]
    assert states(root, classes="haze primary,clear") == [[1, 0], [0, 1]]


def test_a_list_that_pandas_left_empty(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv="image,labels\na.jpg,cat\nb.jpg,nan\n")
    assert read_dataset(root).table.class_names == ("cat",)


def test_lists_as_fiftyone_writes_them(make_dataset) -> None:
    content = 'filepath,ground_truth.classifications.label\na.jpg,"horse,person"\nb.jpg,person\n'
    root = make_dataset("a.jpg", "b.jpg", labels_csv=content)
    assert read_dataset(root).table.class_names == ("horse", "person")


@pytest.mark.parametrize("options", [{}, {"columns": "breed"}])
def test_one_name_an_image(make_dataset, options: dict[str, str]) -> None:
    title = options.get("columns", "label")
    root = make_dataset("a.jpg", "b.jpg", labels_csv=f"image,{title},width\na.jpg,collie,640\nb.jpg,boxer,480\n")
    assert states(root, **options, exhaustive=True) == [[-1, 1], [1, -1]]


def test_a_label_of_one_or_zero_is_a_class(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv="image,label\na.jpg,1\nb.jpg,0\n")
    assert states(root) == [[1], [-1]]


# Open Images -----------------------------------------------------------------------------------------------------------


def test_open_images__source_says_who_and_machines_make_no_cell_known(make_dataset) -> None:
    root = make_dataset(
        "a.jpg",
        "b.jpg",
        labels_csv="ImageID,Source,LabelName,Confidence\n"
        "a,verification,/m/1,0\na,crowdsource-verification,/m/2,1\nb,machine,/m/1,0.9\nb,machine,/m/2,1\n",
    )
    (root / "class-descriptions.csv").write_text("/m/1,Building\n/m/2,Boat\n")
    result = read_dataset(root)
    assert result.table.class_names == ("Building", "Boat")
    assert result.table.states.tolist() == [[-1, 1], [0, 0]]
    assert NOTE.replace("N", "2") in result.notes
    assert told(result) == {("b.jpg", "Building"): 0.9, ("b.jpg", "Boat"): 1.0}


def test_open_images__all_files_of_a_download(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg")
    for name, row in (("train-human", "a,verification,/m/1,1"), ("train-machine", "a,machine,/m/2,0.9")):
        (root / f"{name}.csv").write_text(f"ImageID,Source,LabelName,Confidence\n{row}\n")
    (root / "test-human.csv").write_text("ImageID,Source,LabelName,Confidence\nb,verification,/m/1,0\n")
    (root / "class-descriptions.csv").write_text("/m/1,Boat\n")
    result = read_dataset(root)
    assert result.table.class_names == ("Boat", "/m/2")
    assert result.table.states.tolist() == [[1, 0], [-1, 0]]
    assert result.table.splits == ("train", "test")
    assert told(result) == {("a.jpg", "/m/2"): 0.9}


# COCO and LVIS ---------------------------------------------------------------------------------------------------------


def coco(root: Path, images: list[Any], annotations: list[tuple[Any, Any]], categories: list[Any]) -> Path:
    found = [{"image_id": image, "category_id": category} for image, category in annotations]
    content = {"images": images, "annotations": found, "categories": categories}
    (root / "labels.json").write_text(json.dumps(content))
    return root


def test_coco__ids_as_text_and_as_numbers(make_dataset) -> None:
    images = [{"id": "0", "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    classes = [{"id": 1, "name": "cup"}, {"id": "2", "name": "plate"}]
    assert states(coco(make_dataset("a.jpg", "b.jpg"), images, [(0, 1.0), ("1", 2)], classes)) == [[1, 0], [0, 1]]


def test_coco__annotations_with_a_score_are_a_machines(make_dataset) -> None:
    images = [{"id": 0, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]
    classes = [{"id": 1, "name": "cup"}, {"id": 2, "name": "plate"}]
    root = coco(make_dataset("a.jpg", "b.jpg"), images, [(0, 1), (0, 2), (0, 2), (0, 1)], classes)
    content = json.loads((root / "labels.json").read_text())
    for annotation, score in zip(content["annotations"], (None, 0.4, 0.8, 0.1), strict=True):
        annotation["score"] = score
    (root / "labels.json").write_text(json.dumps(content))
    result = read_dataset(root)
    assert result.table.states.tolist() == [[1, 0], [0, 0]]
    assert told(result) == {("a.jpg", "plate"): 0.8}
    content["annotations"] = content["annotations"][1:3]
    (root / "labels.json").write_text(json.dumps(content))
    assert states(root, exhaustive=True) == [[0, 0], [-1, -1]]


def test_coco__results_beside_the_file_are_a_models(make_dataset) -> None:
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}]
    classes = [{"id": 1, "name": "cup"}, {"id": 2, "name": "plate"}]
    root = coco(make_dataset("a.jpg", "b.jpg"), images, [(7, 1)], classes)
    results = [{"image_id": 8, "category_id": 2, "bbox": [0, 0, 1, 1], "score": score} for score in (0.3, 0.6)]
    (root / "results.json").write_text(json.dumps(results))
    (root / "others.json").write_text(json.dumps([{"image_id": 9, "category_id": 2, "score": 1}]))
    (root / "half.json").write_text("[{")
    (root / "numbers.json").write_text("[1]")
    result = read_dataset(root)
    assert result.table.states.tolist() == [[1, 0], [0, 0]]
    assert told(result) == {("b.jpg", "plate"): 0.6}
    assert states(root, exhaustive=True) == [[1, -1], [-1, -1]]
    assert "Results of a model read from results.json: 2." in result.notes


@pytest.mark.parametrize("parent", ["boat", "vehicle"])
def test_coco__a_category_that_only_stands_above_others_is_no_class(make_dataset, parent: str) -> None:
    classes = [
        {"id": 0, "name": parent, "supercategory": "none"},
        {"id": 1, "name": "boat", "supercategory": parent},
        {"id": 2, "name": "buoy", "supercategory": parent},
    ]
    root = coco(make_dataset("a.jpg"), [{"id": 0, "file_name": "a.jpg"}], [(0, 1)], classes)
    result = read_dataset(root, exhaustive=True)
    assert result.table.class_names == ("boat", "buoy")
    assert result.table.states.tolist() == [[1, -1]]


def test_coco__one_id_for_several_images(make_dataset) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}, {"id": 2, "file_name": "c.jpg"}]
    root = coco(make_dataset("a.jpg", "b.jpg", "c.jpg"), images, [(1, 1), (2, 1)], [{"id": 1, "name": "bag"}])
    with pytest.raises(LabelProblems, match="2 images have the id 1"):
        read_dataset(root)
    assert states(root, skip_bad=True) == [[0], [0], [1]]


def test_lvis__names_from_addresses_and_absent_classes(make_dataset) -> None:
    images = [{"id": 0, "coco_url": "http://x.org/train2017/1.jpg", "neg_category_ids": [2]}]
    root = coco(
        make_dataset("train2017/1.jpg", "val2017/1.jpg"),
        images,
        [(0, 1)],
        [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    )
    assert states(root) == [[1, -1], [0, 0]]


# VOC -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["gb2312", "shift_jis", "utf-8", "utf-16", "latin-1", None])
def test_voc__every_encoding_that_python_knows(make_dataset, encoding: str | None) -> None:
    name = "café" if encoding == "latin-1" else "猫" if encoding != "shift_jis" else "ねこ"
    declared = f' encoding="{encoding}"' if encoding else ""
    text = f'<?xml version="1.0"{declared}?>\n<annotation><object><name>{name}</name></object></annotation>'
    root = make_dataset("a.jpg", a_xml=text.encode(encoding or "utf-8"))
    assert read_dataset(root).table.class_names == (name,)


def test_voc__an_encoding_that_nobody_knows_is_named(make_dataset) -> None:
    text = '<?xml version="1.0" encoding="klingon"?>\n<annotation/>'
    with pytest.raises(LabelProblems, match=r"a.xml: not readable as XML: Python knows no encoding 'klingon'"):
        read_dataset(make_dataset("a.jpg", a_xml=text))


def test_voc__other_xml_beside_the_images_is_no_annotation(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", a_xml="<annotation><object><name>road</name></object></annotation>")
    for name in ("a", "b"):
        (root / f"{name}.jpg.aux.xml").write_text("<PAMDataset/>")
    result = read_dataset(root)
    assert result.table.states.tolist() == [[1], [0]]
    assert "Files beside them that are no labels: 2 (a.jpg.aux.xml, b.jpg.aux.xml)." in result.notes


def test_pictures_of_storage_devices_and_archives_are_none(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat\na.jpg,1\n")
    for folder in ("@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", ".logicmix"):
        (root / folder).mkdir()
        Image.new("RGB", (2, 2)).save(root / folder / "a.jpg")
        (root / folder / "labels.csv").write_text("image,dog\na.jpg,1\n")
    assert read_dataset(root).table.paths == ("a.jpg",)


# YOLO, VOC's lists, Label Studio, CVAT -----------------------------------------------------------------------------------


@pytest.mark.parametrize("names", ["names: [cat, dog]\n", "names:\n  0: cat\n  1: dog\n"])
@pytest.mark.parametrize("places", [("images/train", "labels/train"), ("train/images", "train/labels")])
def test_yolo__numbers_are_classes_and_folders_are_splits(make_dataset, names: str, places: tuple[str, str]) -> None:
    images, labels = places
    test = images.replace("train", "test")
    root = make_dataset(f"{images}/a.jpg", f"{images}/b.jpg", f"{test}/c.jpg", f"{test}/d.jpg", data_yaml=names)
    for folder in (labels, labels.replace("train", "test")):
        (root / folder).mkdir(parents=True)
    (root / labels / "a.txt").write_text("1 0.5 0.5 0.25 0.25\n1 0.1 0.1 0.1 0.1\n")
    (root / labels / "b.txt").write_text("")
    (root / labels.replace("train", "test") / "c.txt").write_text("0 0.5 0.5 0.25 0.25\n")
    table = read_dataset(root, exhaustive=True).table
    found = {
        path[-5]: (row, split)
        for path, row, split in zip(table.paths, table.states.tolist(), table.splits, strict=True)
    }
    assert table.class_names == ("cat", "dog")
    assert found == {
        "a": ([-1, 1], "train"),
        "b": ([-1, -1], "train"),
        "c": ([1, -1], "test"),
        "d": ([0, 0], "test"),
    }


def test_yolo__numbers_without_names(make_dataset) -> None:
    root = make_dataset("a.jpg", a_txt="0 0.5 0.5 1 1\n7 0.5 0.5 1 1\n")
    with pytest.raises(StudioError, match=r"a.txt numbers its classes, and no file names them"):
        read_dataset(root)
    with pytest.raises(LabelProblems, match=r"a.txt:2: there is no class number 7 \(2 are named\)"):
        read_dataset(root, classes="cat,dog")


def test_voc_lists__code_book_and_splits(make_dataset) -> None:
    root = make_dataset("JPEGImages/1.jpg", "JPEGImages/2.jpg", "JPEGImages/3.jpg")
    folder = root / "ImageSets" / "Main"
    folder.mkdir(parents=True)
    for name, text in {
        "train": "1\n2\n",
        "val": "3\n",
        "cat_train": "1  1\n2 -1\n",
        "cat_val": "3  0\n",
        "cat_trainval": "1  1\n2 -1\n3  0\n",
        "train_train": "1 -1\n2  1\n",
    }.items():
        (folder / f"{name}.txt").write_text(text)
    result = read_dataset(root)
    assert result.table.class_names == ("cat", "train")
    assert result.table.states.tolist() == [[1, -1], [-1, 1], [1, 0]]
    assert result.table.splits == ("train", "train", "val")
    assert "Difficult (0) in the lists counts as present: 2 cells." in result.notes


def test_label_studio__people_are_read_and_predictions_make_no_cell_known(make_dataset) -> None:
    def task(image: str, annotations: list[Any], predictions: list[Any] | None = None) -> dict[str, Any]:
        return {"data": {"image": image}, "annotations": annotations, "predictions": predictions or []}

    chosen = {"type": "choices", "from_name": "tags", "value": {"choices": ["cat", "sea lion"]}}
    box = {"type": "rectanglelabels", "from_name": "box", "value": {"rectanglelabels": ["dog"], "x": 1}}
    text = {"type": "textarea", "from_name": "note", "value": {"text": ["no class"]}}
    tasks = [
        task("/data/upload/1/0a1b2c3d-a.jpg", [{"result": [chosen, box, text]}], [{"result": [box], "score": 0.9}]),
        task("/data/local-files/?d=photos/b%20c.jpg", [{"result": []}]),
        task(
            "https://example.org/d.jpg",
            [{"result": [box], "was_cancelled": True}],
            [{"result": [box | {"score": 0.4}]}],
        ),
        task("d.jpg", [], [{"result": [box | {"score": 0.3}, chosen], "model_version": "v2"}]),
    ]
    root = make_dataset("a.jpg", "photos/b c.jpg", "d.jpg")
    (root / "export.json").write_text(json.dumps(tasks))
    result = read_dataset(root, exhaustive=True)
    assert result.table.class_names == ("cat", "dog", "sea lion")
    assert dict(zip(result.table.paths, result.table.states.tolist(), strict=True)) == {
        "a.jpg": [1, 1, 1],
        "d.jpg": [0, 0, 0],
        "photos/b c.jpg": [-1, -1, -1],
    }
    assert told(result) == {("d.jpg", "dog"): 0.4}
    assert NOTE.replace("N", "1") in result.notes
    assert "Labels of machines without a score, left out: 2." in result.notes


def test_cvat__tags_shapes_and_declared_classes(make_dataset) -> None:
    text = (
        "<annotations><meta><task><labels><label><name>cat</name></label><label><name>dog</name></label></labels>"
        '</task></meta><image id="0" name="a.jpg" subset="Test"><tag label="cat"/></image>'
        '<image id="1" name="b.jpg" subset="default"><box label="dog" xtl="1"/></image></annotations>'
    )
    table = read_dataset(make_dataset("a.jpg", "b.jpg", annotations_xml=text)).table
    assert (table.class_names, table.states.tolist()) == (("cat", "dog"), [[1, 0], [0, 1]])
    assert table.splits == ("test", "")


# lists of benchmarks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_numbered", [True, False])
def test_json_lists__numbers_or_names_and_splits_beside_them(make_dataset, is_numbered: bool) -> None:
    lists = {"1.jpg": [0, 2], "2.jpg": [], "3.jpg": [1]}
    if not is_numbered:
        lists = {name: ["abc"[number] for number in numbers] for name, numbers in lists.items()}
    root = make_dataset("VG/1.jpg", "VG/2.jpg", "VG/3.jpg", classes_txt="a\nb\nc\n")
    (root / "labels_index.json").write_text(json.dumps(lists))
    (root / "train_list_500.txt").write_text("1.jpg\n2.jpg\n")
    (root / "test_list_500.txt").write_text("3.jpg\n")
    table = read_dataset(root, exhaustive=True).table
    assert table.states.tolist() == [[1, -1, 1], [-1, -1, -1], [-1, 1, -1]]
    assert table.splits == ("train", "train", "test")
    if is_numbered:
        with pytest.raises(LabelProblems, match=r"there is no class number 2 \(2 are named\)"):
            read_dataset(root, classes="a,b")


def test_nus_wide__one_file_a_class_in_the_order_of_the_list(make_dataset) -> None:
    root = make_dataset("Flickr/sky/1.jpg", "Flickr/sea/2.jpg", "Flickr/sea/3.jpg")
    for name, text in {
        "ImageList/Imagelist": "sky\\1.jpg\nsea\\2.jpg\nsea\\3.jpg\n",
        "ImageList/TrainImagelist": "sky\\1.jpg\nsea\\3.jpg\n",
        "Groundtruth/AllLabels/Labels_sky": "1\n0\n0\n",
        "Groundtruth/AllLabels/Labels_sea": "0\n1\n1\n",
        "Groundtruth/TrainTestLabels/Labels_sea_Train": "0\n1\n",
    }.items():
        (root / f"{name}.txt").parent.mkdir(parents=True, exist_ok=True)
        (root / f"{name}.txt").write_text(text)
    table = read_dataset(root).table
    assert table.class_names == ("sea", "sky")
    assert dict(zip(table.paths, table.states.tolist(), strict=True)) == {
        "Flickr/sea/2.jpg": [1, -1],
        "Flickr/sea/3.jpg": [1, -1],
        "Flickr/sky/1.jpg": [-1, 1],
    }
    assert table.splits == ("", "train", "train")
    (root / "Groundtruth" / "AllLabels" / "Labels_sky.txt").write_text("1\n0\n")
    with pytest.raises(StudioError, match=r"Labels_sky.txt has not one label of 1 or 0 for each of 3 images"):
        read_dataset(root)


# files that are no labels ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("package.json", '{"files": ["a", "b"]}'),
        ("settings.json", "[]"),
        ("train.txt", "any text"),
        ("notes.txt", "image,cat"),
        ("empty.xml", ""),
        ("page.xml", "<html/>"),
    ],
)
def test_other_files_beside_the_images(make_dataset, name: str, content: str) -> None:
    root = make_dataset("a.jpg")
    (root / name).write_text(content)
    assert read_dataset(root, classes="cat").notes == ("No labels were found: every cell is unknown.",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"data": {"image": "a.jpg"}, "annotations": [{"result": ["x"]}]}]', "is not built as label-studio is"),
        ('{"images": [{"neg_category_ids": 5}], "annotations": [], "categories": []}', "is not built as coco-json is"),
        ("{nope", r"x.json:1: not readable as JSON"),
    ],
)
def test_json_that_is_not_what_it_looks_like(make_dataset, content: str, message: str) -> None:
    root = make_dataset("a.jpg", x_json=content, y_json="{}")
    with pytest.raises(StudioError, match=message):
        read_dataset(root, classes="cat")
