"""PASCAL VOC: one XML file an image, with an object element for each thing in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.request import Positives, ReadRequest, read_positives
from logicmix_studio.formats.texts import visible_files
from logicmix_studio.labels import TableBuilder


def read_voc_xml(request: ReadRequest) -> TableBuilder:
    """Read a folder of VOC files, or one; small, cut-off and difficult objects count as present.

    Raises:
        StudioError: If there is no XML file.
    """
    files = [request.labels] if request.labels.is_file() else visible_files(request.labels, "**/*.xml")
    if not files:
        raise StudioError(f"there is no XML file in {request.labels}", "Name the folder of annotations.")
    return read_positives(request, list(_read_files(files, request)))


def _read_files(files: list[Path], request: ReadRequest) -> Iterator[Positives]:
    """Yield the classes of each file that can be read."""
    for path in files:
        name = path.name if path == request.labels else path.relative_to(request.labels).as_posix()
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            request.report("the file defines entities, which are not read", file=name)
            continue
        try:
            root = ElementTree.fromstring(content)  # noqa: S314 (entities are refused above)
        except ElementTree.ParseError as error:
            request.report(f"not readable as XML: {error}", error.position[0], name)
            continue
        if root.tag != "annotation":
            request.report(f"the outermost element is {root.tag!r}, not 'annotation'", file=name)
            continue
        found = dict.fromkeys((thing.findtext("name") or "").strip() for thing in root.iter("object"))
        if "" in found:
            request.report("an object has no name", file=name)
            found.pop("")
        image = (root.findtext("filename") or "").strip() or path.stem
        yield Positives(request.find_image(image, file=name), tuple(found), name)
