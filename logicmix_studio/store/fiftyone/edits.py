"""What somebody changed in FiftyOne itself: found by time, told apart from what the studio wrote, and decided."""

from __future__ import annotations

import bisect
import logging
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from pymongo.database import Database

from logicmix_studio.labels import UNKNOWN
from logicmix_studio.store.fiftyone.documents import KNOWN, Entry, label_id
from logicmix_studio.store.fiftyone.sync_state import SyncStates
from logicmix_studio.store.ledger import Decision, Ledger

WHO: Final = "fiftyone"
OVERLAP: Final = timedelta(seconds=10)
"""FiftyOne takes the time before it writes; so late may a write come in and be seen all the same."""

_log = logging.getLogger(__name__)


def take_edits(
    database: Database[Entry],
    workspace_id: str,
    ledger: Ledger,
    since: datetime | None = None,
    *,
    with_removed: bool = True,
) -> datetime:
    """Decide what somebody saved in the known labels of a data set, as one action of "fiftyone".

    A cell that was answered in the studio meanwhile stays as answered there.

    Args:
        database: The database.
        workspace_id: The workspace.
        ledger: What is known, and the one way to change it.
        since: The time from which on FiftyOne may have saved something; the stored one unless given.
        with_removed: Whether a known label that is not there was taken out; not so where the import is a newer one.

    Returns:
        The time from which on to look at the next call.
    """
    states, began = SyncStates(database, workspace_id), datetime.now(UTC)
    state = states.load()
    if state is None:
        return began
    since = since or state.watched_until
    saved: Entry = {"$expr": {"$ne": ["$last_modified_at", "$synced_at"]}}  # we write both at once
    if since <= began:  # else the clock was set back, and times say nothing of what was saved
        saved["last_modified_at"] = {"$gt": since - OVERLAP}
    labels = {f"{name}.classifications.{part}": 1 for part in ("_id", "label") for name in KNOWN.values()}
    documents = list(database[state.samples].find(saved, labels))
    if documents:
        with ledger.lock:
            decisions = [one for document in documents for one in _decisions(document, ledger, with_removed)]
            first = bisect.bisect_right(ledger.lines, state.applied_seq, key=lambda line: line.seq)
            answered = {(cell.image_id, cell.class_name) for line in ledger.lines[first:] for cell in line.cells}
            fresh = [one for one in decisions if (one.image_id, one.class_name) not in answered]
            if fresh:
                ledger.decide(fresh, who=WHO, origin=WHO)
        states.save(watched_until=began)
    return began


def _decisions(document: Entry, ledger: Ledger, with_removed: bool) -> list[Decision]:
    """Return a decision for each label of an image that the studio did not write, or that is gone.

    A label of the studio's has an id that follows from image, field and class: one that was put in, moved or renamed
    has another.
    """
    image_id, names = str(document["_id"]), ledger.table.class_names
    row = ledger.row_of.get(image_id)
    if row is None:
        return []
    found: dict[int, int | None] = {}
    for state, field in KNOWN.items():
        for label in (document.get(field) or {}).get("classifications") or ():
            name = label.get("label")
            column = ledger.column_of.get(name)
            if column is None:
                _log.warning("FiftyOne labels image %s with %r, which is no class: add the class first", image_id, name)
            elif label["_id"] != label_id(image_id, field, name):
                found[column] = state
            else:
                found.setdefault(column, None)
    removed = np.flatnonzero(ledger.states[row]).tolist() if with_removed else ()
    states = {column: UNKNOWN for column in removed if column not in found} | found
    return [Decision(image_id, names[column], state) for column, state in states.items() if state is not None]
