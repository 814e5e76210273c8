"""PASCAL VOC: one XML file an image, with an object element for each thing in it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from logicmix_studio.formats.label_format import Cells, Contents, LabelFormat
from logicmix_studio.formats.request import ReadRequest, Statement, read_statements
from logicmix_studio.formats.table import UnreadableError
from logicmix_studio.formats.texts import CLASSES_FILE, class_lines
from logicmix_studio.labels import TableBuilder

_ROOT = "annotation"


def read_voc_xml(request: ReadRequest) -> TableBuilder:
    """Read VOC files; small, cut-off and difficult objects count as present."""
    return read_statements(request, list(_statements(request)))


def _statements(request: ReadRequest) -> Iterator[Statement]:
    """Yield the classes of each file that can be read."""
    for file in request.files:
        try:
            root = file.read_xml()
        except UnreadableError as error:
            request.report(str(error), file, error.line)
            continue
        if root.tag != _ROOT:
            request.report(f"the outermost element is {root.tag!r}, not {_ROOT!r}", file)
            continue
        found = dict.fromkeys((thing.findtext("name") or "").strip() for thing in root.iter("object"))
        if "" in found:
            request.report("an object has no name", file)
            found.pop("")
        image = (root.findtext("filename") or "").strip() or file.path.stem
        yield Statement(request.find_image(image, file), tuple(found), file)


def write_voc_xml(cells: Cells) -> Contents:
    """Write one file an image, with an object for each class present, and the list of classes.

    Where the size of the image is known, the object has a box of all of it, as VOC's readers ask for one.
    """
    yield CLASSES_FILE, class_lines(cells.table.class_names, "voc-xml")
    for row, path in cells.rows():
        size = box = ""
        if found := cells.size(path):
            width, height = found
            size = f"  <size><width>{width}</width><height>{height}</height><depth>3</depth></size>\n"
            box = f"<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>{width}</xmax><ymax>{height}</ymax></bndbox>"
        objects = "".join(f"  <object><name>{escape(name)}</name>{box}</object>\n" for name in cells.named(row))
        yield f"{path}.xml", [f"<annotation>\n  <filename>{escape(path)}</filename>\n{size}{objects}</annotation>\n"]


VOC_XML = LabelFormat(
    "voc-xml",
    "XML files with an annotation element",
    lambda file: file.xml_tag == _ROOT,
    read_voc_xml,
    holds={"classes"},
    write_folder=write_voc_xml,
    suffixes=(".xml",),
    is_folder=True,
    names_only_positives=True,
)
