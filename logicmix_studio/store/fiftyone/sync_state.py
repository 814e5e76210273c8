"""What stands in the database beside the data set: how far it is, whose proposals it shows, a saved view, the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bson import ObjectId
from gridfs import GridFS
from pymongo import WriteConcern
from pymongo.database import Database

from logicmix_studio.errors import StudioError
from logicmix_studio.store.fiftyone.changes import RunLimits
from logicmix_studio.store.fiftyone.documents import FORMAT, META, Entry

VERSION: Final = "1.22"
"""The FiftyOne whose documents are written here without it."""
VIEW_PREFIX: Final = "LogicMix: "
SELECTION_SLUG: Final = "logicmix-selection"
RUN_KEY: Final = "logicmix_run_"
"""Before a run's number: its key among the runs of the data set."""


def check_version(version: str) -> None:
    """Refuse another FiftyOne's data set: nobody knows how its documents look."""
    if not version.startswith(f"{VERSION}."):
        raise StudioError(
            f"the data set belongs to FiftyOne {version}, but this studio knows {VERSION}",
            f"install 'fiftyone=={VERSION}.*', or a studio that knows it; decisions are safe in the journal",
        )


@dataclass(frozen=True)
class SyncState:
    """What the meta document of a workspace says."""

    dataset: str
    """The data set's name."""
    samples: str
    """The collection of its samples."""
    applied_seq: int
    """The last journal line that is in it."""
    run: int | None
    """The run whose proposals are completely in it."""
    shown: str
    """What these proposals were made of, in the words of whoever handed them in."""
    limits: RunLimits
    """Of the run whose proposals were begun last."""
    watched_until: datetime
    """What FiftyOne saved up to this time has been taken over."""


class SyncStates:
    """The document of one workspace in ``logicmix_meta``, a collection that FiftyOne leaves alone when it tidies up."""

    def __init__(self, database: Database[Entry], workspace_id: str) -> None:
        self.database = database
        self.workspace_id = workspace_id

    def load(self) -> SyncState | None:
        """Return where the data set stands, None where there is none of this format.

        Raises:
            StudioError: If another FiftyOne than the one tried has taken the data set over.
        """
        meta = self.database[META].find_one({"_id": self.workspace_id, "format": FORMAT})
        found = meta and self.database["datasets"].find_one({"_id": ObjectId(meta["dataset_id"])})
        if meta is None or found is None:
            return None
        check_version(str(found.get("version")))
        limits = meta.get("limits", {})
        return SyncState(
            dataset=str(found["name"]),
            samples=f"samples.{meta['dataset_id']}",
            applied_seq=int(meta["applied_seq"]),
            run=meta.get("run"),
            shown=str(meta.get("shown", "")),
            limits=RunLimits(limits.get("run", 0), dict(limits.get("positive", ())), dict(limits.get("negative", ()))),
            watched_until=meta["watched_until"],
        )

    def save(self, **facts: Any) -> None:
        """Write facts and wait for the disk, and with them for all that was written before."""
        durable = self.database.get_collection(META, write_concern=WriteConcern("majority", j=True))
        durable.update_one({"_id": self.workspace_id}, {"$set": facts})

    def open_run(self, limits: RunLimits) -> None:
        """Say that a run's proposals are on their way, and between which scores it makes none."""
        ends = {"positive": list(limits.positive.items()), "negative": list(limits.negative.items())}
        self.save(limits={"run": limits.run, **ends}, shown="")


def save_selection(database: Database[Entry], dataset_id: ObjectId, image_ids: Sequence[str]) -> str:
    """Save a view of some images, in their order, in place of the last one; return its name in an address.

    Written as FiftyOne's App reads it, while FiftyOne runs elsewhere.
    """
    chosen = [["sample_ids", list(image_ids)], ["ordered", True]]
    now = datetime.now(UTC)
    facts = {
        "name": f"{VIEW_PREFIX}selection",
        "description": "images chosen in LogicMix Studio",
        "color": "#17998b",
        "view_stages": [json.dumps({"_cls": "fiftyone.core.stages.Select", "kwargs": chosen})],
        "last_modified_at": now,
    }
    view = database["views"].find_one_and_update(
        {"_dataset_id": dataset_id, "slug": SELECTION_SLUG},
        {"$set": facts, "$setOnInsert": {"created_at": now}},
        upsert=True,
        return_document=True,
    )
    database["datasets"].update_one({"_id": dataset_id}, {"$addToSet": {"saved_views": view["_id"]}})
    return SELECTION_SLUG


def save_runs(database: Database[Entry], dataset_id: ObjectId, workspace_id: str, runs: Mapping[int, Entry]) -> None:
    """Let FiftyOne list the runs of a workspace, as ``register_run`` would, and forget those that are gone.

    With a run go the brain runs that were made of it. Written as FiftyOne reads it, while FiftyOne runs elsewhere. What
    somebody else registered stays, also under a key that a run of ours would have.

    Args:
        database: FiftyOne's database.
        dataset_id: The data set.
        workspace_id: Whose runs they are; it stands in them as ``logicmix``.
        runs: Settings and figures by the number of the run, ``created`` (in seconds since 1970) among them. Where there are
            none, what stands of the run stays as it is.
    """
    datasets, documents = database["datasets"], database["runs"]
    stored = datasets.find_one({"_id": dataset_id}, {"runs": 1, "version": 1}) or {}
    listed = stored.get("runs") or {}
    wanted = {"_dataset_id": dataset_id, "config.logicmix": workspace_id, "key": {"$regex": f"^{RUN_KEY}"}}
    ours = list(documents.find(wanted))
    for one in (one for one in ours if one["config"].get("run") not in runs):
        for place in (f"runs.{one['key']}", f"brain_methods.{one['key']}"):
            datasets.update_one({"_id": dataset_id, place: one["_id"]}, {"$unset": {place: ""}})
        if results := one.get("results"):
            GridFS(database).delete(results)
        documents.delete_one({"_id": one["_id"]})
    for run, facts in runs.items():
        key = f"{RUN_KEY}{run}"
        if not facts or (key in listed and listed[key] not in [one["_id"] for one in ours]):
            continue
        known = {name: value for name, value in facts.items() if name != "created"}
        config = {
            "cls": "fiftyone.core.runs.RunConfig",
            "type": "run",
            "method": None,
            "logicmix": workspace_id,
            "run": run,
            **known,
        }
        made = {"version": stored["version"], "timestamp": datetime.fromtimestamp(facts["created"], UTC)}
        document = documents.find_one_and_update(
            {"_dataset_id": dataset_id, "key": key, "config.logicmix": workspace_id},
            {"$set": {"config": config}, "$setOnInsert": {**made, "results_meta": {}}},
            upsert=True,
            return_document=True,
        )
        datasets.update_one({"_id": dataset_id}, {"$set": {f"runs.{key}": document["_id"]}})
