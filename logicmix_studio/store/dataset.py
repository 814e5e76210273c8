"""One opened data set: its table, its ledger and what people chose. Every service is made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.errors import StudioError
from logicmix_studio.labels import LabelTable
from logicmix_studio.store.journal import Journal, read_journal
from logicmix_studio.store.ledger import Ledger
from logicmix_studio.store.settings import Settings
from logicmix_studio.store.tables import load_table
from logicmix_studio.store.workspace import Workspace


class Dataset:
    """The labels of one workspace, read into memory, and the journal that changes are written to.

    Attributes:
        workspace: Where everything of this data set lies.
        info: The file ``workspace.json``.
        ledger: The states of all cells and the only way to change them.
        settings: What people chose on screen.
        complete: (N, C) int8 complete states in a trial or the demo, else None; for evaluation only.
    """

    def __init__(self, workspace: Workspace, *, read_only: bool = False) -> None:
        """Read an imported workspace and replay its journal.

        Raises:
            StudioError: If there is none, or it is broken.
        """
        self.workspace = workspace
        self.info: dict[str, Any] = workspace.info()
        table = load_table(workspace.labels_file)
        self._journal = None if read_only else Journal(workspace.journal_file)
        self.ledger = Ledger(table, read_journal(workspace.journal_file), self._journal)
        self.complete = _load_complete(workspace, table)
        self.settings = Settings(workspace.settings_file)

    @property
    def name(self) -> str:
        """The data set's name."""
        return str(self.info["name"])

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
        """Return the row of an image.

        Raises:
            StudioError: If there is no such image.
        """
        row = self.ledger.row_of.get(image_id)
        if row is None:
            raise StudioError(
                f"there is no image {image_id!r}", "reload the page: the data set may have changed"
            )
        return row

    def column_of(self, class_name: str) -> int:
        """Return the column of a class.

        Raises:
            StudioError: If there is no such class.
        """
        column = self.ledger.column_of.get(class_name)
        if column is None:
            raise StudioError(
                f"there is no class {class_name!r}", f"classes are: {', '.join(self.class_names[:20])}"
            )
        return column

    def image_path(self, image_id: str) -> Path:
        """Return the file of an image.

        Raises:
            StudioError: If there is no such image.
        """
        return self.workspace.root / self.table.paths[self.row_of(image_id)]

    def close(self) -> None:
        """Close the journal; a second call does nothing."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None


def _load_complete(workspace: Workspace, table: LabelTable) -> npt.NDArray[np.int8] | None:
    if not workspace.complete_file.exists():
        return None
    complete = load_table(workspace.complete_file)
    if complete.image_ids != table.image_ids or complete.class_names != table.class_names:
        raise StudioError(
            f"{workspace.complete_file} does not fit {workspace.labels_file}", "import the data set again"
        )
    return complete.states
