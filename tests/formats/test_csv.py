from __future__ import annotations

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.labels import LabelProblems
from tests.formats.conftest import NOTE, told


def test_wide(make_dataset) -> None:
    root = make_dataset(
        "b.jpg",
        "a.jpg",
        "sub/c.png",
        labels_csv="image,split,cat,dog\nb.jpg,,1,0\na,test,,1\nc.png,train,no,?\n",
    )
    table = read_dataset(root).table
    assert table.paths == ("a.jpg", "b.jpg", "sub/c.png")
    assert table.class_names == ("cat", "dog")
    assert table.states.tolist() == [[0, 1], [1, -1], [-1, 0]]
    assert table.splits == ("test", "", "train")


@pytest.mark.parametrize(
    "content",
    [
        "image;cat;dog\r\na.jpg;1;0\r\n",
        "\ufeffimage,cat,dog\na.jpg,1,0\n",
        "image\tcat\tdog\na.jpg\t1\t0",
        '"image";"cat";"dog"\n"a.jpg";"1";"0"\n',
        "image,cat,dog,,\n\na.jpg,1,0,,\n,,,,\n",
        "cat,Filename,dog\n1,a.jpg,0\n",
    ],
)
def test_wide__dialects(make_dataset, content: str) -> None:
    table = read_dataset(make_dataset("a.jpg", labels_csv=content)).table
    assert table.class_names == ("cat", "dog")
    assert table.states.tolist() == [[1, -1]]


