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
from logicmix_studio.labels import TEST_SPLIT, LabelTable
from logicmix_studio.store.fiftyone.attach import Identity, identity_of, import_digest
from logicmix_studio.store.fiftyone.documents import (
    CONFLICTS,
    FORMAT,
    KNOWN,
    META,
    PSEUDO,
    RUNS,
    Entry,
    known_entry,
    replace_known,
    sample_document,
)
from logicmix_studio.store.fiftyone.sync_worker import connect
from logicmix_studio.store.ledger import Source
from logicmix_studio.store.tables import load_labels
from logicmix_studio.store.workspace import Workspace

if TYPE_CHECKING:
    import fiftyone as fo

INFO_KEY = "logicmix"
IMAGES_A_WRITE = 1000

TEAL = "#17998b"
SLATE = "#8595ae"
AMBER = "#e5a42c"
DARK_AMBER = "#a87412"
RED = "#dc2626"

_FIELDS = {
    KNOWN: ("what people or trusted files say", TEAL, SLATE),
    PSEUDO: ("pseudo-labels of the current run, on unknown cells", AMBER, DARK_AMBER),
    CONFLICTS: ("where the model contradicts a known label", RED, RED),
}
"""What each field of labels holds, its colour, also that of its positives, and the colour of its negatives."""


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
        except ValueError as error:  # taken, or the address that FiftyOne makes of its Latin letters and digits is
            reason = error
    raise StudioError(f"FiftyOne refuses the name {wanted!r}: {reason}", "Rename the folder to letters and digits.")


def _describe(fiftyone: Any, dataset: fo.Dataset, workspace: Workspace, table: LabelTable, identity: Identity) -> None:
    """Declare fields, colours, views and facts; all of it may stand already."""
    _say(0, 1, "declaring fields and views")
    _declare_fields(fiftyone, dataset)
    _set_appearance(fiftyone, dataset)
    _add_views(dataset)
    dataset.default_classes = list(table.class_names)
    dataset.info[INFO_KEY] = {
        "id": identity.id,
        "format": FORMAT,
        "workspace": str(workspace.folder),
        "root": str(workspace.root),
    }
    dataset.save()


def _declare_fields(fiftyone: Any, dataset: fo.Dataset) -> None:
    """Declare every field and sub-field, so that the App can show and filter it."""
    if dataset.media_type is None:
        dataset.media_type = "image"
    schema = dataset.get_field_schema(flat=True)

    def declare(path: str, kind: Any, description: str = "", **options: Any) -> None:
        if path not in schema:
            dataset.add_sample_field(path, kind, description=description or None, **options)

    parts = {
        "state": fiftyone.StringField,
        "source": fiftyone.StringField,
        "run": fiftyone.IntField,
        "decided_by": fiftyone.StringField,
        "decided_at": fiftyone.DateTimeField,
    }
    for name, (description, *_) in _FIELDS.items():
        declare(name, fiftyone.EmbeddedDocumentField, description, embedded_doc_type=fiftyone.Classifications)
        for part, kind in parts.items():
            declare(f"{name}.classifications.{part}", kind)
    declare("num_unknown", fiftyone.IntField, "classes that nobody has looked at in this image")
    declare("split", fiftyone.StringField)
    declare("image_id", fiftyone.StringField, "names the image in the journal and in the studio")
    samples = dataset._sample_collection
    samples.create_index([("pseudo.classifications.label", 1), ("pseudo.classifications.confidence", -1)])
    samples.create_index("num_unknown")


def _set_appearance(fiftyone: Any, dataset: fo.Dataset) -> None:
    """Give each state the studio's colour and put the labels on top of the side bar."""
    fields = [
        {
            "path": name,
            "fieldColor": colour,
            "colorByAttribute": "state",
            "valueColors": [{"value": "positive", "color": colour}, {"value": "negative", "color": negative}],
        }
        for name, (_, colour, negative) in _FIELDS.items()
    ]
    dataset.app_config.color_scheme = fiftyone.ColorScheme(color_by="value", fields=fields)
    group, facts = fiftyone.SidebarGroupDocument, ["num_unknown", "split", "image_id"]
    dataset.app_config.sidebar_groups = [
        group(name="tags"),
        group(name="labels", paths=[PSEUDO, KNOWN, CONFLICTS], expanded=True),
        group(name="primitives", paths=facts, expanded=True),
    ]
    dataset.app_config.active_fields = fiftyone.ActiveFields(paths=[KNOWN, PSEUDO])


def _add_views(dataset: fo.Dataset) -> None:
    """Save the views of the review; a view of the same name is replaced."""
    some = {"$exists": True}
    to_review = {"pseudo.classifications.0": some, "split": {"$ne": TEST_SPLIT}}
    undecided = {"known.classifications.source": {"$nin": ["human", "accepted"]}}
    views = (
        ("to review", to_review, "images with open pseudo-labels", AMBER),
        ("conflicts", {"conflicts.classifications.0": some}, "the model contradicts a known label", RED),
        ("complete", {"num_unknown": 0}, "every class is known", TEAL),
        ("untouched", undecided, "nobody decided here", SLATE),
    )
    for name, condition, description, colour in views:
        view = dataset.match(condition)
        dataset.save_view(name, view, description=description, color=colour, overwrite=True)


def _say(done: int, total: int, what: str) -> None:
    print(json.dumps({"done": done, "total": total, "what": what}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
