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
from logicmix_studio.evaluation.cells import CellStore, finished, write_rows
from logicmix_studio.evaluation.simulation import COLUMNS, Headline, SimulationPlan, headlines, simulate, thin_classes
from logicmix_studio.evaluation.statistics import Estimate
from logicmix_studio.importing import ImportOptions
from logicmix_studio.labels import LabelTable
from logicmix_studio.store import locate_workspace
from logicmix_studio.trials import TrialMaker, read_complete
from logicmix_studio.words import counted

RUNS_FILE = "runs.csv"


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
                interval_words(one.seconds, 0),
                interval_words(one.share, 2),
                "–" if math.isnan(one.keys) else f"{one.keys:,.0f}",
                f"{one.right:.1%}",
                f"{one.found:.1%}",
                f"{one.wrong_accepted:,.0f}",
                f"{one.training:,.0f}",
            ]
        )
    goal = f"{plan['goal']['right']:.0%} of the cells right, {plan['goal']['found']:.0%} of the positives found"
    title = f"Seconds of a person's time until {goal}; {plan['known_proportion']:.0%} known at first"
    head = [
        "way",
        "reached",
        "seconds",
        "of best without model",
        "keys",
        "right",
        "found",
        "wrong accepted",
        "training s",
    ]
    show_table(title, head, rows)
    lines = [f"curves: {told['curves']}"]
    if told["thin"]:
        lines.append(f"classes with few positives, of which little can be said: {', '.join(told['thin'])}")
    if not told["is_whole"]:
        lines.append("stopped: the same command goes on where this one ended")
    return "\n".join(lines)


def run_benchmark(
    dataset: Path, workspace: Path | None, options: ImportOptions, plan: benchmarks.BenchmarkPlan, out: Path
) -> dict[str, Any]:
    """Make the runs of a plan that are missing, and write the table; Ctrl-C leaves what is finished."""
    complete, maker = _prepare(dataset, workspace, options, out)
    cells, store = plan.cells(complete, dataset.resolve().name), CellStore(out / "cells")
    with progress_bar() as progress:
        is_whole = store.run(cells, partial(benchmarks.benchmark, open_trial=maker.open), progress)
    done = finished(store, cells)
    write_rows(out / RUNS_FILE, done, benchmarks.COLUMNS)
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


def interval_words(estimate: Estimate, digits: int) -> str:
    """Return a mean with its 95 % interval.

    Example:
        >>> interval_words(Estimate(0.5, 0.25, 0.75, 3), 2), interval_words(Estimate(2.0, math.nan, math.nan, 1), 0)
        ('0.50 (0.25 to 0.75)', '2')
    """
    if math.isnan(estimate.mean):
        return "–"
    mean, low, high = (f"{value:,.{digits}f}" for value in (estimate.mean, estimate.low, estimate.high))
    return mean if math.isnan(estimate.low) else f"{mean} ({low} to {high})"


def _prepare(dataset: Path, workspace: Path | None, options: ImportOptions, out: Path) -> tuple[LabelTable, TrialMaker]:
    prepare_environment()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends trainer and trial as Ctrl-C does
    place = locate_workspace(dataset, workspace)
    with progress_bar() as progress:
        complete = read_complete(place, options, progress)
    if out.resolve().is_relative_to(place.root):
        note(f"{out} lies among the images of {place.root}")
    return complete, TrialMaker(place.root, complete, out)
