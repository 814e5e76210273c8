"""What the commands do that need no server: import, train, export, convert, status, stop."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from logicmix_studio.backup import back_up, restore
from logicmix_studio.cli.terminal import err, note, print_json, progress_bar, show_table
from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.files import write_json
from logicmix_studio.formats import Cells, LossReport, read_dataset, write_cells
from logicmix_studio.importing import ImportOptions, ImportReport, import_dataset
from logicmix_studio.labels import NEGATIVE, POSITIVE, STATE_NAMES, UNKNOWN
from logicmix_studio.processes import wait_until_gone
from logicmix_studio.runs.info import IMPORTED, RunInfo
from logicmix_studio.store import Workspace, WorkspaceLock, locate_workspace, server_of
from logicmix_studio.store.users import Users
from logicmix_studio.studio import Studio
from logicmix_studio.training.config import describe
from logicmix_studio.training.fields import Field
from logicmix_studio.words import counted

STOP_SECONDS = 20.0
"""How long a server may take to end before it is said to hang."""


def import_into(place: Workspace, options: ImportOptions) -> ImportReport:
    """Import a folder while holding its workspace, with progress on the terminal."""
    lock = WorkspaceLock(place)
    try:
        with progress_bar() as progress:
            return import_dataset(place, options, progress)
    finally:
        lock.release()


def run_import(dataset: Path, workspace: Path | None, options: ImportOptions) -> dict[str, Any]:
    """Import a folder, as it was the last time unless an option is given, and return what was found."""
    prepare_environment()
    place = locate_workspace(dataset, workspace)
    report = import_into(place, ImportOptions.choose(place, options))
    return {
        "workspace": str(place.folder),
        "images": report.table.num_images,
        "classes": report.table.num_classes,
        **_counts(report.table.states),
        "notes": list(report.notes),
        "changed": list(report.changed),
        "bad_images": list(report.bad_images),
    }


def describe_import(found: Mapping[str, Any]) -> str:
    """Return an import's result in words."""
    cells = f"{found['positive']:,} positive, {found['negative']:,} negative, {found['unknown']:,} unknown"
    head = f"{counted(found['images'], 'image')}, {counted(found['classes'], 'class')}; cells: {cells}"
    return "\n".join([head, *found["notes"], *found["changed"], f"workspace: {found['workspace']}"])


@dataclass(frozen=True)
class TrainingPlan:
    """What ``train`` was asked for: to start a run or to resume one, and to wait for its end or not."""

    recipe: str
    overrides: Mapping[str, Any]
    init_from: int | None
    seed: int
    resume: int | None
    is_detached: bool
    is_started: bool = True


def run_training(dataset: Path, workspace: Path | None, plan: TrainingPlan) -> dict[str, Any]:
    """Start or resume a run and, unless detached, wait for its end; Ctrl-C cancels it."""
    studio = Studio.open(dataset, workspace=workspace, read_only=True)
    if plan.resume is None:
        run = studio.runs.start(plan.recipe, plan.overrides, plan.init_from, seed=plan.seed, is_started=plan.is_started)
    else:
        run = plan.resume
        studio.jobs.resume(run)
    if plan.is_detached or not plan.is_started:
        return _run_json(studio.jobs.info(run))
    try:
        with progress_bar() as progress:
            info = studio.runs.wait(run, lambda seen: progress(round(100 * seen.fraction), 100, f"run {run}"))
    except KeyboardInterrupt:
        err.print(f"run {run} was cancelled; go on with: --resume {run}")
        info = studio.jobs.info(run)
    current, why = studio.proposed.choice()
    return {**_run_json(info), "current_run": current, "current_run_reason": why}


def describe_run(run: Mapping[str, Any]) -> str:
    """Return a run's state in words, with what a person should know of it."""
    message = ". ".join(line.rstrip(".") for line in str(run["message"]).splitlines())
    is_said = message.startswith(run["status"]) or run["recipe"] == IMPORTED
    said = message if is_said else ": ".join(filter(None, (run["status"], message)))
    head = f"run {run['run']} ({run['recipe']}): {said}"
    lines = [head, *(f"  ! {warning}" for warning in run["warnings"])]
    return "\n".join([*lines, *_chosen(run)])


