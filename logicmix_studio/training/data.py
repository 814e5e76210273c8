"""What a full run trains on: images, cells, and the pseudo-labels of the moment."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.images.cache import CacheEntry, PixelCache, build_cache
from logicmix_studio.labels import NEGATIVE, UNKNOWN
from logicmix_studio.training.config import FullSettings, RunConfig
from logicmix_studio.training.features import describe_missing
from logicmix_studio.training.heldout import cell_folds, choose_heldout, trained_states, training_rows
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_context import RunContext
from logicmix_studio.training.run_folder import Snapshot

PIXELS_FOLDER = "pixels"


@dataclass(frozen=True)
class TrainingData:
    """N images of the snapshot, T of them for training, C classes."""

    snapshot: Snapshot
    cache: PixelCache
    """Pixels of the N images."""
    is_readable: NDArray[np.bool_]
    """(N,)."""
    heldout: NDArray[np.bool_]
    """(N, C) known cells that are not trained on."""
    rows: NDArray[np.int64]
    """(T,) which images are trained on."""
    known: NDArray[np.int8]
    """(T, C) states that are trained on: what is known and not held out."""

    @cached_property
    def checked(self) -> NDArray[np.int8]:
        """(N, C) states of the held-out cells of readable images; 0 elsewhere."""
        return np.where(self.heldout & self.is_readable[:, None], self.snapshot.states, 0).astype(np.int8)

    @cached_property
    def choosing(self) -> NDArray[np.int8]:
        """(N, C) the half of the held-out cells that may choose an epoch; if an earlier one is chosen, the others report."""
        names, ids = self.snapshot.class_names.tolist(), self.snapshot.image_ids.tolist()
        return np.where(cell_folds(ids, names, 2) == 0, self.checked, 0).astype(np.int8)

    @cached_property
    def checked_rows(self) -> NDArray[np.int64]:
        """Images with held-out cells."""
        return np.flatnonzero((self.checked != 0).any(axis=1))

    def working_states(self, pseudo: NDArray[np.int8]) -> Tensor:
        """Return what an epoch trains on, (T, C) int8: known states, and pseudo-labels (T, C) elsewhere."""
        return working_states(self.known, pseudo)

    def fingerprint(self, settings: FullSettings) -> str:
        """Return a word that differs wherever a checkpoint of one run would not fit another."""
        digest = hashlib.sha256(repr(settings).encode())
        digest.update(self.known.tobytes())
        digest.update(self.rows.tobytes())
        return digest.hexdigest()[:16]


def working_states(known: NDArray[np.int8], pseudo: NDArray[np.int8]) -> Tensor:
    """Return what an epoch trains on, int8 like both: known states, and pseudo-labels where nothing is known."""
    return torch.from_numpy(np.where(known != 0, known, pseudo).astype(np.int8))


def load_data(config: RunConfig, snapshot: Snapshot, context: RunContext, *, until: float) -> TrainingData:
    """Open the pixel cache and decide what is trained on and what is held out.

    Raises:
        StudioError: If images are missing altogether, or no cell is known to learn from.
        Stopped: If somebody asked for it.
    """
    settings = config.settings
    root = Path(config.root)
    if not root.is_dir():
        raise StudioError(f"the images' folder {root} is missing", "Bring it back, or start a new run.")
    entries = [
        CacheEntry(image_id, root / path)
        for image_id, path in zip(snapshot.image_ids.tolist(), snapshot.paths.tolist(), strict=True)
    ]
    context.reporter.stage("preparing the images", 0.0, until)

    def progress(done: int, total: int, message: str) -> None:
        context.control.check()
        context.reporter.progress(done, total, f"{message}, {done:,} of {total:,}")

    cache = build_cache(
        context.cache / PIXELS_FOLDER,
        entries,
        settings.backbone.image_size,
        rule="crop" if settings.backbone.resize == "crop" else "squash",
        progress=progress,
    )
    broken = {error.path for error in cache.unreadable}
    is_readable = np.array([entry.path not in broken for entry in entries])
    _tell_problems(cache, [entry.path for entry in entries], is_readable, context.reporter)
    heldout = choose_heldout(snapshot, settings.selection.heldout_share)
    rows = training_rows(snapshot)
    rows = rows[is_readable[rows]]
    known = trained_states(snapshot.states[rows], heldout[rows])
    if not known.any():
        raise StudioError("no cell is known to learn from", "Label some cells, then train.")
    if isinstance(settings, FullSettings) and settings.loss.unknown_as == "negative":
        known[(known == UNKNOWN) & ~heldout[rows]] = NEGATIVE
    return TrainingData(snapshot, cache, is_readable, heldout, rows, known)


def _tell_problems(cache: PixelCache, paths: list[Path], is_readable: NDArray[np.bool_], reporter: Reporter) -> None:
    if cache.warning:
        reporter.message(cache.warning, "warning")
    if not is_readable.any():
        raise StudioError(
            f"none of the {len(is_readable)} images can be read: {cache.unreadable[0].what}",
            "Is the disk mounted? Has the folder been moved?",
        )
    if missing := describe_missing(paths, is_readable):
        reporter.message(missing, "warning")
