"""The commands that open a studio: launch, demo, fiftyone, and rebuild, which needs the database too."""

from __future__ import annotations

import importlib.util
import signal
import sys
import threading
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

from logicmix_studio.adopting import adopt_dataset
from logicmix_studio.app.server import DEFAULT_HOST, DEFAULT_PORT, serve
from logicmix_studio.cli.commands import import_into
from logicmix_studio.cli.terminal import note, progress_bar, say
from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.importing import ImportOptions, store_tables
from logicmix_studio.store import Workspace, WorkspaceLock, locate_workspace, server_of, user_data_folder
from logicmix_studio.store.fiftyone.adopt import Adoption
from logicmix_studio.store.fiftyone.attach import attach
from logicmix_studio.store.fiftyone.dataset_sync import DatasetSync
from logicmix_studio.store.fiftyone.own_service import database_of
from logicmix_studio.studio import Studio
from logicmix_studio.words import counted

FIRST_RECIPE = "quick"
DEMO_NOTE = "The demo drew these scenes itself, so the truth is known: the pages say how right the pseudo-labels are."
AHEAD_SECONDS = 10.0
"""After which torch is imported, so that the first visit to Blend finds it there; the page itself comes first."""
REBUILD_SECONDS = 600.0
"""How long the journal may take to be written into a new data set."""


@dataclass(frozen=True)
class Serving:
    """How a studio is to be served."""

    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    has_login: bool = False
    """Whether people log in on this machine, too; they always do where the host can be reached from elsewhere."""
    open_browser: bool = True
    who: str | None = None
    mcp: bool = False
    """Whether assistants are served, too."""
    app_port: int = 0
    """Where the FiftyOne App listens when it is opened; 0 takes a free port."""

    def __post_init__(self) -> None:
        """Refuse an empty host, which would be every address of this machine, and what is not installed."""
        if not self.host.strip():
            raise StudioError("the host to listen on is empty", f"name an address: --host {DEFAULT_HOST}")
        if self.mcp and importlib.util.find_spec("mcp") is None:
            hint = "install them: pip install 'logicmix-studio[mcp]'"
            raise StudioError("--mcp needs packages that are not installed", hint)


def launch_studio(
    dataset: Path | None,
    workspace: Path | None,
    options: ImportOptions,
    serving: Serving,
    adoption: Adoption | None = None,
) -> None:
    """Import where that has not been done, or read FiftyOne's data set, then serve until somebody ends the process."""
    prepare_environment()
    if adoption is not None:
        report = adopt_dataset(adoption, dataset, workspace)
        place = report.workspace
        for line in (*report.notes, *report.changed):
            note(line)
    elif dataset is None:
        raise StudioError("no folder is named", "logicmix-studio launch DIR, or launch --fiftyone NAME --field FIELD")
    else:
        place = locate_workspace(dataset, workspace)
    _refuse_second_server(place)
    if not place.exists:
        note(f"reading images and labels in {place.root}")
        for line in import_into(place, ImportOptions.choose(place, options)).notes:
            note(line)
    elif adoption is None and options != ImportOptions():
        note("the data set is imported already; to read files and labels anew: logicmix-studio import")
    with _opened(place, serving) as studio:
        _serve(studio, serving)


def launch_demo(folder: Path | None, *, num_images: int, seed: int, train_first: bool, serving: Serving) -> None:
    """Draw the demo where that has not been done, start a first quick round, and serve."""
    from logicmix_studio.images.demo import make_demo

    prepare_environment()
    folder = (folder or user_data_folder() / "demo").expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    place = locate_workspace(folder)
    _refuse_second_server(place)
    if not place.exists:
        with progress_bar() as progress:
            made = make_demo(folder, num_images=num_images, seed=seed, progress=progress)
        store_tables(place, made.known, made.complete, [DEMO_NOTE])
    with _opened(place, serving) as studio:
        if train_first and not studio.jobs.list():
            run = studio.runs.start(FIRST_RECIPE)
            note(f"run {run} has started: pseudo-labels appear in the browser within a minute or two")
        _serve(studio, serving)


def launch_fiftyone(dataset: Path, workspace: Path | None, serving: Serving) -> None:
    """Open the FiftyOne App; a studio is served beside it, for the plugin's decisions go through it."""
    prepare_environment()
    place = locate_workspace(dataset, workspace)
    holder = server_of(place)
    if holder is not None and holder.url:
        told = f"a studio is open on {place.root} at {holder.url} (process {holder.pid})"
        raise StudioError(told, 'press "Open in FiftyOne" there, under Browse')
    place.info()
    with _opened(place, serving) as studio:
        _serve(studio, replace(serving, open_browser=False), app_browser=serving.open_browser)


def rebuild_dataset(dataset: Path, workspace: Path | None) -> dict[str, Any]:
    """Make the FiftyOne data set anew from import and journal and return what stands in it."""
    prepare_environment()
    place = locate_workspace(dataset, workspace)
    with Studio(place) as studio, database_of(place) as mongod:
        with progress_bar() as progress:
            worker = attach(place, studio.ledger, mongod, rebuild=True, progress=progress)
        worker.start()
        lines = worker.replay(studio.ledger.lines)
        if not worker.close(REBUILD_SECONDS):
            hint = "run rebuild again; the journal keeps every decision"
            raise StudioError("the journal was not written completely", hint)
        return {"dataset": worker.dataset_name, "images": studio.table.num_images, "lines": lines}


def describe_rebuild(done: Mapping[str, Any]) -> str:
    """Return a rebuilt data set in words."""
    return f"rebuilt {done['dataset']}: {counted(done['images'], 'image')}, {counted(done['lines'], 'journal line')}"


@contextmanager
def _opened(place: Workspace, serving: Serving) -> Iterator[Studio]:
    note(f"reading labels and journal of {place.root}")
    with Studio(place, who=serving.who) as studio:
        counts = {"image": studio.table.num_images, "class": studio.table.num_classes}
        counts["journal line"] = len(studio.ledger.lines)
        say(f"{studio.name}: {', '.join(counted(number, noun) for noun, number in counts.items())}")
        for warning in studio.warnings:
            say(f"! {warning}")
        yield studio


def _serve(studio: Studio, serving: Serving, *, app_browser: bool | None = None) -> None:
    """Serve a studio; with ``app_browser`` given, open the FiftyOne App as well."""
    ahead = threading.Timer(AHEAD_SECONDS, import_module, ["logicmix_studio.explore.blends"])

    def announce(url: str) -> None:
        ahead.start()
        say(f"LogicMix Studio is open at {url}")
        if serving.mcp:
            say(f"assistants find it at {url}gradio_api/mcp/")
        note("Ctrl-C ends it; a run in progress goes on")
        if serving.open_browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        if app_browser is not None:
            threading.Thread(target=_open_app, args=(sync, app_browser), daemon=True).start()

    with _ending_on_terminate():
        note("starting the database")
        sync = studio.follow(app_port=serving.app_port)
        try:
            note("loading Gradio and building the page")
            serve(
                studio,
                host=serving.host,
                port=serving.port,
                has_login=serving.has_login,
                mcp=serving.mcp,
                on_ready=announce,
            )
        finally:
            ahead.cancel()
            note("closing: writing what is left into the data set")
            studio.sync = None
            sync.close()


def _open_app(sync: DatasetSync, browser: bool) -> None:
    try:
        sync.wait_until_written(REBUILD_SECONDS)
        url = sync.open_app()
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
