"""A run's claims as BSON: there are millions, so what all images share of a label is encoded once."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import chain, repeat
from operator import itemgetter
from typing import Final

import bson
import numpy as np
from bson.raw_bson import RawBSONDocument
from numpy.typing import NDArray

from logicmix_studio.labels import NEGATIVE, POSITIVE
from logicmix_studio.store.fiftyone.documents import ID_START_BYTES, Placed, claim, conflict, id_start, label_list

_INT, _DOUBLE = struct.Struct("<i"), struct.Struct("<d")
_ID_AT, _CONFIDENCE = _INT.size + len(b"\x07_id\0"), b"\x01confidence\0"
"""Where the id stands in an encoded label, which it begins, and what stands before the confidence."""


class ClaimEncoder:
    """Encodes what a run says of images, C classes.

    Args:
        class_names: The C classes.
        run: The run.
    """

    def __init__(self, class_names: Sequence[str], run: int) -> None:
        self._keys = [b"\x03%d\0" % number for number, _ in enumerate(class_names)]
        self._shared = cache(lambda place, state: _shared_parts(place, class_names, state, run))

    def fields(
        self,
        image_id: str,
        proposals: NDArray[np.int8],
        conflicts: NDArray[np.int8],
        scores: NDArray[np.floating],
        besides: Iterable[Placed] = (),
    ) -> dict[str, RawBSONDocument]:
        """Return the labels of an image by field; a field without any is not among them.

        Args:
            image_id: The image.
            proposals: (C,): +1 and -1 are claims on unknown cells, 0 none.
            conflicts: (C,): +1 and -1 where the run contradicts a known label, 0 elsewhere.
            scores: (C,): probabilities in [0, 1] that the class is present.
            besides: Labels of other classes.
        """
        found: dict[str, list[bytes]] = {}
        for place, states in ((claim, proposals), (conflict, conflicts)):
            for state in (POSITIVE, NEGATIVE):
                if columns := np.flatnonzero(states == state).tolist():
                    field, *parts = self._shared(place, state)
                    # One more than wanted: of a single place it would give no tuple.
                    start, middle, end = (itemgetter(*columns, columns[0])(part) for part in parts)
                    values = scores[columns].astype(np.float64)
                    confidences = (values if state == POSITIVE else 1.0 - values).view(f"V{_DOUBLE.size}").tolist()
                    labels = map(
                        b"".join, zip(start, repeat(id_start(image_id)), middle, confidences, end, strict=False)
                    )
                    found.setdefault(field, []).extend(labels)
        for field, label in besides:
            found.setdefault(field, []).append(bson.encode(label))
        return {field: self._list(labels) for field, labels in found.items()}

    def _list(self, labels: Sequence[bytes]) -> RawBSONDocument:
        elements = b"".join(chain.from_iterable(zip(self._keys, labels, strict=False)))
        return RawBSONDocument(_framed(_LIST_START + _framed(elements)))


def _shared_parts(
    place: Callable[..., Placed], class_names: Sequence[str], state: int, run: int
) -> tuple[str, list[bytes], list[bytes], list[bytes]]:
    """Return a claim's field and, by class, its BSON before the image's part of its id, up to its confidence, and after."""
    starts, middles, ends = [], [], []
    for name in class_names:
        field, label = place("0" * 24, name, state, 0.0, run)
        data = bson.encode(label)
        confidence_at = data.rindex(_CONFIDENCE) + len(_CONFIDENCE)
        starts.append(data[:_ID_AT])
        middles.append(data[_ID_AT + ID_START_BYTES : confidence_at])
        ends.append(data[confidence_at + _DOUBLE.size :])
    return field, starts, middles, ends


def _framed(elements: bytes) -> bytes:
    """Return elements as a BSON document or array: its length stands before them and a zero after."""
    return b"%b%b\0" % (_INT.pack(_INT.size + len(elements) + 1), elements)


_LIST_START: Final = bson.encode(label_list([]))[_INT.size : -len(_framed(b"") + b"\0")]
"""What stands before the array in an encoded list of labels."""
