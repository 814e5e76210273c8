"""From a workspace to its data set in the database, without importing FiftyOne.

The data set is made by a child process, ``python -m logicmix_studio.store.fiftyone.create``; when it stands
already and fits the import, that is seen in a few milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from typing import NamedTuple

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.files import read_json, write_json
from logicmix_studio.store.fiftyone.documents import META
from logicmix_studio.store.fiftyone.edits import take_edits
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.store.fiftyone.sync_state import SyncStates
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker, connect
from logicmix_studio.store.ledger import Ledger
from logicmix_studio.store.workspace import Workspace
from logicmix_studio.words import Progress

DATABASE_VARIABLE = "FIFTYONE_DATABASE_NAME"
DEFAULT_DATABASE = "fiftyone"


class Identity(NamedTuple):
    """Which data set in which database belongs to a workspace, wherever its folder moves."""

    id: str
    database: str


def identity_of(workspace: Workspace) -> Identity:
    """Return the workspace's identity; made and written at the first call."""
    content = read_json(workspace.identity_file)
    if content is None:
        content = {"id": uuid.uuid4().hex}
        write_json(workspace.identity_file, content)
    return Identity(str(content["id"]), database_name())


def database_name() -> str:
    """Return the name of FiftyOne's database, as its own switch says."""
    return os.environ.get(DATABASE_VARIABLE) or DEFAULT_DATABASE


def import_digest(workspace: Workspace) -> str:
    """Return a digest of the imported table, its classes and the place of the images; a new one asks for a set-up."""
    info = workspace.info()
    facts = [str(workspace.root), info.get("renamed", {}), info.get("added", [])]
    digest = hashlib.blake2b(json.dumps(facts).encode(), digest_size=16)
    with workspace.labels_file.open("rb") as file:
        return hashlib.file_digest(file, lambda: digest).hexdigest()


def attach(
    workspace: Workspace, ledger: Ledger, mongod: Mongod, *, rebuild: bool = False, progress: Progress | None = None
) -> SyncWorker:
    """Return a worker that writes into the workspace's data set, made or brought in line first where needed.

    What somebody changed there meanwhile is decided first. The worker is not started and has no line yet: the caller
    replays the tail and listens to the ledger.

    Args:
        workspace: The workspace, imported.
        ledger: What is known.
        mongod: The database process; started where it is not running.
        rebuild: Whether to write every image anew, although the import is the one that the data set was made of.
        progress: Called as the work goes on; may raise to stop.

    Raises:
        StudioError: The database or the data set cannot be had.
    """
    uri, identity = mongod.ensure(), identity_of(workspace)
    is_ready = dataset_is_ready(workspace, uri, identity)
    with connect(uri) as client:
        take_edits(client[identity.database], identity.id, ledger, with_removed=is_ready)
    if rebuild or not is_ready:
        _run_setup(workspace, uri, identity, progress)
    return SyncWorker(uri, identity.id, ledger.table, database=identity.database, revive=mongod.ensure)


def dataset_is_ready(workspace: Workspace, uri: str, identity: Identity) -> bool:
    """Return whether the data set stands in the database and fits the import."""
    with connect(uri) as client:
        database = client[identity.database]
        meta = database[META].find_one({"_id": identity.id})
        if meta is None or meta.get("import") != import_digest(workspace):
            return False
        return SyncStates(database, identity.id).load() is not None


def _run_setup(workspace: Workspace, uri: str, identity: Identity, progress: Progress | None) -> None:
    environ = dict(os.environ)
    prepare_environment(environ, database_uri=uri)
    environ[DATABASE_VARIABLE] = identity.database
    module = "logicmix_studio.store.fiftyone.create"
    command = [sys.executable, "-m", module, str(workspace.folder), str(workspace.root), uri]
    log, null, pipe, message = workspace.folder / "fiftyone_setup.log", subprocess.DEVNULL, subprocess.PIPE, ""
    with (
        log.open("wb") as sink,
        subprocess.Popen(command, env=environ, stdin=null, stdout=pipe, stderr=sink, text=True) as child,
    ):
        assert child.stdout is not None
        try:
            for line in child.stdout:
                message = _take(line, progress) or message
        except BaseException:  # whoever waits has had enough: the next time does what is left
            child.kill()
            raise
    if child.returncode != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = message or (lines[-1] if lines else "it said nothing")
        raise StudioError(
            f"The FiftyOne data set could not be made: {told}",
            f"See {log}; reviewing goes on without it, and the journal keeps every decision.",
        )


def _take(line: str, progress: Progress | None) -> str:
    """Hand the child's progress on; return its error message, empty where the line is none."""
    try:
        content = json.loads(line)
    except ValueError:
        return ""  # FiftyOne prints notices of its own
    if not isinstance(content, dict):
        return ""
    if progress is not None and "done" in content:
        progress(int(content["done"]), int(content["total"]), str(content["what"]))
    return str(content.get("error", ""))
