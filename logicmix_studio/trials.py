"""Trials on data whose complete labels are known: temporary workspaces in which a part of them is hidden."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.formats import read_dataset
from logicmix_studio.importing import ImportOptions, exports_of, store_tables
from logicmix_studio.labels import UNKNOWN, LabelTable, hide_labels
from logicmix_studio.store import Workspace, load_labels
from logicmix_studio.studio import Studio
from logicmix_studio.words import Progress


def read_complete(workspace: Workspace, options: ImportOptions, progress: Progress | None = None) -> LabelTable:
    """Return the complete labels of a data set: what a trial or the demo kept aside, or else what its folder holds.

    Without options, those of the last import are used. Nothing is written.

    Raises:
        StudioError: If something can't be read.
    """
    info = workspace.info_if_any() if workspace.exists else None
    if info is not None and workspace.complete_file.exists():
        return load_labels(workspace.complete_file, info)
    if info is not None and options == ImportOptions():
        options = ImportOptions.recall(workspace)
    return read_dataset(workspace.root, **options.reading, ignored=exports_of(workspace), progress=progress).table


class TrialMaker:
    """Opens studios on trials of one data set; each has a workspace of its own, which goes when it is closed.

    Args:
        root: The folder of the images.
        complete: All their labels.
        folder: Where the workspaces and the pixels and features that they share lie; made if need be.

    Raises:
        StudioError: If cells are unknown even there.
    """

    def __init__(self, root: Path, complete: LabelTable, folder: Path) -> None:
        if num_unknown := int(np.count_nonzero(complete.states == UNKNOWN)):
            told = f"{num_unknown:,} of {complete.states.size:,} cells are unknown in {root}"
            hint = "a trial needs complete labels; where absent is meant by saying nothing, add --exhaustive"
            raise StudioError(told, hint)
        self._root, self._complete, self._folder = root, complete, folder
        self._cache = folder / "cache"
        with writing(folder):
            self._cache.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def open(self, known_proportion: float, seed: int) -> Iterator[Studio]:
        """Yield a studio in which labels outside split test are hidden; see :func:`hide_labels`.

        Raises:
            StudioError: If the proportion or the seed is out of range, or the folder can't be written.
        """
        known = hide_labels(self._complete, known_proportion, seed)
        options = ImportOptions(known_proportion=known_proportion, seed=seed)
        with writing(self._folder):
            temporary = tempfile.TemporaryDirectory(prefix="trial-", dir=self._folder)
        with temporary as place:
            workspace = Workspace(self._root, Path(place).resolve())
            workspace.cache.symlink_to(self._cache.resolve())
            store_tables(workspace, known, self._complete, options=options)
            with Studio(workspace) as studio:
                yield studio
