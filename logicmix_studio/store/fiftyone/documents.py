"""The documents of the data set as MongoDB holds them: fields, labels and the updates of one image.

FiftyOne writes labels one object at a time, by list position; these are what it reads back, written whole. The
fields follow Open Images: a class in neither ``positive_labels`` nor ``negative_labels`` is unknown.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import InsertOne, UpdateOne

from logicmix_studio.labels import NEGATIVE, POSITIVE, STATE_NAMES, TEST_SPLIT, LabelTable

KNOWN: Final = {POSITIVE: "positive_labels", NEGATIVE: "negative_labels"}
"""The fields of known labels, by state."""
PSEUDO: Final = {POSITIVE: "pseudo_positive", NEGATIVE: "pseudo_negative"}
"""The fields of proposals, by state."""
CONFLICTS: Final = "conflicts"

META: Final = "logicmix_meta"
"""One document a workspace: which data set, the last journal line in it, and whose proposals it shows."""
FORMAT: Final = 2

MOST_NAMED: Final = 2_000_000
"""Up to so many cells each image names its unknown classes: FiftyOne counts all names to draw its side bar."""

SOURCE_TEXT: Final = ("nobody", "imported", "human", "accepted")
"""By :class:`~logicmix_studio.store.ledger.Source`."""

Entry = dict[str, Any]
ID_START_BYTES: Final = 7
"""Of a label's id that are its image's."""
_KNOWN_LABELS: Entry = {
    "$concatArrays": [{"$ifNull": [f"${name}.classifications.label", []]} for name in KNOWN.values()]
}
Placed = tuple[str, Entry]
"""A field and a label that stands in it."""
ImageChange = dict[str, tuple[Placed | None, Placed | None]]
"""What becomes of some cells of one image, by class name: the known label it shall have (None where it becomes
unknown), and the proposal that comes back because it is unknown again."""


def known_label(image_id: str, class_name: str, state: int, source: int, **facts: Any) -> Placed:
    """Return a known label, +1 or -1.

    The facts are ``run``, ``decided_by`` and ``decided_at``; None is left out, FiftyOne reads it as that.
    """
    label = _label(image_id, class_name, KNOWN[state])
    label["source"] = SOURCE_TEXT[source]
    label.update((name, value) for name, value in facts.items() if value is not None)
    return KNOWN[state], label


def claim(image_id: str, class_name: str, state: int, score: float, run: int) -> Placed:
    """Return what a run says of an unknown cell, +1 or -1; the score is the probability that the class is present."""
    label = _label(image_id, class_name, PSEUDO[state])
    label["confidence"], label["run"] = score if state == POSITIVE else 1.0 - score, run
    return PSEUDO[state], label


def conflict(image_id: str, class_name: str, state: int, score: float, run: int) -> Placed:
    """Return what a run says against a known label, which it names; see :func:`claim`."""
    _, label = claim(image_id, class_name, state, score, run)
    label["_id"], label["contradicts"] = label_id(image_id, CONFLICTS, class_name), STATE_NAMES[-state]
    return CONFLICTS, label


def label_id(image_id: str, field: str, class_name: str) -> ObjectId:
    """Return the id of a label that the studio writes, the same whenever the data set is made anew."""
    return ObjectId(id_start(image_id) + _id_ending(class_name, field))


def names_unknown(table: LabelTable) -> bool:
    """Return whether the images of a table name their unknown classes."""
    return table.num_images * table.num_classes <= MOST_NAMED


def unknown_stages(table: LabelTable) -> list[Entry]:
    """Return the last stages of an update of known labels: they work out what is unknown."""
    is_unknown = {"$not": [{"$in": ["$$this", "$$known"]}]}
    unknown = {"$filter": {"input": _literal(list(table.class_names)), "cond": is_unknown}}
    names = {"$let": {"vars": {"known": _KNOWN_LABELS}, "in": unknown}}
    if names_unknown(table):
        return [{"$set": {"unknown": names}}, {"$set": {"num_unknown": {"$size": "$unknown"}}}]
    return [{"$set": {"num_unknown": {"$size": names}}}]


def image_facts(root: str, table: LabelTable, row: int, known: Sequence[Placed]) -> Entry:
    """Return what the import says of an image, the known labels among it."""
    labels = {label["label"] for _, label in known}
    unknown = [name for name in table.class_names if name not in labels]
    return {
        "filepath": os.path.join(root, table.paths[row]),
        "split": table.splits[row] or None,
        **{name: label_list(_those_in(name, known)) for name in KNOWN.values()},
        "num_unknown": len(unknown),
        **({"unknown": unknown} if names_unknown(table) else {}),
    }


def new_image(dataset_id: ObjectId, image_id: str, facts: Entry, now: datetime) -> InsertOne[Entry]:
    """Return a new image of a data set, whose id FiftyOne gave."""
    document = {
        "_id": ObjectId(image_id),
        "_dataset_id": dataset_id,
        "_media_type": "image",
        "_rand": int(image_id[:8], 16) / 2**32,
        "tags": [facts["split"]] if facts["split"] else [],
        **dict.fromkeys(("created_at", "last_modified_at", "synced_at"), now),
        **{name: label_list([]) for name in (*PSEUDO.values(), CONFLICTS)},
    }
    return InsertOne(document | facts)


def renew_image(image_id: str, facts: Entry) -> UpdateOne:
    """Return the update that gives an image what the import says, and drops proposals on its known cells."""
    labels = [label["label"] for name in KNOWN.values() for label in facts[name]["classifications"]]
    fields = {name: _literal(value) for name, value in facts.items()}
    fields |= {name: label_list(_without(name, labels)) for name in PSEUDO.values()}
    return _update(image_id, {**fields, CONFLICTS: label_list(_without(CONFLICTS, [])), "synced_at": "$$NOW"})


def change_image(image_id: str, change: ImageChange, finish: Sequence[Entry]) -> UpdateOne:
    """Return the one atomic update that answers some cells of an image; done twice it changes nothing more.

    The answered labels leave all other fields in the same step as they enter theirs: no reader ever sees a cell that
    is both known and proposed.
    """
    answered = list(change)
    known, pseudo = ([one for one in placed if one is not None] for placed in zip(*change.values(), strict=True))
    fields = {CONFLICTS: label_list(_without(CONFLICTS, answered))}
    for name in KNOWN.values():
        fields[name] = label_list({"$concatArrays": [_without(name, answered), _literal(_those_in(name, known))]})
    for name in PSEUDO.values():
        returning = {"$cond": [{"$eq": ["$split", TEST_SPLIT]}, [], _literal(_those_in(name, pseudo))]}
        fields[name] = label_list({"$concatArrays": [_without(name, answered), returning]})
    return _update(image_id, fields, finish)


def replace_claims(image_id: str, claims: Mapping[str, RawBSONDocument], run: int) -> UpdateOne:
    """Return the update that gives an image a run's claims by field, less the proposals whose cell is known by now."""
    none = label_list([])
    fields: Entry = {CONFLICTS: _literal(claims.get(CONFLICTS, none)), "run": run}
    for name in PSEUDO.values():
        known = {"$setIntersection": [_KNOWN_LABELS, "$$proposed.classifications.label"]}
        unknown = label_list(_unnamed("$$proposed.classifications", _KNOWN_LABELS))
        kept = {"$cond": [{"$eq": [known, []]}, "$$proposed", unknown]}  # to look at each proposal takes twice as long
        fields[name] = {"$let": {"vars": {"proposed": _literal(claims.get(name, none))}, "in": kept}}
    return _update(image_id, fields)


