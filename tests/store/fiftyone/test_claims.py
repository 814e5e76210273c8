"""Claims that are encoded part by part are those that the documents say."""

import bson
import numpy as np
import pytest

from logicmix_studio.store.fiftyone.claims import ClaimEncoder
from logicmix_studio.store.fiftyone.documents import CONFLICTS, PSEUDO, claim, conflict

IMAGE = "0123456789abcdef01234567"
NAMES = ["dog", "$cash", "", "x.y", "\x01confidence\0 8 bytes", "חתול", "🐈"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_each_label_is_as_the_document_says(dtype):
    proposals = np.array([1, -1, 1, 0, -1, 1, 0], dtype=np.int8)
    conflicts = np.array([0, 0, 0, -1, 0, 0, 1], dtype=np.int8)
    scores = np.array([0.97, 0.01, 0.99, 0.125, 0.03, 1.0, 0.875], dtype=dtype)
    besides = [claim(IMAGE, "bird", -1, 0.02, 3)]
    fields = ClaimEncoder(NAMES, 3).fields(IMAGE, proposals, conflicts, scores, besides)

    def those(place, states, state):
        columns = np.flatnonzero(states == state)
        return [place(IMAGE, NAMES[column], state, float(scores[column]), 3) for column in columns]

    expected = [
        *those(claim, proposals, 1),
        *those(claim, proposals, -1),
        *besides,
        *those(conflict, conflicts, 1),
        *those(conflict, conflicts, -1),
    ]
    found = [
        (field, label)
        for field in (*PSEUDO.values(), CONFLICTS)
        for label in bson.decode(fields[field].raw)["classifications"]
    ]
    assert found == [(field, {**label, "tags": []}) for field, label in expected]
    assert all(bson.decode(each.raw)["_cls"] == "Classifications" for each in fields.values())


def test_a_field_without_a_label_is_left_out():
    nothing = np.zeros(len(NAMES), dtype=np.int8)
    scores = np.full(len(NAMES), np.nan)
    assert ClaimEncoder(NAMES, 1).fields(IMAGE, nothing, nothing, scores) == {}
