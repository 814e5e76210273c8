"""FiftyOne's own database, for a data set that lives there: the one its settings name, else its service, joined or started."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from logicmix_studio.environment import fiftyone_setting
from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.mongod import URI_VARIABLE, Mongod
from logicmix_studio.store.workspace import Workspace

_JOIN = (
    "import sys\n"
    "from fiftyone.core.odm import get_db_conn\n"
    "print('port', get_db_conn().client.address[1], flush=True)\n"
    "sys.stdin.read()\n"
)
"""Run by a client of FiftyOne's service that lives as long as this process: the service ends with its last client."""


def database_of(workspace: Workspace) -> Mongod:
    """Return the database of a workspace: FiftyOne's for an adopted data set, else its own or the one that is named."""
    is_adopted = (workspace.info_if_any() or {}).get("adopted")
    return fiftyone_database() if is_adopted else Mongod(workspace.database)


def fiftyone_database() -> Mongod:
    """Return the database in which FiftyOne keeps the data sets of this user.

    Raises:
        StudioError: FiftyOne cannot start it.
    """
    return Mongod(Path(), environ={URI_VARIABLE: fiftyone_setting("database_uri") or join_service()[1]})


@cache
def join_service() -> tuple[subprocess.Popen[str], str]:
    """Return a client of FiftyOne's service, which FiftyOne starts where none runs, and the address of its database."""
    command, pipe = [sys.executable, "-c", _JOIN], subprocess.PIPE
    with tempfile.TemporaryFile("w+") as log:
        client = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=True)
        for line in client.stdout or ():
            if line.startswith("port "):
                return client, f"mongodb://127.0.0.1:{int(line.split()[1])}"
        client.wait()
        log.seek(0)
        said = (log.read().strip().splitlines() or ["it said nothing"])[-1]
    raise StudioError(
        f"FiftyOne's own database cannot be had: {said}",
        f"look whether `fiftyone datasets list` works, or set {URI_VARIABLE} to a MongoDB server for both",
    )
