"""The commands ``simulate`` and ``benchmark``: forms and forwarding."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from logicmix_studio.cli.options import (
    AsJson,
    Changes,
    Classes,
    Columns,
    Dataset,
    Exhaustive,
    Labels,
    Out,
    Seeds,
    Separator,
    WorkspaceOption,
    assignments,
    numbers,
    optional,
    print_result,
)


def simulate(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    columns: Columns = None,
    separator: Separator = None,
    exhaustive: Exhaustive = None,
    known_proportion: Annotated[
        float, Option(help="Share of the labels that is known at first.", min=0.0, max=1.0)
    ] = 0.1,
    seeds: Seeds = "1,2,3",
    strategies: Annotated[str | None, optional("Ways to label: a,b,c; all unless given.")] = None,
    error_rate: Annotated[float, Option(help="Share of wrong answers.", min=0.0, max=1.0)] = 0.005,
    costs: Annotated[
        list[str] | None,
        Option("--cost", metavar="NAME=SECONDS", help="What an act takes, such as tile=0.5.", show_default=False),
    ] = None,
    own_times: Annotated[
        bool, Option("--own-times", help="Take costs from this data set's journal, where it has enough answers.")
    ] = False,
    goal_right: Annotated[float, Option(help="Share of the cells to be right.", min=0.0, max=1.0)] = 0.99,
    goal_found: Annotated[float, Option(help="Share of the positives to be found.", min=0.0, max=1.0)] = 0.95,
    recipe: Annotated[str, Option(help="What is trained between rounds.")] = "quick",
    changes: Changes = None,
    out: Out = Path("simulation"),
    as_json: AsJson = False,
) -> None:
    """Measure how long labelling takes a simulated person, in several ways.

    All labels must be known: those outside split test are hidden, and the person answers from them. The data set's own
    workspace is left alone. Ctrl-C leaves what is finished.
    """
    from logicmix_studio.cli import evaluating
    from logicmix_studio.evaluation.costs import CostModel
    from logicmix_studio.evaluation.simulation import SimulationPlan
    from logicmix_studio.evaluation.strategies import STRATEGIES
    from logicmix_studio.evaluation.trial import Goal
    from logicmix_studio.importing import ImportOptions

    own = evaluating.costs_of_journal(dataset, workspace) if own_times else {}
    plan = SimulationPlan(
        strategies=tuple(strategies.split(",")) if strategies else tuple(STRATEGIES),
        seeds=numbers(seeds, "--seeds"),
        known_proportion=known_proportion,
        error_rate=error_rate,
        goal=Goal(goal_right, goal_found),
        costs=CostModel.create(own | assignments(costs or [], "--cost")),
        recipe=recipe,
        overrides=assignments(changes or []),
    )
    options = ImportOptions(labels, classes, exhaustive, columns=columns, separator=separator)
    told = evaluating.run_simulation(dataset, workspace, options, plan, out)
    print_result(told, as_json, evaluating.describe_simulation)


benchmark = typer.Typer(no_args_is_help=True, help="Compare training methods on labels that are known but hidden.")


@benchmark.command("run", epilog="Example: logicmix-studio benchmark run ./photos --exhaustive --proportions 0.1,0.5")
def benchmark_run(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    columns: Columns = None,
    separator: Separator = None,
    exhaustive: Exhaustive = None,
    published: Annotated[
        str | None, optional("DIR holds a published data set as its archives unpack: voc2007, coco2014 or vg200.")
    ] = None,
    methods: Annotated[str | None, optional("Methods: a,b+cft,c; a few plain ones and LogicMix unless given.")] = None,
    proportions: Annotated[str, Option(help="Shares of the labels that are known: a,b,c.")] = "0.1",
    seeds: Seeds = "1,2,3",
    changes: Changes = None,
    full: Annotated[
        bool, Option("--full", help="The recipes' own sizes and lengths, not the small ones for a CPU.")
    ] = False,
    devices: Annotated[str | None, optional("Devices to share the runs out to, such as cuda:0,cuda:1.")] = None,
    jobs: Annotated[int, Option(help="Runs at once on each device, where its memory holds them.", min=1)] = 1,
    minutes: Annotated[
        float | None, optional("Begin no run after so many minutes; the same command goes on another time.")
    ] = None,
    parquet: Annotated[bool, Option("--parquet", help="Write the tables as Parquet, too.")] = False,
    out: Out = Path("benchmark"),
    as_json: AsJson = False,
) -> None:
    """Train every method on the same labels and measure it on split test.

    All labels must be known; those outside split test are hidden. Ctrl-C leaves what is finished.
    """
    from logicmix_studio.cli import evaluating
    from logicmix_studio.evaluation.benchmark import SMALL, BenchmarkPlan
    from logicmix_studio.evaluation.cells import Slots
    from logicmix_studio.importing import ImportOptions

    chosen = {} if methods is None else {"methods": tuple(methods.split(","))}
    plan = BenchmarkPlan(
        proportions=numbers(proportions, "--proportions", float),
        seeds=numbers(seeds, "--seeds"),
        overrides={**({} if full else SMALL), **assignments(changes or [])},
        **chosen,
    )
    options = ImportOptions(labels, classes, exhaustive, columns=columns, separator=separator)
    slots = Slots(devices.split(",") if devices else [""], jobs, math.inf if minutes is None else 60.0 * minutes)
    told = evaluating.run_benchmark(dataset, workspace, options, plan, out, published, slots, with_parquet=parquet)
    print_result(told, as_json, evaluating.describe_benchmark)


@benchmark.command("fetch", epilog="Example: logicmix-studio benchmark fetch voc2007 ./voc")
def benchmark_fetch(
    name: Annotated[str, Argument(help="voc2007, coco2014 or vg200.", show_default=False)],
    folder: Annotated[Path, Argument(metavar="DIR", help="Where its files are unpacked.", show_default=False)],
) -> None:
    """Fetch a published data set for benchmark run --published; what was cut off goes on where it stopped."""
    from logicmix_studio.cli import evaluating
    from logicmix_studio.cli.terminal import say

    say(evaluating.run_fetch(name, folder))


@benchmark.command("report", epilog="Example: logicmix-studio benchmark report ./benchmark")
def benchmark_report(
    out: Annotated[Path, Argument(help="The folder of the results.")] = Path("benchmark"), as_json: AsJson = False
) -> None:
    """Write tables and figures of a benchmark."""
    from logicmix_studio.cli import evaluating

    print_result(evaluating.run_report(out), as_json, "\n".join)
