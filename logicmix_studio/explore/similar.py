"""Images that look alike: nearest neighbours on the features a run left behind.

N images, D features.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.review.proposal_set import ProposalSet
from logicmix_studio.runs import Jobs
from logicmix_studio.training.run_folder import ARRAY_ERRORS, Snapshot

BLOCK = 8192
RUNS_KEPT = 2


class Features:
    """What a run's backbone saw in each image: ``vectors``, (N, D) float16 that stay on disk; ``row_of`` each image."""

    def __init__(self, vectors: npt.NDArray[np.float16], image_ids: list[str]) -> None:
        self.vectors = vectors
        self.image_ids = image_ids
        self.row_of = {image_id: row for row, image_id in enumerate(image_ids)}
        lengths = [np.linalg.norm(block, axis=1) for block in _blocks(vectors)]
        self._lengths = np.concatenate(lengths or [np.zeros(0, np.float32)])

    def cosines(self, wanted: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (N,) the cosine of every image with a (D,) vector, in [-1, 1]; -1 where a vector is empty."""
        products = np.concatenate([block @ wanted for block in _blocks(self.vectors)])
        scale = self._lengths * max(float(np.linalg.norm(wanted)), 1e-12)
        cosines: npt.NDArray[np.float32] = np.full(len(products), -1.0, np.float32)
        np.divide(products, scale, out=cosines, where=scale > 0)
        return cosines

    def nearest(self, image_id: str, count: int, existing: Mapping[str, int]) -> list[tuple[str, float]]:
        """Return the ``existing`` images most like one that the run knew, with their cosines, nearest first."""
        row = self.row_of[image_id]
        cosines = self.cosines(np.asarray(self.vectors[row], dtype=np.float32))
        cosines[row] = -np.inf
        named = ((self.image_ids[i], round(float(cosines[i]), 4)) for i in np.argsort(-cosines)[:-1])
        return list(islice((pair for pair in named if pair[0] in existing), count))


class Similar:
    """Knows the features of the latest runs."""

    def __init__(self, proposed: ProposalSet, jobs: Jobs) -> None:
        self._proposed, self._jobs = proposed, jobs
        self._guard = threading.Lock()
        self._runs: dict[int, Features] = {}

    def of_image(self, image_id: str) -> tuple[int, Features] | None:
        """Return the run whose scores are shown, or the latest that has an image, and its features; else None."""
        current, _ = self._proposed.choice()
        for run in sorted(self._proposed.runs(), key=lambda run: (run != current, -run)):
            features = self.of_run(run)
            if features is not None and image_id in features.row_of:
                return run, features
        return None

    def of_run(self, run: int) -> Features | None:
        """Return the features of a run, or None where it left none that fit."""
        with self._guard:
            if run not in self._runs:
                made = _load(self._jobs.folder(run))
                if made is None:
                    return None
                self._runs = dict([*self._runs.items(), (run, made)][-RUNS_KEPT:])
            return self._runs[run]


def _blocks(vectors: npt.NDArray[np.float16]) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the vectors some thousand at a time, so that never all of them are in memory."""
    for start in range(0, len(vectors), BLOCK):
        yield vectors[start : start + BLOCK].astype(np.float32)


def _load(folder: Path) -> Features | None:
    try:
        vectors = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
        image_ids = Snapshot.load(folder / "snapshot.npz").image_ids.tolist()
    except (StudioError, *ARRAY_ERRORS):
        return None
    if vectors.ndim != 2 or len(vectors) != len(image_ids):
        return None
    return Features(vectors, image_ids)