def print_recipe(recipe: str, as_json: bool) -> None:
    """Print every hyper-parameter of a recipe with its default, range and source."""
    fields = describe(recipe)
    if as_json:
        names = ("name", "default", "low", "high", "choices", "help", "source")
        print_json([{name: getattr(field, name) for name in names} for field in fields])
        return
    rows = [[field.name, str(field.default), _range(field), field.source] for field in fields]
    show_table(f"Recipe {recipe}: --set NAME=VALUE", ["name", "default", "range", "source"], rows)


@dataclass(frozen=True)
class Writing:
    """How ``export`` and ``convert`` write."""

    file: Path
    format: str
    is_strict: bool
    report: Path | None
    """Where to write the losses as JSON, too."""
    is_harmless: bool = False
    """Whether names that a spreadsheet would run get an apostrophe."""

    def told(self, losses: LossReport) -> dict[str, Any]:
        """Return what was written and lost, after writing the report."""
        done = {"file": str(self.file), "format": self.format, "losses": losses.to_json()}
        if self.report is not None:
            write_json(self.report, done, new_folders=1)
        return done


def run_export(dataset: Path, workspace: Path | None, how: Writing, proposals: bool) -> dict[str, Any]:
    """Write the labels to a file."""
    studio = Studio.open(dataset, workspace=workspace, read_only=True)
    ways: dict[str, Any] = {"proposals": proposals, "strict": how.is_strict, "harmless": how.is_harmless}
    with progress_bar() as progress:
        return how.told(studio.export(how.file, how.format, progress=progress, **ways))


def run_convert(dataset: Path, options: ImportOptions, how: Writing, proposals: bool) -> dict[str, Any]:
    """Read a folder and write its labels in another format, without a workspace; notes go to the terminal."""
    dataset = dataset.resolve()
    with progress_bar() as progress:
        read = read_dataset(dataset, **options.reading, check=False, ignored=[how.file.resolve()], progress=progress)
    for line in read.notes:
        note(line)
    scores = read.scores if proposals else None
    claims = None if scores is None else np.nan_to_num(np.sign(scores - 0.5)).astype(np.int8)
    ways = {"is_strict": how.is_strict, "is_harmless": how.is_harmless}
    with progress_bar() as progress:
        cells = Cells.of(read.table, proposals=claims, scores=scores, root=dataset, progress=progress)
        return how.told(write_cells(how.file, how.format, cells, **ways))


def describe_export(done: Mapping[str, Any]) -> str:
    """Return an export's result in words."""
    return "\n".join(
        [f"wrote {done['file']} ({done['format']})", *(f"not in the file: {loss['text']}" for loss in done["losses"])]
    )


def collect_status(dataset: Path, workspace: Path | None) -> dict[str, Any]:
    """Return what is known, proposed and running."""
    from logicmix_studio.store.fiftyone.mongod import running_address  # the database's client costs half a second

    studio = Studio.open(dataset, workspace=workspace, read_only=True)
    states, proposals = studio.states, studio.proposed.array()
    current, why = studio.proposed.choice()
    server = server_of(studio.workspace)
    return {
        "name": studio.name,
        "workspace": str(studio.workspace.folder),
        "warnings": studio.warnings,
        "images": studio.table.num_images,
        "classes": {
            name: {
                **_counts(states[:, column]),
                "proposed_positive": int((proposals[:, column] == POSITIVE).sum()),
                "proposed_negative": int((proposals[:, column] == NEGATIVE).sum()),
            }
            for column, name in enumerate(studio.class_names)
        },
        "known_proportion": round(float(np.count_nonzero(states)) / max(1, states.size), 6),
        "decisions": sum(len(line.cells) for line in studio.ledger.lines if line.kind == "decide"),
        "runs": [_run_json(info) for info in studio.jobs.list()],
        "current_run": current,
        "current_run_reason": why,
        "server": None if server is None else {"pid": server.pid, "url": server.url},
        "database": running_address(studio.workspace.database),
    }


