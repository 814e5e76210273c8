import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from bson import ObjectId
from pymongo.database import Database

from logicmix_studio.labels import STATE_NAMES, LabelTable
from logicmix_studio.store import Journal, Ledger, read_journal
from logicmix_studio.store.fiftyone.create import synchronise_images
from logicmix_studio.store.fiftyone.documents import FORMAT, KNOWN, META
from logicmix_studio.store.fiftyone.stored import stored_states
from logicmix_studio.store.fiftyone.sync_state import VERSION
from logicmix_studio.store.fiftyone.sync_worker import SyncWorker, connect

DATABASE = "fiftyone"


@pytest.fixture(scope="session")
def database(mongod) -> Iterator[Database[Any]]:
    client = connect(mongod.ensure())
    yield client[DATABASE]
    client.close()


@pytest.fixture
def table() -> LabelTable:
    states = np.array([[1, 0, 0], [0, -1, 0], [0, 0, 0], [0, 0, 0]], dtype=np.int8)
    return LabelTable.build(["a.jpg", "b.jpg", "c.jpg", "d.jpg"], ["dog", "$cash", "x.y"], states, ["", "", "", "test"])


def make_dataset(database: Database[Any], table: LabelTable) -> str:
    """Make what the set-up process makes, less what only FiftyOne needs; return the workspace's id."""
    workspace_id, dataset_id = uuid.uuid4().hex, ObjectId()
    facts = {"_id": dataset_id, "name": workspace_id, "slug": workspace_id, "version": f"{VERSION}.1"}
    facts["sample_collection_name"] = f"samples.{dataset_id}"
    database["datasets"].insert_one(facts)
    synchronise_images(database[f"samples.{dataset_id}"], dataset_id, Path("/photos"), table)
    meta = {
        "_id": workspace_id,
        "format": FORMAT,
        "dataset": workspace_id,
        "dataset_id": str(dataset_id),
        "applied_seq": 0,
        "watched_until": datetime.now(UTC),
    }
    database[META].insert_one(meta)
    return workspace_id


class Synced(SimpleNamespace):
    """A ledger whose lines go into a data set, and what stands in the database."""

    workspace_id: str
    table: LabelTable
    ledger: Ledger
    worker: SyncWorker
    journal_file: Path
    database: Database[Any]

    def samples(self) -> dict[str, dict[str, Any]]:
        """All documents of the data set by image id."""
        meta = self.database[META].find_one({"_id": self.workspace_id})
        return {str(one["_id"]): one for one in self.database[f"samples.{meta['dataset_id']}"].find()}

    def states(self) -> npt.NDArray[np.int8]:
        """(N, C) states as the data set has them."""
        return stored_states(self.database, self.workspace_id, self.table)

    def labels(self, row: int, fields: Mapping[int, str] = KNOWN) -> dict[str, str]:
        """State by class name in the two fields of known labels (or pseudo-labels) of one image."""
        document = self.samples()[self.table.image_ids[row]]
        pairs = [(label["label"], s) for s, name in fields.items() for label in document[name]["classifications"]]
        assert len(dict(pairs)) == len(pairs)
        return {name: STATE_NAMES[state] for name, state in pairs}

    def conflicts(self, row: int) -> dict[str, str]:
        """The contradicted label by class name of one image."""
        document = self.samples()[self.table.image_ids[row]]
        return {label["label"]: label["contradicts"] for label in document["conflicts"]["classifications"]}

    def reopened(self, uri: str, **options: Any) -> SyncWorker:
        """Another sync worker on the same data set, started, with the tail of the journal handed in."""
        worker = SyncWorker(uri, self.workspace_id, self.table, **options)
        worker.start()
        worker.replay(read_journal(self.journal_file))
        return worker


@pytest.fixture
def make_synced(tmp_path) -> Iterator[Callable[..., Synced]]:
    """Make ledgers with a data set behind them; they are closed at the end."""
    workers: list[SyncWorker] = []
    journals: list[Journal] = []

    def make(uri: str, database: Database[Any], table: LabelTable, **options: Any) -> Synced:
        workspace_id = make_dataset(database, table)
        path = tmp_path / f"{workspace_id}.jsonl"
        journal = Journal(path)
        ledger = Ledger(table, journal=journal)
        worker = SyncWorker(uri, workspace_id, table, **options)
        worker.start()
        ledger.listen(worker.submit)
        workers.append(worker)
        journals.append(journal)
        return Synced(
            workspace_id=workspace_id,
            table=table,
            ledger=ledger,
            worker=worker,
            journal_file=path,
            database=database,
        )

    yield make
    for worker in workers:
        worker.close(0)
    for journal in journals:
        journal.close()


@pytest.fixture
def synced(make_synced, mongod, database, table) -> Synced:
    return make_synced(mongod.ensure(), database, table)


@pytest.fixture(autouse=True)
def _no_database_of_the_user(monkeypatch) -> None:
    for name in [name for name in os.environ if name.startswith("FIFTYONE_DATABASE")]:
        monkeypatch.delenv(name)
