"""Read text files as people save them: UTF-8 with or without a mark, or UTF-16 with one."""

from __future__ import annotations

import codecs
from pathlib import Path

from logicmix_studio.errors import StudioError


def read_text(path: Path) -> str:
    """Return the text of a file, with its line ends as they are.

    Raises:
        StudioError: If it cannot be opened or is not UTF-8.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudioError(f"cannot read {path}: {error.strerror}", "Check the path and its permissions.") from error
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if is_utf16 else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise StudioError(
            f"{path}:{line}: the text is not UTF-{16 if is_utf16 else 8} (byte 0x{content[error.start]:02x})",
            "Save the file with the encoding UTF-8.",
        ) from error
