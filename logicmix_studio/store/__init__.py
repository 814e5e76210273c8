"""The store: workspace, journal, ledger, lock and settings. `store.fiftyone` is the FiftyOne data set."""

from logicmix_studio.store.dataset import Dataset
from logicmix_studio.store.journal import (
    CellChange,
    CellValue,
    Journal,
    Line,
    new_action_id,
    read_journal,
    utc_now,
)
from logicmix_studio.store.ledger import NEVER, Decision, Ledger, Receipt, Source
from logicmix_studio.store.lock import ServerInfo, WorkspaceLock, server_of
from logicmix_studio.store.settings import Settings
from logicmix_studio.store.tables import load_table, save_table
from logicmix_studio.store.workspace import (
    Workspace,
    locate_workspace,
    read_json,
    user_data_folder,
    write_json,
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
    "load_table",
    "locate_workspace",
    "new_action_id",
    "read_journal",
    "read_json",
    "save_table",
    "server_of",
    "user_data_folder",
    "utc_now",
    "write_json",
]
