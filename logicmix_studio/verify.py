"""``logicmix-studio verify``: do journal, arrays, runs, images and data set say the same?"""

from __future__ import annotations

import numpy as np

from logicmix_studio.doctor import Check
from logicmix_studio.errors import StudioError
from logicmix_studio.store import Ledger, Workspace, read_journal
from logicmix_studio.store.fiftyone.attach import identity_of
from logicmix_studio.store.fiftyone.own_service import database_of
from logicmix_studio.store.fiftyone.stored import differences
from logicmix_studio.store.fiftyone.sync_state import SyncStates
from logicmix_studio.store.fiftyone.sync_worker import connect
from logicmix_studio.studio import Studio
from logicmix_studio.words import counted

SHOWN = 10
"""Missing images that are named."""


def verify(workspace: Workspace) -> list[Check]:
    """Compare all that is kept of a data set, and change nothing; a studio may be open on it.

    Raises:
        StudioError: If there is no workspace, or its table can't be read.
    """
    with Studio(workspace, read_only=True) as studio:
        return [_journal(studio), *_kept(studio), _arrays(studio), _runs(studio), _images(studio), _data_set(studio)]


def check_dataset(workspace: Workspace) -> list[Check]:
    """Return what :func:`verify` finds, for ``doctor``: what can't even be opened is found, too, never raised."""
    if not workspace.folder.exists():
        hint = f"import it: {workspace.command('import')}"
        return [Check("workspace", "warn", f"{workspace.root} has not been imported yet", hint)]
    try:
        return [Check("workspace", "good", str(workspace.folder)), *verify(workspace)]
    except StudioError as error:
        return [Check("workspace", "bad", error.what, error.hint)]


def _journal(studio: Studio) -> Check:
    others = (*studio.settings.warnings, *studio.audits.warnings)
    if told := [warning for warning in studio.warnings if warning not in others]:
        return Check("journal", "bad", "; ".join(told), "what is set aside stays in the file; restore a backup")
    lines = len(studio.ledger.lines)
    return Check("journal", "good", f"{counted(lines, 'line')}, all readable")


def _kept(studio: Studio) -> list[Check]:
    """Return what can't be read of settings and audits, if anything."""
    told = {"settings": studio.settings.warnings, "audits": studio.audits.warnings}
    hint = "mend the file or remove it; the journal holds every answer all the same"
    return [Check(name, "warn", "; ".join(warnings), hint) for name, warnings in told.items() if warnings]


def _arrays(studio: Studio) -> Check:
    """Replay the journal once more, line by line, and compare."""
    ledger = studio.ledger
    again = Ledger(ledger.table, read_journal(studio.workspace.journal_file), None, studio.info.get("renamed", {}))
    differing = int(np.count_nonzero(again.states != ledger.states))
    if differing:
        return Check("arrays", "bad", f"{counted(differing, 'cell')} differ from the journal", "restart the studio")
    return Check(
        "arrays", "good", f"{counted(int(np.count_nonzero(ledger.states)), 'known cell')}, as the journal says"
    )


def _runs(studio: Studio) -> Check:
    runs = studio.jobs.list()
    broken = [f"run {info.run}: {info.message}" for info in runs if info.status == "broken"]
    if broken:
        return Check("runs", "warn", "; ".join(broken), "delete them; the pseudo-labels come from the others")
    return Check("runs", "good", f"{counted(len(runs), 'run')}, all readable")


def _images(studio: Studio) -> Check:
    paths = studio.table.paths
    gone = [path for path in paths if not (studio.workspace.root / path).is_file()]
    if gone:
        more = f" and {len(gone) - SHOWN:,} more" if len(gone) > SHOWN else ""
        told = f"missing: {', '.join(gone[:SHOWN])}{more}"
        return Check("images", "warn", told, "bring them back, or import again: their answers stay in the journal")
    return Check("images", "good", f"{counted(len(paths), 'image')}, all there")


def _data_set(studio: Studio) -> Check:
    workspace, ledger = studio.workspace, studio.ledger
    if not workspace.identity_file.exists():
        return Check("data set", "good", "not made yet: the first launch makes it")
    identity, mongod = identity_of(workspace), database_of(workspace)
    if mongod.external_uri is None and not workspace.database.is_dir():
        return Check("data set", "warn", "its database is gone", "launch the studio: it makes it anew from the journal")
    with mongod, connect(mongod.ensure()) as client:
        database = client[identity.database]
        state = SyncStates(database, identity.id).load()
        if state is not None and state.applied_seq < ledger.seq:
            behind = counted(ledger.seq - state.applied_seq, "line")
            return Check("data set", "warn", f"{behind} behind the journal", "launch the studio: it catches up")
        try:
            found = differences(database, identity.id, ledger)
        except StudioError as error:
            return Check("data set", "warn", error.what, error.hint)
    if found:
        hint = (
            f"what was edited in FiftyOne becomes a decision at the next launch; else: {workspace.command('rebuild')}"
        )
        return Check("data set", "bad", "; ".join(found), hint)
    return Check("data set", "good", "every cell as in the journal")