def describe_status(status: Mapping[str, Any]) -> str:
    """Print the table of classes and return the rest in words."""
    rows = [[name, *(f"{count:,}" for count in counts.values())] for name, counts in status["classes"].items()]
    head = ["class", "● positive", "○ negative", "· unknown", "◐ pseudo +", "◐ pseudo −"]
    show_table(f"{status['name']}: {counted(status['images'], 'image')}", head, rows)
    decisions, server, where = counted(status["decisions"], "decision"), status["server"], "no studio is open"
    if server is not None:
        where = f"open at {server['url'] or 'no address yet'} (process {server['pid']})"
    known = f"known: {status['known_proportion']:.2%} of the cells; {decisions} in the journal"
    where += f"; its FiftyOne database: {status['database']}" if status["database"] else ""
    runs = map(describe_run, status["runs"])
    warnings = (f"! {warning}" for warning in status["warnings"])
    return "\n".join([*warnings, known, *runs, *_chosen(status), where])


def run_backup(dataset: Path, workspace: Path | None, file: Path, *, with_runs: bool) -> dict[str, Any]:
    """Write a workspace to one file."""
    with progress_bar() as progress:
        done = back_up(locate_workspace(dataset, workspace), file, with_runs=with_runs, progress=progress)
    return {**asdict(done), "file": str(done.file)}


def run_restore(dataset: Path, workspace: Path | None, file: Path) -> int:
    """Bring a workspace back from a file; return how many files it had."""
    with progress_bar() as progress:
        return restore(file, locate_workspace(dataset, workspace), progress=progress)


def export_run(dataset: Path, workspace: Path | None, run: int, file: Path) -> int:
    """Write a run to one file; return how many files it has."""
    studio = Studio.open(dataset, workspace=workspace, read_only=True)
    with progress_bar() as progress:
        return studio.jobs.pack(run, file, progress)


def import_run(dataset: Path, workspace: Path | None, file: Path) -> dict[str, Any]:
    """Take a packed run in; say how it stands and which run the pseudo-labels come from now."""
    studio = Studio.open(dataset, workspace=workspace, read_only=True)
    with progress_bar() as progress:
        run = studio.jobs.unpack(file, root=studio.workspace.root, table=studio.table, progress=progress)
    studio.registry.refresh()
    current, why = studio.proposed.choice()
    return {**_run_json(studio.jobs.info(run)), "current_run": current, "current_run_reason": why}


def users_of(dataset: Path, workspace: Path | None) -> Users:
    """Return the people who may come in to a data set that has been imported."""
    place = locate_workspace(dataset, workspace)
    place.info()
    return Users(place.users_file)


def stop_server(dataset: Path, workspace: Path | None) -> str:
    """End the process that holds a workspace and say so.

    Raises:
        StudioError: If it does not end.
    """
    place = locate_workspace(dataset, workspace)
    server = server_of(place)
    if server is None:
        return f"no studio is open on {place.root}"
    os.kill(server.pid, signal.SIGTERM)
    if not wait_until_gone(server.pid, server.process_started, STOP_SECONDS):
        told = f"process {server.pid} did not end within {STOP_SECONDS:.0f} s"
        raise StudioError(told, f"end it with: kill -9 {server.pid} (nothing is lost)")
    note(f"process {server.pid} has ended")
    return f"the studio on {place.root} is closed"


def _counts(states: npt.NDArray[np.int8]) -> dict[str, int]:
    return {STATE_NAMES[state]: int((states == state).sum()) for state in (POSITIVE, NEGATIVE, UNKNOWN)}


def _chosen(told: Mapping[str, Any]) -> list[str]:
    return [f"pseudo-labels: {told['current_run_reason']}"] if "current_run_reason" in told else []


def _run_json(info: RunInfo) -> dict[str, Any]:
    names = ("run", "recipe", "status", "message", "map", "measured", "fraction", "warnings")
    return {name: getattr(info, name) for name in names}


def _range(field: Field) -> str:
    if field.choices:
        return " | ".join(map(str, field.choices))
    low, high = ("" if end is None else str(end) for end in (field.low, field.high))
    return f"{low} … {high}" if low or high else ""
