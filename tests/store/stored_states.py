"""Read the states back from the database, to compare them with the ledger's."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pymongo.database import Database

from logicmix_studio.labels import LabelTable
from logicmix_studio.store.fiftyone.documents import KNOWN
from logicmix_studio.store.fiftyone.sync_state import SyncStates


def stored_states(database: Database[Any], workspace_id: str, table: LabelTable) -> npt.NDArray[np.int8]:
    """Return the (N, C) states as the data set of a workspace has them."""
    state = SyncStates(database, workspace_id).load()
    assert state is not None
    rows = {image_id: row for row, image_id in enumerate(table.image_ids)}
    states = np.zeros(table.states.shape, dtype=np.int8)
    for document in database[state.samples].find():
        for value, name in KNOWN.items():
            for label in document[name]["classifications"]:
                cell = rows[str(document["_id"])], table.class_names.index(label["label"])
                assert states[cell] == 0
                states[cell] = value
    return states
