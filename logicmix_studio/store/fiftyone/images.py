"""The images of a data set, as imported, written by pymongo."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from bson import ObjectId
from pymongo.collection import Collection

from logicmix_studio.labels import LabelTable
from logicmix_studio.store.fiftyone.documents import Entry, known_entry, replace_known, sample_document
from logicmix_studio.store.ledger import Source

IMAGES_A_WRITE = 1000


def synchronise_images(
    samples: Collection[Entry],
    dataset_id: ObjectId,
    root: Path,
    table: LabelTable,
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write each image's known labels as imported, add new images and take out those that are gone.

    Args:
        samples: The data set's collection.
        dataset_id: FiftyOne's id of the data set.
        root: The folder of the images.
        table: The imported labels.
        progress: Called with done, total and what is going on in words.
    """
    stored = {str(document["_id"]) for document in samples.find({}, {"_id": 1})}
    gone = stored.difference(table.image_ids)
    doomed = [ObjectId(image_id) for image_id in gone]
    for start in range(0, len(doomed), IMAGES_A_WRITE):
        samples.delete_many({"_id": {"$in": doomed[start : start + IMAGES_A_WRITE]}})
    now = datetime.now(UTC)
    for start in range(0, table.num_images, IMAGES_A_WRITE):
        rows = range(start, min(start + IMAGES_A_WRITE, table.num_images))
        fresh, updates = [], []
        for row in rows:
            image_id, known = table.image_ids[row], _imported(table, row)
            filepath, split = os.path.join(root, table.paths[row]), table.splits[row]
            if image_id in stored:
                updates.append(
                    replace_known(image_id, known, table.num_classes, filepath=filepath, split=split or None)
                )
            else:
                document = sample_document(image_id, filepath, split, known, table.num_classes, now)
                fresh.append({**document, "_dataset_id": dataset_id})
        if fresh:
            samples.insert_many(fresh, ordered=False)
        if updates:
            samples.bulk_write(updates, ordered=False)
        if progress is not None:
            progress(rows[-1] + 1, table.num_images, "writing images into the FiftyOne data set")


def _imported(table: LabelTable, row: int) -> list[Entry]:
    image_id, states = table.image_ids[row], table.states[row]
    return [
        known_entry(image_id, table.class_names[column], int(states[column]), Source.IMPORTED)
        for column in np.flatnonzero(states).tolist()
    ]
