"""Which known cells stay out of the training, the same ones in every run.

A cell is held out by a hash of its image and its class, so a run next month, with more images, more classes
and more labels, holds out the same cells as today's: their results can be compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.training.run_folder import Snapshot

TEST_SPLIT = "test"
"""Images of this split measure; no run learns from them or is chosen by them."""

VALIDATION_SPLIT = "val"
"""Where there are images of this split, their known cells are the held-out ones."""

_MIX = np.uint64(0x9E3779B97F4A7C15)
_FOLD_MIX = np.uint64(0xD6E8FEB86659FD93)


def cell_fractions(image_ids: Sequence[str], class_names: Sequence[str]) -> NDArray[np.float64]:
    """Return for each cell a number in [0, 1) that depends on its image and class alone.

    Returns:
        (N, C).
    """
    return _unit(_cell_bits(image_ids, class_names))


def cell_folds(image_ids: Sequence[str], class_names: Sequence[str], num_folds: int) -> NDArray[np.int64]:
    """Return for each cell one of ``num_folds`` parts, unrelated to what is held out; (N, C)."""
    bits = _cell_bits(image_ids, class_names) * _FOLD_MIX
    bits ^= bits >> np.uint64(29)
    return np.asarray((_unit(bits * _MIX) * num_folds).astype(np.int64))


def heldout_mask(snapshot: Snapshot, share: float) -> NDArray[np.bool_]:
    """Return which cells are held out of the training as soon as they are known, (N, C).

    Args:
        snapshot: What the trainer may know; its states do not matter.
        share: Share of the cells outside the test split; not used where the snapshot has a ``val`` split.
    """
    validation = snapshot.splits == VALIDATION_SPLIT
    if validation.any():
        return np.repeat(validation[:, None], len(snapshot.class_names), axis=1)
    measured = snapshot.splits == TEST_SPLIT
    fractions = cell_fractions(snapshot.image_ids.tolist(), snapshot.class_names.tolist())
    return np.asarray((fractions < share) & ~measured[:, None])


def choose_heldout(snapshot: Snapshot, share: float) -> NDArray[np.bool_]:
    """Return which known cells are held out of the training, (N, C); see :func:`heldout_mask`."""
    return np.asarray((snapshot.states != 0) & heldout_mask(snapshot, share))


def trained_states(states: NDArray[np.int8], heldout: NDArray[np.bool_]) -> NDArray[np.int8]:
    """Return the states that are trained on: what is known and not held out; 0 elsewhere. All of one shape."""
    return np.where(heldout, 0, states).astype(np.int8)


def training_rows(snapshot: Snapshot) -> NDArray[np.int64]:
    """Return the images that may be trained on: all but the splits ``test`` and ``val``."""
    return np.flatnonzero((snapshot.splits != TEST_SPLIT) & (snapshot.splits != VALIDATION_SPLIT))


def _cell_bits(image_ids: Sequence[str], class_names: Sequence[str]) -> NDArray[np.uint64]:
    rows = np.array([_digest(image_id) for image_id in image_ids], dtype=np.uint64)
    columns = np.array([_digest(name) for name in class_names], dtype=np.uint64)
    bits = rows[:, None] * _MIX ^ columns[None, :]
    bits ^= bits >> np.uint64(31)
    bits *= _FOLD_MIX
    return np.asarray(bits ^ (bits >> np.uint64(32)))


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _unit(bits: NDArray[np.uint64]) -> NDArray[np.float64]:
    return np.asarray((bits >> np.uint64(11)).astype(np.float64) * 2.0**-53)
