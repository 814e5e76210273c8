"""Make a workspace's FiftyOne data set: ``python -m logicmix_studio.store.fiftyone.create WORKSPACE ROOT URI``.

Only this module and the plugin import FiftyOne, this one always in a process of its own. FiftyOne makes the
data set, its schema, colours and views; the images are written by pymongo, some twenty times faster. Doing it
again changes nothing; new images and classes are added, images that are gone are taken out. Nothing that somebody
else put into the data set is ever deleted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
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
from logicmix_studio.processes import be_nice
from logicmix_studio.store.fiftyone.attach import identity_of, import_digest
from logicmix_studio.store.fiftyone.documents import (
    CONFLICTS,
    FORMAT,
    KNOWN,
    META,
    MOST_NAMED,
    PSEUDO,
    Entry,
    Placed,
    image_facts,
    known_label,
    names_unknown,
    new_image,
    renew_image,
)
from logicmix_studio.store.fiftyone.mongod import URI_VARIABLE
from logicmix_studio.store.fiftyone.sync_state import VIEW_PREFIX, check_version
from logicmix_studio.store.fiftyone.sync_worker import connect
from logicmix_studio.store.ledger import Source
from logicmix_studio.store.tables import load_labels
from logicmix_studio.store.workspace import Workspace

if TYPE_CHECKING:
    import fiftyone as fo

IMAGES_A_WRITE = 1000
GROUP = "LogicMix"
LEFT_TAG = "not in the studio"

TEAL = "#17998b"
SLATE = "#8595ae"
AMBER = "#e5a42c"
DARK_AMBER = "#a87412"
RED = "#dc2626"

_LABELS = {
    KNOWN[1]: ("classes that are present, as people or trusted files say; may be edited", TEAL),
    KNOWN[-1]: ("classes that are absent, as people or trusted files say; may be edited", SLATE),
    PSEUDO[1]: ("classes that the run takes to be present; nobody has said so yet", AMBER),
    PSEUDO[-1]: ("classes that the run takes to be absent; nobody has said so yet", DARK_AMBER),
    CONFLICTS: ("known labels that the run contradicts", RED),
}
"""What each field of labels holds, and its colour."""
_FACTS = {
    "unknown": "classes that nobody has looked at in this image",
    "num_unknown": "how many classes nobody has looked at in this image",
    "split": "test images measure: no run learns from them",
    "run": "the run that this image's pseudo-labels and conflicts come from",
    "synced_at": "when LogicMix Studio wrote here last, before anybody else did",
}
OWN_FIELDS = (*_LABELS, *_FACTS)
"""All that the studio writes into an image."""
_OLD_FIELDS = ("known", "pseudo", "conflicts", "image_id")
_OLD_VIEWS = ("to review", "conflicts", "complete", "untouched", "from the studio")
"""Of the first format."""


def main() -> int:
    """Run the set-up, with progress and errors as one JSON object a line; return 1 for what a user can mend, or 0."""
    parser = argparse.ArgumentParser(description="Make the FiftyOne data set of a workspace.")
    parser.add_argument("workspace", type=Path)
    parser.add_argument("root", type=Path, help="the folder of the images")
    parser.add_argument("uri", help="where the database listens")
    options = parser.parse_args()
    prepare_environment(database_uri=options.uri)
    be_nice()
    try:
        workspace = Workspace(root=options.root, folder=options.workspace)
        name = set_up(workspace, options.uri)
    except StudioError as error:
        print(json.dumps({"error": error.what, "hint": error.hint}), flush=True)
        return 1
    print(json.dumps({"dataset": name}), flush=True)
    return 0


def set_up(workspace: Workspace, uri: str) -> str:
    """Make the data set or bring it in line with the import, in place; return its name.

    Only the studio's own fields, views and sidebar group are written; what else stands there stays. The switches of
    :mod:`logicmix_studio.environment` must have been set, with this ``uri`` of the database.
    """
    info = workspace.info()
    table = load_labels(workspace.labels_file, info)
    identity = identity_of(workspace)
    with connect(uri) as client:
        database = client[identity.database]
        _say(0, 1, "starting FiftyOne")
        import fiftyone as fo  # noqa: PLC0415  # after the switches are set, and in this process only

        check_version(fo.__version__)
        meta = database.get_collection(META, write_concern=WriteConcern("majority", j=True))
        stored = meta.find_one({"_id": identity.id}) or {}
        adopted = info.get("adopted")
        dataset = _find(fo, database, stored) or _create(fo, str(info["name"]), adopted)
        if stored.get("format", FORMAT) != FORMAT:
            _remove_first_format(dataset)
        _describe(fo, dataset, table, is_ours=adopted is None)
        facts = {"format": FORMAT, "dataset": dataset.name, "dataset_id": str(dataset._doc.id)}
        place = {"workspace": str(workspace.folder), "root": str(workspace.root)}
        start = {"import": "", "applied_seq": 0, "shown": "", "watched_until": datetime.now(UTC)}
        meta.update_one({"_id": identity.id}, {"$set": {**facts, **place, **start}}, upsert=True)
        samples = database[dataset._sample_collection_name]
        synchronise_images(samples, dataset._doc.id, workspace.root, table, is_ours=adopted is None)
        meta.update_one({"_id": identity.id}, {"$set": {"import": import_digest(workspace)}})
        return str(dataset.name)


def synchronise_images(
    samples: Collection[Entry], dataset_id: ObjectId, root: Path, table: LabelTable, *, is_ours: bool = True
) -> None:
    """Write each image's known labels as imported, add new images and take out those that are gone.

    An image that is gone stays, with a tag and without labels, where somebody added something to it. Samples that the
    studio did not make are left alone.

    Args:
        samples: The samples of the data set.
        dataset_id: Its id in FiftyOne.
        root: The folder of the images.
        table: The imported labels.
        is_ours: Whether the data set was made here; of an adopted one no image is taken out, and no file renamed.
    """
    found = samples.find({}, {"synced_at": 1})
    stored = {str(document["_id"]): document.get("synced_at") is not None for document in found}
    gone = [ObjectId(image_id) for image_id in stored.keys() - set(table.image_ids) if is_ours and stored[image_id]]
    for document in samples.find({"_id": {"$in": gone}}):
        _take_out(samples, document)
    now = datetime.now(UTC)
    for start in range(0, table.num_images, IMAGES_A_WRITE):
        rows = range(start, min(start + IMAGES_A_WRITE, table.num_images))
        writes: list[InsertOne[Entry] | UpdateOne] = []
        for row in rows:
            image_id, facts = table.image_ids[row], image_facts(str(root), table, row, _imported(table, row))
            is_new = image_id not in stored
            if not is_new and not is_ours:
                del facts["filepath"]
            writes.append(new_image(dataset_id, image_id, facts, now) if is_new else renew_image(image_id, facts))
        samples.bulk_write(writes, ordered=False)
        _say(rows[-1] + 1, table.num_images, "writing images into the FiftyOne data set")


def _take_out(samples: Collection[Entry], document: Entry) -> None:
    own = set(OWN_FIELDS)
    given = {"filepath", "tags", "metadata", "created_at", "last_modified_at"}
    named = {name for name, value in document.items() if value is not None and not name.startswith("_")}
    if named - own - given or set(document["tags"] or ()) - {document.get("split")}:
        change = {"$unset": dict.fromkeys(own, ""), "$addToSet": {"tags": LEFT_TAG}}
        samples.update_one({"_id": document["_id"]}, change)
    else:
        samples.delete_one({"_id": document["_id"]})


def _imported(table: LabelTable, row: int) -> list[Placed]:
    image_id, states = table.image_ids[row], table.states[row]
    return [
        known_label(image_id, table.class_names[column], int(states[column]), Source.IMPORTED)
        for column in np.flatnonzero(states).tolist()
    ]


def _find(fiftyone: Any, database: Database[Entry], stored: Entry) -> fo.Dataset | None:
    document = stored and database["datasets"].find_one({"_id": ObjectId(stored["dataset_id"])})
    return fiftyone.load_dataset(document["name"]) if document else None


def _remove_first_format(dataset: fo.Dataset) -> None:
    """Take out what the first format of the data set called known and pseudo-labels; the journal has them."""
    made_here = {"image_id": {"$exists": True}}
    dataset._sample_collection.update_many(made_here, {"$currentDate": {"synced_at": True}})
    for name in _OLD_FIELDS:
        if dataset.has_field(name):
            dataset.delete_sample_field(name)
    for name in _OLD_VIEWS:
        if dataset.has_saved_view(name):
            dataset.delete_saved_view(name)
    dataset.info.pop("logicmix", None)
    dataset.app_config.sidebar_groups = dataset.app_config.color_scheme = dataset.app_config.active_fields = None
    dataset.save()


def _create(fiftyone: Any, wanted: str, adopted: Mapping[str, Any] | None) -> fo.Dataset:
    """Create a data set named after the folder, with a number where the name is taken; an adopted one must stand."""
    if adopted is not None:
        raise StudioError(
            f"the data set {adopted['dataset']!r}, which was adopted, is not in this database",
            f"set {URI_VARIABLE} to the database in which it lives; decisions are safe in the journal",
        )
    for number in range(1, 1000):
        name = wanted if number == 1 else f"{wanted}-{number}"
        try:
            return fiftyone.Dataset(name, persistent=True)
        except ValueError as error:  # taken, or the address that FiftyOne makes of its Latin letters and digits is
            reason = error
    raise StudioError(f"FiftyOne refuses the name {wanted!r}: {reason}", "Rename the folder to letters and digits.")


def _describe(fiftyone: Any, dataset: fo.Dataset, table: LabelTable, *, is_ours: bool) -> None:
    """Declare fields, colours, sidebar, views and classes; all of it may stand already, beside what others added."""
    _say(0, 1, "declaring fields and views")
    dataset.persistent = True
    if dataset.media_type is None:
        dataset.media_type = "image"
    is_new = not dataset.has_field(CONFLICTS)
    _declare_fields(fiftyone, dataset, table)
    _set_appearance(fiftyone, dataset, is_new, is_ours=is_ours)
    _add_views(dataset)
    names = list(table.class_names)
    dataset.classes = {**dataset.classes, **dict.fromkeys(_LABELS, names)}
    if is_ours:
        dataset.default_classes = names
    dataset.save()


def _declare_fields(fiftyone: Any, dataset: fo.Dataset, table: LabelTable) -> None:
    """Declare every field and sub-field, so that the App can show and filter it.

    What nobody would take over if it was changed in FiftyOne may not be changed there.
    """
    schema = dataset.get_field_schema(flat=True)

    def declare(path: str, kind: Any, **options: Any) -> None:
        if path not in schema:
            dataset.add_sample_field(path, kind, **options)

    text, number, time = fiftyone.StringField, fiftyone.IntField, fiftyone.DateTimeField
    decided = {"source": text, "run": number, "decided_by": text, "decided_at": time}
    for name, (description, _) in _LABELS.items():
        is_known = name in KNOWN.values()
        declare(name, fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Classifications)
        claimed = {"run": number, **({"contradicts": text} if name == CONFLICTS else {})}
        for part, part_kind in (decided if is_known else claimed).items():
            declare(f"{name}.classifications.{part}", part_kind)
        _settle(dataset, name, description, read_only=False)
        # A label field that is read-only itself makes the App fail on every image that is opened.
        _settle(dataset, f"{name}.classifications", None, read_only=not is_known)
    kinds = {"unknown": fiftyone.ListField, "num_unknown": number, "split": text, "run": number, "synced_at": time}
    is_named, options = names_unknown(table), {"unknown": {"subfield": text}}
    if not is_named and kinds.pop("unknown") and "unknown" in schema:
        _settle(dataset, "unknown", _FACTS["unknown"], read_only=False)
        dataset.delete_sample_field("unknown")
    for name, kind in kinds.items():
        declare(name, kind, **options.get(name, {}))
        left_out = "" if is_named or name != "num_unknown" else f"; not named where there are over {MOST_NAMED:,} cells"
        _settle(dataset, name, _FACTS[name] + left_out, read_only=True)
    samples = dataset._sample_collection
    for name in PSEUDO.values():
        samples.create_index([(f"{name}.classifications.label", 1), (f"{name}.classifications.confidence", -1)])
    samples.create_index("num_unknown")


def _settle(dataset: fo.Dataset, name: str, description: str | None, *, read_only: bool) -> None:
    field = dataset.get_field(name)
    if (field.description, field.read_only) != (description, read_only):
        field.description, field.read_only = description, read_only
        field.save(_enforce_read_only=False)


def _set_appearance(fiftyone: Any, dataset: fo.Dataset, is_new: bool, *, is_ours: bool) -> None:
    """Give each field its colour and the studio a group in the side bar, which is laid out once."""
    config, own = dataset.app_config, OWN_FIELDS
    scheme = config.color_scheme or fiftyone.ColorScheme(color_by="field")
    chosen = scheme.fields or []
    paths = {one.get("path") for one in chosen}
    scheme.fields = chosen + [
        {"path": name, "fieldColor": colour} for name, (_, colour) in _LABELS.items() if name not in paths
    ]
    config.color_scheme = scheme
    if is_new and is_ours:
        config.active_fields = fiftyone.ActiveFields(paths=[KNOWN[1], PSEUDO[1]])
    if is_new:
        groups = config.sidebar_groups or fiftyone.DatasetAppConfig.default_sidebar_groups(dataset)
        for group in groups:
            group.paths = [path for path in group.paths if path not in own]
        ours = fiftyone.SidebarGroupDocument(name=GROUP, paths=[name for name in own if dataset.has_field(name)])
        config.sidebar_groups = [*groups[:1], ours, *(group for group in groups[1:] if group.paths)]


def _add_views(dataset: fo.Dataset) -> None:
    """Save the views of the review; only the studio's own are replaced."""
    some, of = {"$exists": True}, "classifications.0"
    proposed = [{f"{name}.{of}": some} for name in PSEUDO.values()]
    decided = [{f"{name}.classifications.source": {"$in": ["human", "accepted"]}} for name in KNOWN.values()]
    views = (
        ("to review", {"$or": proposed, "split": {"$ne": TEST_SPLIT}}, "images with open pseudo-labels", AMBER),
        ("conflicts", {f"{CONFLICTS}.{of}": some}, "the run contradicts a known label", RED),
        ("complete", {"num_unknown": 0}, "every class is known", TEAL),
        ("untouched", {"$nor": decided}, "nobody decided here", SLATE),
    )
    for name, condition, description, colour in views:
        view = dataset.match(condition)
        dataset.save_view(f"{VIEW_PREFIX}{name}", view, description=description, color=colour, overwrite=True)


def _say(done: int, total: int, what: str) -> None:
    print(json.dumps({"done": done, "total": total, "what": what}), flush=True)


if __name__ == "__main__":
    sys.exit(main())
