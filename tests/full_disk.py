"""Fills the disk of a workspace, a small tmpfs in a mount namespace of its own, and prints as JSON what happens.

unshare -rm python -m tests.full_disk FOLDER
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from logicmix_studio.app.media import media_router, media_url, thumb_url
from logicmix_studio.backup import back_up
from logicmix_studio.errors import StudioError
from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace


def outcome(work: Callable[[], Any]) -> str:
    """Return ``done``, or the message of a mistake that a user can mend; anything else ends the script."""
    try:
        work()
    except StudioError as error:
        return str(error)
    return "done"


def fill(file: Path) -> None:
    """Write until the disk is full."""
    with file.open("wb", buffering=0) as sink:
        try:
            while sink.write(bytes(4096)):
                pass
        except OSError:
            return


def main(root: Path) -> None:
    """Try everything on the full disk, then once more with space on it."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(root)], check=True)
    make_workspace(root / "photos", num_images=24)
    with Studio.open(root / "photos", who="ada") as studio:
        app = FastAPI()
        app.include_router(media_router(studio))
        client, image = TestClient(app), studio.image_ids[0]
        attempts: dict[str, Callable[[], Any]] = {
            "decide": lambda: studio.decide(image, "circle", 1),
            "settings": lambda: studio.settings.update({"goal": 0.5}),
            "train": lambda: studio.runs.start("quick", is_started=False),
            "export": lambda: studio.export(root / "out.csv"),
            "back up": lambda: back_up(studio.workspace, root / "backup.zip"),
            "add a class": lambda: studio.add_class("kite"),
        }
        fill(root / "filler")
        full: dict[str, Any] = {name: outcome(work) for name, work in attempts.items()}
        pictures = [client.get(url(studio, image)) for url in (thumb_url, media_url)]
        full["pictures"] = [picture.status_code for picture in pictures]
        full["journal"], full["classes"] = studio.ledger.seq, len(studio.class_names)
        full["runs"] = sorted(path.name for path in studio.workspace.runs.iterdir() if path.is_dir())
        full["left"] = sorted(path.name for path in root.iterdir())
        (root / "filler").unlink()
        again: dict[str, Any] = {name: outcome(work) for name, work in attempts.items()}
    with Studio.open(root / "photos") as studio:
        again["journal"], again["classes"] = studio.ledger.seq, len(studio.class_names)
        again["runs"] = [info.status for info in studio.jobs.list()]
    print(json.dumps({"full": full, "again": again}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