def test_wide__utf16(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,bärtig\na.jpg,1\n".encode("utf-16"))
    assert read_dataset(root).table.class_names == ("bärtig",)


def test_wide__odd_class_names(make_dataset) -> None:
    names = ["sea, lion", '<b>"bold"</b>', "🐟; fish", "a|b", "line\nbreak"]
    header = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    table = read_dataset(make_dataset("a.jpg", labels_csv=f"image,{header}\na.jpg,1,0,1,,0\n")).table
    assert table.class_names == tuple(names)
    assert table.states.tolist() == [[1, -1, 1, 0, -1]]


def test_wide__given_classes_order_the_columns_and_refuse_others(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,cat,dog\na.jpg,1,0\n")
    table = read_dataset(root, classes=("dog", "emu", "cat")).table
    assert table.states.tolist() == [[-1, 0, 1]]
    with pytest.raises(LabelProblems, match=r"labels.csv:1: there is no class 'dog'"):
        read_dataset(root, classes="cat,emu")
    assert read_dataset(root, classes="cat,emu", skip_bad=True).table.states.tolist() == [[1, 0]]


def test_wide__all_problems_at_once(make_dataset) -> None:
    root = make_dataset(
        "a.jpg",
        "b.jpg",
        labels_csv="image,split,cat,dog\n"
        "a.jpg,train,-1,2\n"
        "none.jpg,train,1,0\n"
        "b.jpg,holdout,1,0\n"
        "b.jpg,,0,0\n"
        "a.jpg,train,1\n"
        "../a.jpg,train,1,0\n",
    )
    with pytest.raises(LabelProblems) as caught:
        read_dataset(root)
    said = [str(problem) for problem in caught.value.problems]
    expected = [
        ("labels.csv:2: column 'cat'", "may mean absent or uncertain"),
        ("labels.csv:2: column 'dog'", "'2' is none of"),
        ("labels.csv:3:", "there is no image 'none.jpg'"),
        ("labels.csv:4:", "'holdout' is none of train"),
        ("labels.csv:5:", "'cat' of 'b.jpg' is negative here and positive in labels.csv:4"),
        ("labels.csv:5:", "a second row for 'b.jpg'"),
        ("labels.csv:6:", "the row has 3 columns, but the header has 4"),
        ("labels.csv:7:", "outside the data set's folder"),
    ]
    assert len(said) == len(expected)
    for start, words in expected:
        assert any(text.startswith(start) and words in text for text in said), (start, words, said)


def test_wide__skip_bad_keeps_the_rest(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv="image,cat,dog\na.jpg,-1,0\nnone.jpg,1,1\nb.jpg,1,0\nb.jpg,0,0\n")
    result = read_dataset(root, skip_bad=True)
    assert result.table.states.tolist() == [[0, -1], [0, -1]]
    assert len(result.problems) == 4
    assert "Problems passed over (--skip-bad): 4." in result.notes


def test_wide__broken_quotes_and_encoding(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv='image,cat\n"a.jpg"x,1\n')
    with pytest.raises(LabelProblems, match=r"labels.csv:2: not readable as CSV"):
        read_dataset(root)
    (root / "labels.csv").write_bytes(b"image,cat\na.jpg,1\n\xff,0\n")
    with pytest.raises(StudioError, match=r"labels.csv:3: the text is not UTF-8 \(byte 0xff\)"):
        read_dataset(root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no header line"),
        ("cat,dog\n1,0\n", r"labels.csv:1: no column names the image \(found: cat, dog\)"),
        ("image,cat,cat\n", "the column 'cat' stands there twice"),
        ("image,,cat\n", "column 2 has no name"),
        ("image,split\n", "there is no column of labels"),
    ],
)
def test_wrong_header(make_dataset, content: str, message: str) -> None:
    with pytest.raises(StudioError, match=message):
        read_dataset(make_dataset("a.jpg", labels_csv=content))


def test_long(make_dataset) -> None:
    root = make_dataset(
        "a.jpg",
        "b.jpg",
        labels_csv="image,class,value,source,score,split\n"
        "a.jpg,cat,1,human,,\n"
        "a.jpg,dog,0,imported,,\n"
        "b.jpg,cat,1,pseudo,0.97,test\n"
        "b.jpg,emu,,,,test\n",
    )
    result = read_dataset(root)
    assert result.table.class_names == ("cat", "dog", "emu")
    assert result.table.states.tolist() == [[1, -1, 0], [0, 0, 0]]
    assert result.table.splits == ("", "test")
    assert NOTE.replace("N", "1") in result.notes
    assert told(result) == {("b.jpg", "cat"): 0.97}


def test_long__scores_of_machines_that_say_nothing_or_are_wrong(make_dataset) -> None:
    root = make_dataset(
        "a.jpg",
        labels_csv="image,class,value,source,score\na.jpg,cat,1,model,\na.jpg,dog,0,model,0.9\na.jpg,emu,1,model,7\n"
        "a.jpg,fox,0,model,0.02\n",
    )
    with pytest.raises(LabelProblems, match="2 problems") as caught:
        read_dataset(root)
    assert "labels.csv:3: the score 0.9 is the probability that the class is present, but the value says" in str(
        caught.value
    )
    assert "labels.csv:4: the score '7' is no number from 0 to 1" in str(caught.value)
    result = read_dataset(root, skip_bad=True)
    assert told(result) == {("a.jpg", "fox"): 0.02}
    assert not result.table.states.any()
    assert "Labels of machines without a score, left out: 1." in result.notes


def test_long__contradiction_and_wrong_value(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,class,value\na.jpg,cat,1\na.jpg,cat,0\na.jpg,dog,-1\nx.jpg,cat,1\n")
    with pytest.raises(LabelProblems) as caught:
        read_dataset(root)
    assert [problem.line for problem in caught.value.problems] == [3, 4, 5]
    assert "'cat' of 'a.jpg' is negative here and positive in labels.csv:2" in str(caught.value)


def test_long__classes_file_is_the_list(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv="image,class,value\na.jpg,dog,1\na.jpg,dgo,1\n", classes_txt="cat\ndog\n")
    with pytest.raises(LabelProblems, match="there is no class 'dgo'; did you mean 'dog'"):
        read_dataset(root)
    assert read_dataset(root, skip_bad=True).table.states.tolist() == [[0, 1]]


LIST = "image,split,labels\na.jpg,train,dog|cat\nb.jpg,test,\n"


def test_list__absent_is_unknown_unless_told(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", "c.jpg", labels_csv=LIST, classes_txt="emu\ndog\ncat\n")
    default = read_dataset(root)
    assert default.table.class_names == ("emu", "dog", "cat")
    assert default.table.states.tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert any("stays unknown" in note and "--exhaustive" in note for note in default.notes)
    assert "Images without a row in labels.csv: 1; their cells are unknown." in default.notes
    told = read_dataset(root, exhaustive=True)
    assert told.table.states.tolist() == [[-1, 1, 1], [-1, -1, -1], [0, 0, 0]]
    assert read_dataset(root, exhaustive=False).table == default.table


def test_list__without_a_list_of_classes(make_dataset) -> None:
    table = read_dataset(make_dataset("a.jpg", "b.jpg", labels_csv=LIST)).table
    assert table.class_names == ("cat", "dog")


def test_list__unknown_class(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg", labels_csv=LIST)
    with pytest.raises(LabelProblems, match=r"labels.csv:2: there is no class 'dog'"):
        read_dataset(root, classes="cat")


def test_quote_that_is_never_closed_names_its_row(make_dataset) -> None:
    root = make_dataset("a.jpg", labels_csv='image,cat\n\n"a.jpg,1\nb.jpg,0\n')
    with pytest.raises(LabelProblems, match=r"labels.csv:3: .* a quote that begins in this row is never closed"):
        read_dataset(root)
