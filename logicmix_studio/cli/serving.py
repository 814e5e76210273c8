"""The commands that open a studio: launch, demo, fiftyone, and rebuild, which needs the database too."""

from __future__ import annotations

import signal
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from logicmix_studio.app.access import is_loopback, new_token
from logicmix_studio.app.server import DEFAULT_HOST, DEFAULT_PORT, serve
from logicmix_studio.cli.commands import import_into
from logicmix_studio.cli.terminal import note, progress_bar, say
from logicmix_studio.cli.words import counted
from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.images.demo import make_demo
from logicmix_studio.importing import ImportOptions, store_tables
from logicmix_studio.store import Workspace, WorkspaceLock, locate_workspace, server_of, user_data_folder
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.dataset_sync import DatasetSync
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.studio import Studio

FIRST_RECIPE = "quick"
DEMO_NOTE = (
    "The demo drew these scenes itself, so the truth is known: the pages say how right the pseudo-labels are."
)
REBUILD_SECONDS = 600.0
"""How long the journal may take to be written into a new data set."""


@dataclass(frozen=True)
class Serving:
    """How a studio is to be served."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    password: str | None = None
    """Asked for when somebody named one, and always where the host can be reached from elsewhere."""
    open_browser: bool = True
    who: str | None = None

    def __post_init__(self) -> None:
        """Refuse an empty host, which would be every address of this machine."""
        if not self.host.strip():
            raise StudioError("the host to listen on is empty", f"name an address: --host {DEFAULT_HOST}")


def launch_studio(dataset: Path, workspace: Path | None, options: ImportOptions, serving: Serving) -> None:
    """Import where that has not been done, then serve until somebody ends the process."""
    prepare_environment()
    place = locate_workspace(dataset, workspace)
    _refuse_second_server(place)
    if place.exists:
        if options != ImportOptions():
            note("the data set is imported already; to read files and labels anew: logicmix-studio import")
    else:
        _import(place, options)
    with Studio(place, who=serving.who) as studio:
        _serve(studio, serving)


def launch_demo(
    folder: Path | None, *, num_images: int, seed: int, train_first: bool, serving: Serving
) -> None:
    """Draw the demo where that has not been done, start a first quick round, and serve."""
    prepare_environment()
    folder = (folder or user_data_folder() / "demo").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    place = locate_workspace(folder)
    _refuse_second_server(place)
    if not place.exists:
        with progress_bar() as progress:
            made = make_demo(folder, num_images=num_images, seed=seed, progress=progress)
        store_tables(place, made.known, made.complete, [DEMO_NOTE])
    with Studio(place, who=serving.who) as studio:
        if train_first and not studio.jobs.list():
            run = studio.start_run(FIRST_RECIPE)
            note(f"run {run} has started: pseudo-labels appear in the browser within a minute or two")
        _serve(studio, serving)


def launch_fiftyone(dataset: Path, workspace: Path | None, serving: Serving) -> None:
    """Open the FiftyOne App; a studio is served beside it, for the plugin's decisions go through it."""
    prepare_environment()
    place = locate_workspace(dataset, workspace)
    holder = server_of(place)
    if holder is not None and holder.url:
        raise StudioError(
            f"a studio is open on {place.root} at {holder.url} (process {holder.pid})",
            'press "Open in FiftyOne" there, under Browse',
        )
    if not place.exists:
        place.info()
    with Studio(place, who=serving.who) as studio:
        _serve(studio, replace(serving, open_browser=False), app_browser=serving.open_browser)


def rebuild_dataset(dataset: Path, workspace: Path | None) -> dict[str, Any]:
    """Make the FiftyOne data set anew from import and journal and return what stands in it.

    Raises:
        StudioError: If a studio is open on it, or the database can't be had.
    """
    prepare_environment()
    place = locate_workspace(dataset, workspace)
    with Studio(place) as studio:
        mongod = Mongod(place.database)
        try:
            with progress_bar() as progress:
                mirror = attach(place, studio.table, mongod, rebuild=True, progress=progress)
            mirror.start()
            lines = mirror.replay(studio.ledger.lines)
            if not mirror.close(REBUILD_SECONDS):
                raise StudioError(
                    "the journal was not written completely",
                    "run rebuild again; the journal keeps every decision",
                )
        finally:
            mongod.stop()
        return {"dataset": mirror.dataset_name, "images": studio.table.num_images, "lines": lines}


def _serve(studio: Studio, serving: Serving, *, app_browser: bool | None = None) -> None:
    """Serve a studio; with ``app_browser`` given, open the FiftyOne App as well."""
    password, generated = serving.password, False
    if password is None and not is_loopback(serving.host):
        password, generated = new_token()[:16], True
    link = DatasetSync(studio)
    studio.link = link
    with _ending_on_terminate():
        link.start()
        try:
            serve(
                studio,
                host=serving.host,
                port=serving.port,
                password=password,
                on_ready=_announcer(studio, link, serving, password if generated else None, app_browser),
            )
        finally:
            note("closing: writing what is left into the data set")
            link.close()
            studio.link = None


def _announcer(
    studio: Studio, link: DatasetSync, serving: Serving, password: str | None, app_browser: bool | None
) -> Callable[[str], None]:
    def announce(url: str) -> None:
        say(
            f"{studio.name}: {counted(studio.table.num_images, 'image')}, {counted(studio.table.num_classes, 'class')}"
        )
        say(f"LogicMix Studio is open at {url}")
        if password is not None:
            say(f"password: {password}")
        note("Ctrl-C ends it; a run in progress goes on")
        if serving.open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        if app_browser is not None:
            threading.Thread(target=_open_app, args=(link, app_browser), daemon=True).start()

    return announce


def _open_app(link: DatasetSync, browser: bool) -> None:
    try:
        link.wait_until_written(REBUILD_SECONDS)
        url = link.open_app()
    except StudioError as error:
        note(str(error))
        return
    say(f"the FiftyOne App is open at {url}")
    if browser:
        webbrowser.open(url)


@contextmanager
def _ending_on_terminate() -> Iterator[None]:
    """Let a SIGTERM before or after the server's own handling end the process in order."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse_second_server(place: Workspace) -> None:
    if place.lock_file.exists():
        WorkspaceLock(place).release()


def _import(place: Workspace, options: ImportOptions) -> None:
    report = import_into(place, options)
    for line in report.notes:
        note(line)
