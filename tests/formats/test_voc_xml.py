from __future__ import annotations

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.formats import read_dataset
from logicmix_studio.labels import LabelProblems


def annotation(filename: str, *names: str) -> str:
    objects = "".join(f"<object><name>{name}</name><difficult>1</difficult></object>" for name in names)
    return f"<annotation><filename>{filename}</filename>{objects}</annotation>"


def test_read(make_dataset) -> None:
    root = make_dataset("images/a.jpg", "images/b.jpg", "images/c.jpg")
    (root / "Annotations").mkdir()
    (root / "Annotations" / "a.xml").write_text(annotation("a.jpg", "dog", "cat", "dog"))
    (root / "Annotations" / "b.xml").write_text(annotation(""))
    result = read_dataset(root)
    assert result.notes[0] == "Labels read from Annotations (voc-xml: XML files with an annotation element)."
    assert result.table.class_names == ("cat", "dog")
    assert result.table.states.tolist() == [[1, 1], [0, 0], [0, 0]]
    told = read_dataset(root, labels=root / "Annotations", exhaustive=True, classes="dog,cat,emu")
    assert told.table.states.tolist() == [[1, 1, -1], [-1, -1, -1], [0, 0, 0]]


def test_problems(make_dataset) -> None:
    root = make_dataset("a.jpg", "b.jpg")
    (root / "a.xml").write_text("<annotation>\n<object></annotation>")
    (root / "b.xml").write_text('<!DOCTYPE x [<!ENTITY y "z">]><annotation/>')
    (root / "c.xml").write_text("<other/>")
    (root / "d.xml").write_text(annotation("none.jpg", "cat"))
    (root / "e.xml").write_text("<annotation><filename>a.jpg</filename><object/></annotation>")
    with pytest.raises(LabelProblems) as caught:
        read_dataset(root)
    said = "\n".join(str(problem) for problem in caught.value.problems)
    for words in (
        "a.xml:2: not readable as XML",
        "b.xml: not readable as XML: the file defines entities",
        "d.xml: there is no image 'none.jpg'",
        "e.xml: an object has no name",
    ):
        assert words in said


def test_no_file(make_dataset) -> None:
    root = make_dataset("a.jpg")
    (root / "empty").mkdir()
    with pytest.raises(StudioError, match="there is no label file in"):
        read_dataset(root, labels=root / "empty")


def test_entities_are_refused_in_every_encoding(make_dataset) -> None:
    text = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY y "z">]><annotation><object><name>&y;</name></object></annotation>'
    )
    for content in (text.encode(), text.encode("utf-16"), text.encode("utf-8-sig")):
        with pytest.raises(LabelProblems, match="defines entities"):
            read_dataset(make_dataset("a.jpg", a_xml=content))
