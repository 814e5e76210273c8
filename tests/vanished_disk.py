"""Takes a disk away from an open studio, a tmpfs in a mount namespace of its own, and prints as JSON what happens.

unshare -rm python -m tests.vanished_disk FOLDER images|workspace
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from fastapi import FastAPI
from starlette.testclient import TestClient

from logicmix_studio.app.media import media_router, media_url, thumb_url
from logicmix_studio.store import Workspace
from logicmix_studio.studio import Studio
from logicmix_studio.verify import verify
from tests.full_disk import outcome
from tests.workspaces import make_workspace


def mount(*options: str) -> None:
    subprocess.run(["mount", *options], check=True)


def pictures(studio: Studio) -> list[str]:
    """Return the answers to a thumbnail and a large picture: status, and the reason where there is one."""
    app = FastAPI()
    app.include_router(media_router(studio))
    client, image = TestClient(app), studio.image_ids[0]
    answers = [client.get(url(studio, image)) for url in (thumb_url, media_url)]
    return [" ".join([str(one.status_code), one.headers.get("x-logicmix-error", "")]).strip() for one in answers]


def attempts(studio: Studio, state: int) -> dict[str, Any]:
    """Try what people do; return what came of each."""
    row, column = (int(axis[0]) for axis in np.nonzero(studio.states != state))
    image, name = studio.image_ids[row], studio.class_names[column]
    work: dict[str, Callable[[], Any]] = {
        "decide": lambda: studio.decide(image, name, state),
        "settings": lambda: studio.settings.update({"goal": 0.5}),
        "train": lambda: studio.jobs.cancel(studio.runs.start("quick")),
        "add a class": lambda: studio.add_class(f"kite {state}"),
    }
    return {what: outcome(one) for what, one in work.items()} | {"pictures": pictures(studio)}


def main(root: Path, gone: str) -> None:
    """Take the disk away, try everything, bring it back and try everything once more."""
    disk, place = root / "disk", root / "place"
    for folder in (disk, place):
        folder.mkdir()
    mount("-t", "tmpfs", "tmpfs", str(disk))
    own = make_workspace(disk / "photos", num_images=24).folder
    if gone == "images":
        shutil.copytree(own, root / "work")
    workspace = Workspace(place, root / "work" if gone == "images" else place / own.name)
    mount("--bind", str(disk / "photos"), str(place))
    with Studio(workspace, who="ada") as studio:
        subprocess.run(["umount", "-l", str(place)], check=True)
        told: dict[str, Any] = {"gone": attempts(studio, -1)}
        told["gone"] |= {"import again": outcome(studio.import_again), "lines": studio.ledger.seq}
        told["gone"] |= {"left": sorted(path.name for path in place.iterdir()), "runs": runs_of(own, workspace)}
        mount("--bind", str(disk / "photos"), str(place))
        told["back"] = attempts(studio, 1)
        for info in studio.jobs.list():
            studio.jobs.wait(info.run)
        states = studio.states.copy()
    told["verify"] = {check.name: check.verdict for check in verify(workspace)}
    with Studio(workspace, read_only=True) as studio:
        told["kept"] = bool((studio.states == states).all())
    print(json.dumps(told))


def runs_of(own: Path, workspace: Workspace) -> list[str]:
    """Return the names of the folders of runs, also where their disk is not mounted."""
    runs = (workspace.folder if workspace.folder.exists() else own) / "runs"
    return sorted(path.name for path in runs.iterdir() if path.is_dir())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
