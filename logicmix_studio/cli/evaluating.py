"""What ``simulate`` and ``benchmark`` do: trials on data whose complete labels are known, in workspaces that come and go."""

from __future__ import annotations

import math
import shlex
import signal
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from logicmix_studio.cli.terminal import note, progress_bar, show_table
from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.evaluation import benchmark as benchmarks
from logicmix_studio.evaluation.cells import CellStore, Slots, finished, write_rows
from logicmix_studio.evaluation.costs import own_costs
from logicmix_studio.evaluation.published import fetch_published, find_published, read_published
from logicmix_studio.evaluation.simulation import COLUMNS, Headline, SimulationPlan, headlines, simulate, thin_classes
from logicmix_studio.evaluation.statistics import Estimate
from logicmix_studio.files import write_json
from logicmix_studio.importing import ImportOptions
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import locate_workspace, read_journal, utc_now
from logicmix_studio.trials import TrialMaker, read_complete
from logicmix_studio.words import counted

RUNS_FILE, EPOCHS_FILE = "runs.csv", "epochs.csv"


def costs_of_journal(dataset: Path, workspace: Path | None) -> dict[str, float]:
    """Return what acts cost the people who labelled a data set; nothing of those they did too seldom."""
    path = locate_workspace(dataset, workspace).journal_file
    costs = own_costs(read_journal(path)) if path.is_file() else {}
    told = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in costs.items())
    note(f"from {path}: {told or 'nothing, for it has too few answers'}")
    return costs


def run_simulation(
    dataset: Path, workspace: Path | None, options: ImportOptions, plan: SimulationPlan, out: Path
) -> dict[str, Any]:
    """Simulate what is missing of a plan, and write the curves; Ctrl-C leaves what is finished."""
    complete, maker = _prepare(dataset, workspace, options, out)
    cells, store = plan.cells(complete), CellStore(out / "cells")
    with progress_bar() as progress:
        is_whole = store.run(cells, partial(simulate, complete=complete, open_trial=maker.open), progress)
    done = finished(store, cells)
    write_rows(out / "curves.csv", done, COLUMNS)
    return {
        "plan": asdict(plan),
        "is_whole": is_whole,
        "curves": str(out / "curves.csv"),
        "headlines": [asdict(one) for one in headlines(done)],
        "thin": thin_classes(complete),
        "by_class": [{"strategy": cell["strategy"], "seed": cell["seed"], **was["by_class"]} for cell, was in done],
    }


def describe_simulation(told: dict[str, Any]) -> str:
    """Print the table of ways to label and return the rest in words."""
    plan, rows = told["plan"], []
    for each in told["headlines"]:
        one = Headline(**{**each, "seconds": Estimate(**each["seconds"]), "share": Estimate(**each["share"])})
        rows.append(
            [
                one.strategy,
                f"{one.reached} of {one.seeds}",
                one.seconds.words(0),
                one.share.words(2),
                "–" if math.isnan(one.keys) else f"{one.keys:,.0f}",
                f"{one.right:.1%}",
                f"{one.found:.1%}",
                f"{one.wrong_accepted:,.0f}",
                f"{one.training:,.0f}",
            ]
        )
    goal = f"{plan['goal']['right']:.0%} of the cells right, {plan['goal']['found']:.0%} of the positives found"
    title = f"Seconds of a person's time until {goal}; {plan['known_proportion']:.0%} known at first"
    names = ["way", "reached", "seconds", "of best without model", "keys", "right", "found", "wrong accepted"]
    show_table(title, [*names, "training s"], rows)
    lines = [f"curves: {told['curves']}"]
    if told["thin"]:
        lines.append(f"classes with few positives, of which little can be said: {', '.join(told['thin'])}")
    if not told["is_whole"]:
        lines.append("stopped: the same command goes on where this one ended")
    return "\n".join(lines)


def run_benchmark(
    dataset: Path,
    workspace: Path | None,
    options: ImportOptions,
    plan: benchmarks.BenchmarkPlan,
    out: Path,
    published: str | None = None,
    slots: Slots | None = None,
    *,
    with_parquet: bool = False,
) -> dict[str, Any]:
    """Make the runs of a plan that are missing, and write the tables; Ctrl-C leaves what is finished.

    With ``published`` the folder is read as the published data set of that name; ``slots`` are where the runs go.
    """
    slots = slots or Slots([""], 1)
    data_name = find_published(published).title if published else dataset.resolve().name
    complete, maker = _prepare(dataset, workspace, options, out, published)
    cells, store = plan.cells(complete, data_name), CellStore(out / "cells")
    with progress_bar() as progress:
        is_whole = store.run(cells, partial(benchmarks.benchmark, open_trial=maker.open, slots=slots), progress, slots)
    done = finished(store, cells)
    for file, kind in ((RUNS_FILE, "rows"), (EPOCHS_FILE, "epochs")):
        for name in (file, file.replace(".csv", ".parquet"))[: 1 + with_parquet]:
            write_rows(out / name, done, benchmarks.COLUMNS, kind)
    place = locate_workspace(dataset, workspace)
    if is_whole and place.exists and (rows := benchmarks.summarize(pd.read_csv(out / RUNS_FILE))):
        write_json(place.benchmark_file, {"made": utc_now(), "settings": plan.overrides, "rows": rows})
    return {"is_whole": is_whole, "runs": len(done), "table": str(out / RUNS_FILE), "out": str(out)}


def describe_benchmark(told: dict[str, Any]) -> str:
    """Return in words what was run."""
    line = f"{counted(told['runs'], 'run')} in {told['table']}; tables and figures: "
    line += f"logicmix-studio benchmark report {shlex.quote(told['out'])}"
    return line if told["is_whole"] else f"{line}\nstopped: the same command goes on where this one ended"


def run_report(out: Path) -> list[str]:
    """Write a benchmark's report and return its files.

    Raises:
        StudioError: If there is no table.
    """
    from logicmix_studio.evaluation.report import write_report  # matplotlib costs a second

    if not (out / RUNS_FILE).is_file():
        raise StudioError(f"{out / RUNS_FILE} is missing", "run the benchmark first: logicmix-studio benchmark run DIR")
    return [str(file) for file in write_report(pd.read_csv(out / RUNS_FILE), out)]


def run_fetch(name: str, folder: Path) -> str:
    """Fetch a published data set and return what to do next, in words."""
    with progress_bar() as progress:
        by_hand = fetch_published(name, folder, progress)
    line = f"{name} is in {folder}; now: logicmix-studio benchmark run {shlex.quote(str(folder))} --published {name}"
    return f"{line}\nfirst put there by hand: {by_hand}" if by_hand else line


def _prepare(
    dataset: Path, workspace: Path | None, options: ImportOptions, out: Path, published: str | None = None
) -> tuple[LabelTable, TrialMaker]:
    prepare_environment()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends trainer and trial as Ctrl-C does
    place = locate_workspace(dataset, workspace)
    read = partial(read_published, published, place.root) if published else partial(read_complete, place, options)
    with progress_bar() as progress:
        complete = read(progress)
    if out.resolve().is_relative_to(place.root):
        note(f"{out} lies among the images of {place.root}")
    return complete, TrialMaker(place.root, complete, out)
