"""PASCAL VOC: one XML file an image, with an object element for each thing in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.request import Positives, ReadRequest, read_positives
from logicmix_studio.labels import Problem, TableBuilder


def find_xml(folder: Path) -> list[Path]:
    """Return the XML files below a folder that are not hidden, sorted; or the one that is named."""
    if folder.is_file():
        return [folder]
    found = folder.rglob("*.xml")
    return sorted(path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))


def read_voc_xml(request: ReadRequest) -> TableBuilder:
    """Read a folder of VOC files; small, cut-off and difficult objects count as present.

    Raises:
        StudioError: If there is no XML file.
    """
    files = find_xml(request.labels)
    if not files:
        raise StudioError(f"there is no XML file in {request.labels}", "Name the folder of annotations.")
    problems: list[Problem] = []
    return read_positives(request, list(_read_files(files, request.labels, problems)), problems)


def _read_files(files: list[Path], folder: Path, problems: list[Problem]) -> Iterator[Positives]:
    """Yield the classes of each file that can be read."""
    for path in files:
        name = path.name if path == folder else path.relative_to(folder).as_posix()
        content = path.read_bytes()
        if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            problems.append(Problem(name, 0, "the file defines entities, which are not read"))
            continue
        try:
            root = ElementTree.fromstring(content)  # noqa: S314 (entities are refused above)
        except ElementTree.ParseError as error:
            problems.append(Problem(name, error.position[0], f"not readable as XML: {error}"))
            continue
        if root.tag != "annotation":
            problems.append(Problem(name, 0, f"the outermost element is {root.tag!r}, not 'annotation'"))
            continue
        found = dict.fromkeys((thing.findtext("name") or "").strip() for thing in root.iter("object"))
        if "" in found:
            problems.append(Problem(name, 0, "an object has no name"))
            found.pop("")
        image = (root.findtext("filename") or "").strip() or path.stem
        yield Positives(image, tuple(found), file=name)
