"""A label file, opened as what its ending says: a table, JSON or XML; each is read once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final
from xml.etree import ElementTree

from logicmix_studio.errors import StudioError
from logicmix_studio.files import parse_json
from logicmix_studio.formats.csv_table import open_csv
from logicmix_studio.formats.record_table import open_json_lines, open_parquet
from logicmix_studio.formats.table import Table, UnreadableError
from logicmix_studio.formats.texts import encoding_of, read_text

_OPENERS: Final = {".parquet": open_parquet, ".jsonl": open_json_lines}
_XML_HEAD: Final = 4096
_XML_ENCODING: Final = re.compile(rb"""\A\s*<\?xml[^>]*encoding=["']([\w.:-]+)["']""")


@dataclass(frozen=True)
class LabelFile:
    """A file of labels."""

    path: Path
    name: str
    """Its path below the data set's folder, for messages."""
    split: str = ""
    """The split of the images in it; empty where it does not follow from the file's place."""
    columns: tuple[str, ...] | None = None
    """In a table: the only columns that hold labels; None where the format finds them."""

    def beside(self, *names: str) -> Path | None:
        """Return the first file of one of these names in this folder, or else in the next above it in the data set."""
        places = list(self.path.parents)[: len(PurePosixPath(self.name).parts)]
        return next((path for place in places for name in names if (path := place / name).is_file()), None)

    @cached_property
    def table(self) -> Table:
        """The file as a table; a StudioError where it has no header that can be read."""
        return _OPENERS.get(self.path.suffix.lower(), open_csv)(self.path)

    @cached_property
    def json(self) -> Any:
        """The file as JSON; a StudioError where it is none."""
        try:
            return parse_json(read_text(self.path))
        except json.JSONDecodeError as error:
            told = f"{self.path}:{error.lineno}: not readable as JSON: {error.msg}"
            raise StudioError(told, "Correct the file.") from error

    def read_xml(self) -> ElementTree.Element:
        """Return the outermost element, in whatever encoding the file declares that Python knows.

        Raises:
            UnreadableError: If it is no XML, or defines entities, which are not read.
        """
        content = self.path.read_bytes()
        # The parser itself knows no encodings of several bytes but Unicode's.
        declared = _XML_ENCODING.match(content)
        encoding = declared[1].decode() if declared else encoding_of(self.path)
        try:
            text = content.decode(encoding)
            if "<!DOCTYPE" in text or "<!ENTITY" in text:
                raise UnreadableError("XML", "the file defines entities, which are not read")
            return ElementTree.fromstring(text)  # noqa: S314 (entities are refused above)
        except LookupError:
            raise UnreadableError("XML", f"Python knows no encoding {encoding!r}") from None
        except UnicodeDecodeError as error:
            raise UnreadableError("XML", str(error)) from error
        except ElementTree.ParseError as error:
            raise UnreadableError("XML", str(error), error.position[0]) from error

    @cached_property
    def xml_tag(self) -> str:
        """The outermost element's name, without reading the whole; empty for what is no XML."""
        with self.path.open("rb") as file:
            head = file.read(_XML_HEAD).replace(b"\0", b"")  # UTF-16 becomes ASCII
        found = re.search(rb"<(\w[\w.:-]*)[\s/>]", head)
        return found[1].decode(errors="replace") if found else ""