def clear_claims(image_ids: Iterable[str]) -> tuple[Entry, list[Entry]]:
    """Return filter and update that take all claims from images that have none any more."""
    names = (*PSEUDO.values(), CONFLICTS)
    has_some = [{f"{name}.classifications.0": {"$exists": True}} for name in names]
    where = {"_id": {"$in": [ObjectId(image_id) for image_id in image_ids]}, "$or": has_some}
    return where, _stages({**{name: label_list([]) for name in names}, "run": None})


def _update(image_id: str, fields: Entry, finish: Sequence[Entry] = ()) -> UpdateOne:
    return UpdateOne({"_id": ObjectId(image_id)}, [*_stages(fields), *finish])


def _stages(fields: Entry) -> list[Entry]:
    """Return fields as an update that says when it was made.

    What somebody saved since our last write and nobody has looked at yet shows by two times that differ: so they stay.
    """
    nobody_saved = {"$eq": ["$last_modified_at", "$synced_at"]}
    times = {"last_modified_at": "$$NOW", "synced_at": {"$cond": [nobody_saved, "$$NOW", "$synced_at"]}}
    return [{"$set": times | fields}]


def label_list(labels: Sequence[Entry] | Entry) -> Entry:
    """Return labels, or an expression that yields some, as the list that FiftyOne reads."""
    return {"_cls": "Classifications", "classifications": labels}


def _label(image_id: str, class_name: str, field: str) -> Entry:
    identity = label_id(image_id, field, class_name)
    return {"_id": identity, "_cls": "Classification", "tags": (), "label": class_name}


def _those_in(field: str, placed: Iterable[Placed]) -> list[Entry]:
    return [label for name, label in placed if name == field]


@lru_cache(maxsize=1_000)
def id_start(image_id: str) -> bytes:
    """Return the image's part of the ids of its labels."""
    return bytes.fromhex(image_id[: 2 * ID_START_BYTES])


@lru_cache(maxsize=100_000)
def _id_ending(class_name: str, field: str) -> bytes:
    return hashlib.blake2b(f"{field}/{class_name}".encode(), digest_size=5).digest()


def _literal(value: object) -> Entry:
    """Keep class names such as ``$cash`` from being read as expressions."""
    return {"$literal": value}


def _without(field: str, labels: Sequence[str]) -> Entry:
    stored = {"$ifNull": [f"${field}.classifications", []]}
    return _unnamed(stored, _literal(labels)) if labels else stored


def _unnamed(entries: Entry | str, labels: Entry) -> Entry:
    """Filter entries: those whose label is none of these."""
    unnamed = {"$filter": {"input": entries, "cond": {"$not": [{"$in": ["$$this.label", "$$named"]}]}}}
    return {"$let": {"vars": {"named": labels}, "in": unnamed}}  # worked out once, not for each entry
