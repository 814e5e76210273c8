"""The store: workspace, journal, ledger, lock and settings. `store.fiftyone` is the FiftyOne data set."""

from logicmix_studio.files import read_json, write_json
from logicmix_studio.store.dataset import Dataset
from logicmix_studio.store.journal import Journal, new_action_id, read_journal, utc_now
from logicmix_studio.store.ledger import NEVER, Decision, Ledger, Receipt, Source
from logicmix_studio.store.line import CellChange, CellValue, Line
from logicmix_studio.store.settings import Settings
from logicmix_studio.store.tables import (
    add_class,
    align_cells,
    load_labels,
    load_table,
    rename_class,
    save_table,
    with_classes,
)
from logicmix_studio.store.workspace import (
    ServerInfo,
    Workspace,
    WorkspaceLock,
    locate_workspace,
    server_of,
    user_data_folder,
)

__all__ = [
    "NEVER",
    "CellChange",
    "CellValue",
    "Dataset",
    "Decision",
    "Journal",
    "Ledger",
    "Line",
    "Receipt",
    "ServerInfo",
    "Settings",
    "Source",
    "Workspace",
    "WorkspaceLock",
    "add_class",
    "align_cells",
    "load_labels",
    "load_table",
    "locate_workspace",
    "new_action_id",
    "read_journal",
    "read_json",
    "rename_class",
    "save_table",
    "server_of",
    "user_data_folder",
    "utc_now",
    "with_classes",
    "write_json",
]
