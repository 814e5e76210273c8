"""Saved views that the studio writes while FiftyOne runs elsewhere, as its App reads them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from bson import ObjectId
from pymongo.database import Database

from logicmix_studio.store.fiftyone.documents import Entry

SELECTION_NAME: Final = "from the studio"
SELECTION_SLUG: Final = "from-the-studio"
SELECTION_COLOUR: Final = "#17998b"


def save_selection(database: Database[Entry], dataset_id: ObjectId, image_ids: Sequence[str]) -> str:
    """Save a view of some images, in their order, in place of the last one; return its name in an address."""
    chosen = [["sample_ids", list(image_ids)], ["ordered", True]]
    stage = {"_cls": "fiftyone.core.stages.Select", "kwargs": chosen}
    now = datetime.now(UTC)
    facts = {
        "name": SELECTION_NAME,
        "description": "images chosen in LogicMix Studio",
        "color": SELECTION_COLOUR,
        "view_stages": [json.dumps(stage)],
        "last_modified_at": now,
    }
    key = {"_dataset_id": dataset_id, "slug": SELECTION_SLUG}
    view = database["views"].find_one_and_update(
        key, {"$set": facts, "$setOnInsert": {"created_at": now}}, upsert=True, return_document=True
    )
    database["datasets"].update_one({"_id": dataset_id}, {"$addToSet": {"saved_views": view["_id"]}})
    return SELECTION_SLUG
