"""Make a workspace's FiftyOne data set: ``python -m logicmix_studio.store.fiftyone.create WORKSPACE ROOT URI``.

Only this module and the plugin import FiftyOne, this one always in a process of its own. FiftyOne makes the
data set, its schema, colours and views; the images are written by pymongo, some twenty times faster. Doing it
again changes nothing; new images and classes are added, images that are gone are taken out.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bson import ObjectId
from pymongo import InsertOne, UpdateOne, WriteConcern
from pymongo.collection import Collection
from pymongo.database import Database

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store.fiftyone.attach import Identity, identity_of, import_digest
from logicmix_studio.store.fiftyone.documents import (
    FORMAT,
    META,
    RUNS,
    Entry,
    known_entry,
    replace_known,
    sample_document,
)
from logicmix_studio.store.fiftyone.schema import add_views, declare_fields, set_appearance
from logicmix_studio.store.fiftyone.sync_worker import connect
from logicmix_studio.store.ledger import Source
from logicmix_studio.store.tables import load_labels
from logicmix_studio.store.workspace import Workspace

if TYPE_CHECKING:
    import fiftyone as fo

INFO_KEY = "logicmix"
IMAGES_A_WRITE = 1000


def main() -> int:
    """Run the set-up, with progress and errors as one JSON object a line; return 1 for what a user can mend, or 0."""
    parser = argparse.ArgumentParser(description="Make the FiftyOne data set of a workspace.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("root", type=Path, help="the folder of the images")
    parser.add_argument("uri", help="where the database listens")
    parser.add_argument("--rebuild", action="store_true", help="delete the data set first")
    options = parser.parse_args()
    prepare_environment(database_uri=options.uri)
    try:
        workspace = Workspace(root=options.root, folder=options.workspace)
        name = set_up(workspace, options.uri, rebuild=options.rebuild)
    except StudioError as error:
        print(json.dumps({"error": error.what, "hint": error.hint}), flush=True)
        return 1
    print(json.dumps({"dataset": name}), flush=True)
    return 0


def set_up(workspace: Workspace, uri: str, *, rebuild: bool = False) -> str:
    """Make the data set (anew, with ``rebuild``) or bring it in line with the import; return its name.

    The switches of :mod:`logicmix_studio.environment` must have been set, with this ``uri`` of the database.
    """
    info = workspace.info()
    table = load_labels(workspace.labels_file, info)
    identity = identity_of(workspace)
    with connect(uri) as client:
        database = client[identity.database]
        _say(0, 1, "starting FiftyOne")
        import fiftyone as fo  # noqa: PLC0415  # after the switches are set, and in this process only

        if rebuild:
            _forget(fo, database, identity)
        dataset = _find(fo, database, identity) or _create(fo, str(info["name"]))
        _describe(fo, dataset, workspace, table, identity)
        meta = database.get_collection(META, write_concern=WriteConcern(j=True))
        facts = {"format": FORMAT, "dataset": dataset.name, "dataset_id": str(dataset._doc.id)}
        start = {"$set": {**facts, "import": "", "applied_seq": 0, "shown": ""}}
        meta.update_one({"_id": identity.id}, start, upsert=True)
        samples = database[dataset._sample_collection_name]
        synchronise_images(samples, dataset._doc.id, workspace.root, table)
        meta.update_one({"_id": identity.id}, {"$set": {"import": import_digest(workspace)}})
        return str(dataset.name)


def synchronise_images(samples: Collection[Entry], dataset_id: ObjectId, root: Path, table: LabelTable) -> None:
    """Write each image's known labels as imported, add new images and take out those that are gone.

    The samples are the collection of the data set with FiftyOne's id ``dataset_id``; the images lie below the root.
    """
    stored = {str(document["_id"]) for document in samples.find({}, {"_id": 1})}
    doomed = [ObjectId(image_id) for image_id in stored.difference(table.image_ids)]
    for start in range(0, len(doomed), IMAGES_A_WRITE):
        samples.delete_many({"_id": {"$in": doomed[start : start + IMAGES_A_WRITE]}})
    now = datetime.now(UTC)
    for start in range(0, table.num_images, IMAGES_A_WRITE):
        rows = range(start, min(start + IMAGES_A_WRITE, table.num_images))
        writes: list[InsertOne[Entry] | UpdateOne] = []
        for row in rows:
            image_id, known = table.image_ids[row], _imported(table, row)
            filepath, split = os.path.join(root, table.paths[row]), table.splits[row]
            if image_id in stored:
                facts = {"filepath": filepath, "split": split or None}
                writes.append(replace_known(image_id, known, table.num_classes, **facts))
            else:
                document = sample_document(image_id, filepath, split, known, table.num_classes, now)
                writes.append(InsertOne({**document, "_dataset_id": dataset_id}))
        samples.bulk_write(writes, ordered=False)
        _say(rows[-1] + 1, table.num_images, "writing images into the FiftyOne data set")


def _imported(table: LabelTable, row: int) -> list[Entry]:
    image_id, states = table.image_ids[row], table.states[row]
    return [
        known_entry(image_id, table.class_names[column], int(states[column]), Source.IMPORTED)
        for column in np.flatnonzero(states).tolist()
    ]


def _find(fiftyone: Any, database: Database[Entry], identity: Identity) -> fo.Dataset | None:
    document = database["datasets"].find_one({f"info.{INFO_KEY}.id": identity.id})
    return None if document is None else fiftyone.load_dataset(document["name"])


def _forget(fiftyone: Any, database: Database[Entry], identity: Identity) -> None:
    dataset = _find(fiftyone, database, identity)
    if dataset is not None:
        dataset.delete()
    database[META].delete_one({"_id": identity.id})
    database[RUNS].delete_many({"workspace": identity.id})


def _create(fiftyone: Any, wanted: str) -> fo.Dataset:
    """Create a data set named after the folder, with a number where the name is taken."""
    for number in range(1, 1000):
        name = wanted if number == 1 else f"{wanted}-{number}"
        try:
            return fiftyone.Dataset(name, persistent=True)
        except ValueError as error:  # taken, or a name that FiftyOne can make no address of
            if not fiftyone.dataset_exists(name) and number > 1:
                told = f"FiftyOne refuses the name {wanted!r}: {error}"
                raise StudioError(told, "Rename the folder to letters and digits.") from error
    raise StudioError(f"A thousand data sets are named {wanted!r}.", "Delete some in the FiftyOne App.")


def _describe(fiftyone: Any, dataset: fo.Dataset, workspace: Workspace, table: LabelTable, identity: Identity) -> None:
    """Declare fields, colours, views and facts; all of it may stand already."""
    _say(0, 1, "declaring fields and views")
    declare_fields(fiftyone, dataset)
    set_appearance(fiftyone, dataset)
    add_views(dataset)
    dataset.default_classes = list(table.class_names)
    dataset.info[INFO_KEY] = {
        "id": identity.id,
        "format": FORMAT,
        "workspace": str(workspace.folder),
        "root": str(workspace.root),
    }
    dataset.save()


def _say(done: int, total: int, what: str) -> None:
    print(json.dumps({"done": done, "total": total, "what": what}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
