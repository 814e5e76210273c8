"""What stands in the data set, read back to be compared with what is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pymongo.database import Database

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import STATE_NAMES, UNKNOWN, LabelTable
from logicmix_studio.store.fiftyone.documents import KNOWN, Entry
from logicmix_studio.store.fiftyone.sync_state import SyncStates
from logicmix_studio.store.ledger import Ledger

SHOWN = 10
"""Differences that are told one by one."""


def stored_states(database: Database[Entry], workspace_id: str, table: LabelTable) -> npt.NDArray[np.int8]:
    """Return the (N, C) states as the data set of a workspace has them; images that it lacks are unknown.

    Raises:
        StudioError: If there is no data set of this workspace.
    """
    state = SyncStates(database, workspace_id).load()
    if state is None:
        raise StudioError("the database holds no data set of this workspace", "launch the studio, or run rebuild")
    row_of = {image_id: row for row, image_id in enumerate(table.image_ids)}
    column_of = {name: column for column, name in enumerate(table.class_names)}
    states = np.full(table.states.shape, UNKNOWN, dtype=np.int8)
    labels = {f"{name}.classifications.label": 1 for name in KNOWN.values()}
    for document in database[state.samples].find({}, labels):
        row = row_of.get(str(document["_id"]))
        for value, name in KNOWN.items():
            for label in (document.get(name) or {}).get("classifications") or ():
                column = column_of.get(label.get("label"))
                if row is not None and column is not None:
                    states[row, column] = value
    return states


def differences(database: Database[Entry], workspace_id: str, ledger: Ledger) -> list[str]:
    """Return in words where the data set says another state than the journal; empty where nowhere."""
    stored = stored_states(database, workspace_id, ledger.table)
    cells = np.argwhere(stored != ledger.states)
    told = [
        f"{ledger.table.paths[row]}, {ledger.table.class_names[column]}: {STATE_NAMES[int(ledger.states[row, column])]} in the "
        f"journal, {STATE_NAMES[int(stored[row, column])]} in the data set"
        for row, column in cells[:SHOWN].tolist()
    ]
    return [*told, *([f"and {len(cells) - SHOWN:,} more"] if len(cells) > SHOWN else [])]
