"""From a data set that lives in FiftyOne to a workspace beside its images."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from logicmix_studio.errors import StudioError
from logicmix_studio.files import write_json
from logicmix_studio.importing import ImportReport, store_tables
from logicmix_studio.store import Workspace, WorkspaceLock, locate_workspace
from logicmix_studio.store.fiftyone.adopt import Adopted, Adoption, read_adopted
from logicmix_studio.store.fiftyone.attach import database_name, identity_of
from logicmix_studio.store.fiftyone.documents import META
from logicmix_studio.store.fiftyone.own_service import fiftyone_database
from logicmix_studio.store.fiftyone.sync_worker import connect
from logicmix_studio.words import counted


def adopt_dataset(adoption: Adoption, root: Path | None = None, workspace: Path | None = None) -> ImportReport:
    """Read a data set of FiftyOne's into a workspace that writes its own fields into that very data set.

    Done again it reads the labels anew; what people decided stays in the journal and wins.

    Args:
        adoption: The data set and its fields.
        root: The folder that holds all images; their common folder unless given.
        workspace: Another place for the workspace than ``root/.logicmix``.

    Raises:
        StudioError: If something can't be read, or the data set or the folder belongs to another workspace.
    """
    with connect(fiftyone_database().ensure()) as client:
        database = client[database_name()]
        found = read_adopted(database, adoption, root)
        place = locate_workspace(found.root, workspace)
        about = {**asdict(adoption), "dataset_id": found.dataset_id}
        _check_owner(place, found)
        lock = WorkspaceLock(place)
        try:
            own = str(found.meta.get("_id") or identity_of(place).id)
            write_json(place.identity_file, {"id": own})
            tied = {"dataset_id": found.dataset_id, "workspace": str(place.folder), "root": str(place.root)}
            database[META].update_one({"_id": own}, {"$set": tied}, upsert=True)
            note = f"{counted(found.table.num_images, 'image')} of the data set {adoption.dataset!r} in FiftyOne"
            return store_tables(place, found.table, None, [note], adopted=about)
        finally:
            lock.release()


def _check_owner(place: Workspace, found: Adopted) -> None:
    before = place.info_if_any()
    if before and before.get("adopted", {}).get("dataset_id") != found.dataset_id:
        raise StudioError(f"{place.folder} belongs to other images", "name another folder: --workspace")
    owner = found.meta.get("workspace", str(place.folder))
    if owner != str(place.folder) and Path(owner).is_dir():
        told = f"the data set belongs to the workspace {owner} already"
        raise StudioError(told, f"open that one: {Workspace(Path(found.meta['root']), Path(owner)).command('launch')}")
