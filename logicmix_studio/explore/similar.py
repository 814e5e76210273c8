"""Images that look alike: nearest neighbours on the features a run left behind.

N images, D features.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from logicmix_studio.training.run_folder import Snapshot

BLOCK = 8192
RUNS_KEPT = 2


class Similar:
    """Finds neighbours; lengths of the feature vectors are kept in memory, the vectors themselves on disk."""

    def __init__(self, studio: Studio) -> None:
        """Prepare; nothing is read yet."""
        self._studio = studio
        self._guard = threading.Lock()
        self._runs: OrderedDict[int, _Features] = OrderedDict()

    def find(self, image_id: str, count: int) -> tuple[int | None, list[tuple[str, float]]]:
        """Return the run and the images most alike, each with its cosine in [-1, 1], nearest first.

        Args:
            image_id: The image.
            count: How many at the most.

        Returns:
            The run whose features were used: the one whose scores are shown, or the latest that has the image;
            None and no image where no run left any.
        """
        current, _ = self._studio.current_choice()
        latest_first = reversed(self._studio.finished_runs())
        for info in sorted(latest_first, key=lambda info: info.run != current):
            features = self._features(info.run, info.folder)
            row = None if features is None else features.row_of.get(image_id)
            if features is not None and row is not None:
                return info.run, features.nearest(row, count, self._studio.ledger.row_of)
        return None, []

    def _features(self, run: int, folder: Path) -> _Features | None:
        with self._guard:
            if run not in self._runs:
                made = _load(folder)
                if made is None:
                    return None
                self._runs[run] = made
                while len(self._runs) > RUNS_KEPT:
                    self._runs.popitem(last=False)
            return self._runs[run]


class _Features:
    def __init__(self, vectors: npt.NDArray[np.float16], image_ids: list[str]) -> None:
        self.vectors = vectors
        self.image_ids = image_ids
        self.row_of = {image_id: row for row, image_id in enumerate(image_ids)}
        self.lengths = np.concatenate(
            [np.linalg.norm(block, axis=1) for block in _blocks(vectors)] or [np.zeros(0, np.float32)]
        )

    def nearest(self, row: int, count: int, existing: dict[str, int]) -> list[tuple[str, float]]:
        wanted = np.asarray(self.vectors[row], dtype=np.float32)
        products = np.concatenate([block @ wanted for block in _blocks(self.vectors)])
        scale = self.lengths * max(float(np.linalg.norm(wanted)), 1e-12)
        cosine = np.divide(products, scale, out=np.full(len(products), -1.0, np.float32), where=scale > 0)
        cosine[row] = -np.inf
        best = np.argpartition(-cosine, min(count, len(cosine) - 1))[: count + 1]
        best = best[np.argsort(-cosine[best], kind="stable")]
        named = [(self.image_ids[i], round(float(cosine[i]), 4)) for i in best if np.isfinite(cosine[i])]
        return [(image_id, value) for image_id, value in named if image_id in existing][:count]


def _blocks(vectors: npt.NDArray[np.float16]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the vectors some thousand at a time, so that never all of them are in memory."""
    for start in range(0, len(vectors), BLOCK):
        yield vectors[start : start + BLOCK].astype(np.float32)


def _load(folder: Path) -> _Features | None:
    """Return a run's features, or None where it left none that fit."""
    try:
        vectors = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        image_ids = Snapshot.load(folder / "snapshot.npz").image_ids.tolist()
    except (OSError, ValueError, StudioError):
        return None
    if vectors.ndim != 2 or len(vectors) != len(image_ids):
        return None
    return _Features(vectors, image_ids)
