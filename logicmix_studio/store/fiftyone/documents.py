"""The documents of the data set as MongoDB holds them: fields, entries, samples and the updates of one image.

FiftyOne writes labels one object at a time, by list position; these are what it reads back, written whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from bson import ObjectId
from pymongo import UpdateOne

from logicmix_studio.labels import STATE_NAMES, TEST_SPLIT

KNOWN: Final = "known"
PSEUDO: Final = "pseudo"
CONFLICTS: Final = "conflicts"

META: Final = "logicmix_meta"
"""One document a workspace: which data set, and the last journal line that is in it."""
RUNS: Final = "logicmix_runs"
"""One document a run whose proposals were written."""
FORMAT: Final = 1

SOURCE_TEXT: Final = ("nobody", "imported", "human", "accepted")
"""By :class:`~logicmix_studio.store.ledger.Source`."""
MODEL: Final = "model"

Entry = dict[str, Any]
ImageChange = dict[str, tuple[Entry | None, Entry | None]]
"""What becomes of some cells of one image, by class name: the known label it shall have (None where it becomes
unknown), and the proposal that comes back because it is unknown again."""


def known_entry(image_id: str, class_name: str, state: int, source: int, **facts: Any) -> Entry:
    """Return a known label, +1 or -1.

    The facts are ``confidence``, ``run``, ``decided_by`` and ``decided_at``; None is left out, FiftyOne reads it as that.
    """
    entry = _label(image_id, class_name, KNOWN, state, SOURCE_TEXT[source])
    return entry | {name: value for name, value in facts.items() if value is not None}


def claim_entry(image_id: str, class_name: str, state: int, score: float, run: int, label_field: str = PSEUDO) -> Entry:
    """Return what a run says of a cell, +1 or -1; with the field ``conflicts``, against a known label.

    The score is the probability that the class is present, in [0, 1].
    """
    confidence = score if state > 0 else 1.0 - score
    return _label(image_id, class_name, label_field, state, MODEL) | {"confidence": confidence, "run": run}


def labels_document(entries: Sequence[Entry] | Entry) -> Entry:
    """Return entries, or an expression that yields some, as the list that FiftyOne reads."""
    return {"_cls": "Classifications", "classifications": entries}


def sample_document(
    image_id: str, filepath: str, split: str, known: Sequence[Entry], num_classes: int, now: datetime
) -> Entry:
    """Return a new image's document, without what belongs to one data set (``_dataset_id``)."""
    return {
        "_id": ObjectId(image_id),
        "_media_type": "image",
        "_rand": int(image_id[:8], 16) / 2**32,
        "filepath": filepath,
        "tags": [split] if split else [],
        "metadata": None,
        "created_at": now,
        "last_modified_at": now,
        "image_id": image_id,
        "split": split or None,
        "num_unknown": num_classes - len(known),
        KNOWN: labels_document(known),
        PSEUDO: labels_document([]),
        CONFLICTS: labels_document([]),
    }


def change_image(image_id: str, change: ImageChange, num_classes: int) -> UpdateOne:
    """Return the one atomic update that answers some cells of an image; done twice it changes nothing more.

    The answered labels leave ``pseudo`` and ``conflicts`` in the same step as they enter ``known``: no reader
    ever sees a cell that is both.
    """
    answered = list(change)
    known, pseudo = (
        [entry for entry in entries if entry is not None] for entries in zip(*change.values(), strict=True)
    )
    returning = {"$cond": [{"$eq": ["$split", TEST_SPLIT]}, [], _literal(pseudo)]}
    fields = {
        KNOWN: labels_document({"$concatArrays": [_without(KNOWN, answered), _literal(known)]}),
        PSEUDO: labels_document({"$concatArrays": [_without(PSEUDO, answered), returning]}),
        CONFLICTS: labels_document(_without(CONFLICTS, answered)),
        "last_modified_at": "$$NOW",
    }
    num_unknown = {"$subtract": [num_classes, {"$size": "$known.classifications"}]}
    return UpdateOne({"_id": ObjectId(image_id)}, [{"$set": fields}, {"$set": {"num_unknown": num_unknown}}])


def replace_claims(image_id: str, proposals: Sequence[Entry], conflicts: Sequence[Entry]) -> UpdateOne:
    """Return the update that gives an image a run's proposals, less those whose cell is known by now."""
    known = {"$ifNull": [f"${KNOWN}.classifications.label", []]}
    fields = {
        PSEUDO: labels_document(_unnamed(_literal(proposals), known)),
        CONFLICTS: _literal(labels_document(conflicts)),
        "last_modified_at": "$$NOW",
    }
    return UpdateOne({"_id": ObjectId(image_id)}, [{"$set": fields}])


def replace_known(image_id: str, known: Sequence[Entry], num_classes: int, **facts: Any) -> UpdateOne:
    """Return the update that gives an image exactly these known labels, and drops claims on their cells."""
    labels = [entry["label"] for entry in known]
    stage = {
        KNOWN: _literal(labels_document(known)),
        PSEUDO: labels_document(_without(PSEUDO, labels)),
        CONFLICTS: labels_document(_without(CONFLICTS, [])),
        "num_unknown": num_classes - len(known),
        "last_modified_at": "$$NOW",
        **{name: _literal(value) for name, value in facts.items()},
    }
    return UpdateOne({"_id": ObjectId(image_id)}, [{"$set": stage}])


def clear_claims(image_ids: Iterable[str]) -> tuple[Entry, Entry]:
    """Return filter and update that take all claims from images that have none any more."""
    has_some = [{f"{name}.classifications.0": {"$exists": True}} for name in (PSEUDO, CONFLICTS)]
    where = {"_id": {"$in": [ObjectId(image_id) for image_id in image_ids]}, "$or": has_some}
    empty = {PSEUDO: labels_document([]), CONFLICTS: labels_document([])}
    return where, {"$set": empty, "$currentDate": {"last_modified_at": True}}


def _label(image_id: str, class_name: str, label_field: str, state: int, source: str) -> Entry:
    return {
        "_id": ObjectId(bytes.fromhex(image_id[:14]) + _id_ending(class_name, label_field)),
        "_cls": "Classification",
        "tags": [],
        "label": class_name,
        "state": STATE_NAMES[state],
        "source": source,
    }


@lru_cache(maxsize=10_000)
def _id_ending(class_name: str, label_field: str) -> bytes:
    """Return the last five bytes of an entry's id, which is the same whenever the data set is made anew."""
    return hashlib.blake2b(f"{label_field}/{class_name}".encode(), digest_size=5).digest()


def _literal(value: object) -> Entry:
    """Keep class names such as ``$cash`` from being read as expressions."""
    return {"$literal": value}


def _without(label_field: str, labels: Sequence[str]) -> Entry:
    stored = {"$ifNull": [f"${label_field}.classifications", []]}
    return _unnamed(stored, _literal(labels)) if labels else stored


def _unnamed(entries: Entry, labels: Entry) -> Entry:
    """Filter entries: those whose label is none of these."""
    return {"$filter": {"input": entries, "cond": {"$not": [{"$in": ["$$this.label", labels]}]}}}
