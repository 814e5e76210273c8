"""One opened data set: its table, its ledger and what people chose on screen. Every service is made from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import SHOWN_PROBLEMS, UNKNOWN, LabelTable
from logicmix_studio.store.journal import Journal, read_journal
from logicmix_studio.store.ledger import Ledger
from logicmix_studio.store.settings import Settings
from logicmix_studio.store.tables import align_cells, load_labels
from logicmix_studio.store.workspace import Workspace


class Dataset:
    """The labels of one imported workspace, read into memory, and the journal that changes are written to.

    Attributes:
        workspace: Where everything of this data set lies.
        info: The file ``workspace.json``.
        ledger: The states of all cells and the only way to change them.
        settings: What people chose on screen.
        complete: (N, C) int8 complete states in a trial or the demo, else None; for evaluation only.
        renamed: Former class names and the names of today.

    Raises:
        StudioError: If there is no workspace, or its table is broken; what is broken in the journal is set aside.
    """

    def __init__(self, workspace: Workspace, *, read_only: bool = False) -> None:
        self.workspace = workspace
        self.info: dict[str, Any] = workspace.info()
        self.renamed: dict[str, str] = self.info.get("renamed", {})
        table = load_labels(workspace.labels_file, self.info)
        self.complete = _load_complete(workspace, table, self.info)
        self.settings = Settings(workspace.settings_file, self.renamed)
        self._set_aside: list[str] = []
        lines = list(read_journal(workspace.journal_file, self._set_aside))
        self._journal = None if read_only else Journal(workspace.journal_file)
        self.ledger = Ledger(table, lines, self._journal, self.renamed)

    @property
    def name(self) -> str:
        """The data set's name."""
        return str(self.info["name"])

    @property
    def warnings(self) -> list[str]:
        """What a person should know of journal and settings, one sentence each: what could not be read, and why."""
        told = [*self.settings.warnings, *self._set_aside, *self.ledger.warnings]
        more = len(told) - SHOWN_PROBLEMS
        return [*told[:SHOWN_PROBLEMS], *([f"and {more:,} more of this kind"] if more > 0 else [])]

    @property
    def table(self) -> LabelTable:
        """The imported labels."""
        return self.ledger.table

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes, in column order."""
        return self.table.class_names

    @property
    def image_ids(self) -> tuple[str, ...]:
        """The images, in row order."""
        return self.table.image_ids

    @property
    def states(self) -> npt.NDArray[np.int8]:
        """(N, C) int8 states at this moment, read-only."""
        view = self.ledger.states.view()
        view.flags.writeable = False
        return view

    def row_of(self, image_id: str) -> int:
        """Return the row of an image; a StudioError where there is none."""
        return self.ledger.find_row(image_id)

    def column_of(self, class_name: str) -> int:
        """Return the column of a class; a StudioError where there is none."""
        return self.ledger.find_column(class_name)

    def image_path(self, image_id: str) -> Path:
        """Return the file of an image; a StudioError where there is no such image."""
        return self.workspace.root / self.table.paths[self.row_of(image_id)]

    def close(self) -> None:
        """Close the journal once nobody writes to it; a second call does nothing."""
        with self.ledger.lock:
            self.ledger.close()
            if self._journal is not None:
                self._journal.close()
                self._journal = None


def _load_complete(workspace: Workspace, table: LabelTable, info: Mapping[str, Any]) -> npt.NDArray[np.int8] | None:
    """Return the complete states of a table's cells; those of newer images and classes are unknown even there."""
    if not workspace.complete_file.exists():
        return None
    complete = load_labels(workspace.complete_file, info)
    if table.num_images and set(table.image_ids).isdisjoint(complete.image_ids):
        raise StudioError(
            f"{workspace.complete_file} does not fit {workspace.labels_file}", "import the data set again"
        )
    return align_cells(complete.states, complete.image_ids, complete.class_names, table, UNKNOWN)
