"""CVAT for images: one XML file with an element an image, and in it tags, boxes and other shapes with a label."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import Cells, LabelFormat
from logicmix_studio.formats.request import ReadRequest, Statement, read_statements
from logicmix_studio.formats.table import UnreadableError
from logicmix_studio.formats.texts import WrongValueError, parse_split
from logicmix_studio.labels import TableBuilder


def read_cvat_xml(request: ReadRequest) -> TableBuilder:
    """Read tags and shapes of images; without given classes, those that the file declares.

    Raises:
        StudioError: If it is no XML.
    """
    statements: list[Statement] = []
    class_names: dict[str, None] = {}
    for file in request.files:
        try:
            root = file.read_xml()
        except UnreadableError as error:
            raise StudioError(f"{file.path}: {error}", "Correct the file.") from error
        declared = (element.text or "" for element in root.iterfind("meta//labels/label/name"))
        class_names |= dict.fromkeys(name.strip() for name in declared)
        statements += _statements(request, file, root)
    class_names |= dict.fromkeys(name for said in statements for name in said.present or ())
    request.class_names = request.class_names or tuple(class_names)
    return read_statements(request, statements)


def _statements(request: ReadRequest, file: LabelFile, root: ElementTree.Element) -> Iterator[Statement]:
    for image in root.iterfind("image"):
        labels = dict.fromkeys(label.strip() for shape in image if (label := shape.get("label")))
        try:
            split = parse_split(image.get("subset", ""))
        except WrongValueError:
            split = ""  # subsets have any names
        yield Statement(request.find_image(image.get("name", ""), file), tuple(labels), file, split=split)


def write_cvat_xml(cells: Cells) -> Iterator[str]:
    """Write a tag for each class present."""
    table = cells.table
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n<meta><task><labels>\n'
    yield from (f"<label><name>{escape(name)}</name></label>\n" for name in table.class_names)
    yield "</labels></task></meta>\n"
    for row, path in cells.rows():
        width, height = cells.size(path) or (0, 0)
        place = f'subset={quoteattr(table.splits[row])} width="{width}" height="{height}"'
        yield f'<image id="{row}" name={quoteattr(path)} {place}>\n'
        yield from (f'<tag label={quoteattr(name)} source="manual"/>\n' for name in cells.named(row))
        yield "</image>\n"
    yield "</annotations>\n"


CVAT_XML = LabelFormat(
    "cvat-xml",
    "one XML file with an annotations element",
    lambda file: file.xml_tag == "annotations",
    read_cvat_xml,
    write_cvat_xml,
    {"splits", "classes"},
    suffixes=(".xml",),
    names_only_positives=True,
    uses_classes_file=False,
)
