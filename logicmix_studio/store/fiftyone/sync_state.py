"""What stands in the database beside the data set: how far it is, which runs' proposals it has had, a saved view."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bson import ObjectId
from pymongo import WriteConcern
from pymongo.database import Database

from logicmix_studio.store.fiftyone.changes import ProposalJob, RunLimits
from logicmix_studio.store.fiftyone.documents import FORMAT, META, RUNS, Entry

SELECTION_SLUG: Final = "from-the-studio"


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


class SyncStates:
    """The documents of one workspace in ``logicmix_meta`` and ``logicmix_runs``.

    FiftyOne leaves collections of these names alone when it tidies up.
    """

    def __init__(self, database: Database[Entry], workspace_id: str) -> None:
        self.database = database
        self.workspace_id = workspace_id

    def load(self) -> SyncState | None:
        """Return where the data set stands, None where there is none of this format."""
        meta = self.database[META].find_one({"_id": self.workspace_id, "format": FORMAT})
        if meta is None or self.database["datasets"].find_one({"_id": ObjectId(meta["dataset_id"])}) is None:
            return None
        return SyncState(
            dataset=str(meta["dataset"]),
            samples=f"samples.{meta['dataset_id']}",
            applied_seq=int(meta["applied_seq"]),
            run=meta.get("run"),
            shown=str(meta.get("shown", "")),
        )

    def save(self, **facts: Any) -> None:
        """Write facts and wait for the disk, and with them for all that was written before."""
        durable = self.database.get_collection(META, write_concern=WriteConcern(j=True))
        durable.update_one({"_id": self.workspace_id}, {"$set": facts})

    def open_run(self, job: ProposalJob) -> None:
        """Say that a run's proposals are on their way."""
        limits, (positive, negative) = job.limits, job.counts
        self._save_run(
            job.run,
            status="writing",
            class_names=list(job.class_names),
            class_positive=positive,
            class_negative=negative,
            positive=sum(positive),
            negative=sum(negative),
            lowest_positive=[limits.positive.get(name) for name in job.class_names],
            highest_negative=[limits.negative.get(name) for name in job.class_names],
        )
        self.save(writing=job.run, shown="")

    def publish_run(self, run: int, shown: str) -> None:
        """Say in a last write that a run's proposals are all there; those of other runs are superseded."""
        others = {"workspace": self.workspace_id, "run": {"$ne": run}, "status": {"$ne": "superseded"}}
        self.database[RUNS].update_many(others, {"$set": {"status": "superseded", "by": run}})
        self._save_run(run, status="complete")
        self.save(run=run, shown=shown, writing=None)

    def shown_limits(self) -> RunLimits:
        """Return the limits of the run whose proposals the data set shows."""
        shown = {"workspace": self.workspace_id, "status": {"$ne": "superseded"}}
        stored = self.database[RUNS].find_one(shown, sort=[("time", -1)])
        if stored is None:
            return RunLimits()
        lowest, highest = (
            {name: at for name, at in zip(stored["class_names"], stored[key], strict=True) if at is not None}
            for key in ("lowest_positive", "highest_negative")
        )
        return RunLimits(int(stored["run"]), lowest, highest)

    def _save_run(self, run: int, **facts: Any) -> None:
        always = {"workspace": self.workspace_id, "run": run, "time": datetime.now(UTC)}
        key = {"_id": f"{self.workspace_id}/{run}"}
        self.database[RUNS].update_one(key, {"$set": {**always, **facts}, "$unset": {"by": ""}}, upsert=True)


def save_selection(database: Database[Entry], dataset_id: ObjectId, image_ids: Sequence[str]) -> str:
    """Save a view of some images, in their order, in place of the last one; return its name in an address.

    Written as FiftyOne's App reads it, while FiftyOne runs elsewhere.
    """
    chosen = [["sample_ids", list(image_ids)], ["ordered", True]]
    now = datetime.now(UTC)
    facts = {
        "name": "from the studio",
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
