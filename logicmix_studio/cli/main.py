"""The command line: forms and forwarding; heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option

from logicmix_studio import __version__
from logicmix_studio.errors import StudioError

USER_ERROR = 1

app = typer.Typer(
    name="logicmix-studio",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help answers three times as fast
    pretty_exceptions_enable=False,
    epilog="Try it: logicmix-studio demo",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"logicmix-studio {__version__}\n")
        raise typer.Exit


@app.callback()
def start(
    version: Annotated[
        bool, Option("--version", help="Print the version and leave.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Label multi-label images whose labels are incomplete: a model proposes, a person settles."""


def _optional(help: str, **more: Any) -> Any:  # noqa: A002  # as typer calls it
    return Option(help=help, show_default=False, **more)


Dataset = Annotated[
    Path, Argument(metavar="DIR", help="The folder that holds the images.", show_default=False, readable=False)
]
WorkspaceOption = Annotated[
    Path | None,
    Option("--workspace", help="Keep journal, runs and database here instead of DIR/.logicmix.", show_default=False),
]
Labels = Annotated[
    Path | None,
    _optional("The label file or folder; found by itself when it is the only one; none for no labels.", readable=False),
]
Classes = Annotated[str | None, _optional("Class names: a,b,c or a file with one a line.")]
Columns = Annotated[str | None, _optional("In tables: read only these columns as labels: a,b,c.")]
Separator = Annotated[str | None, _optional("In lists of class names: what stands between two.")]
Exhaustive = Annotated[
    bool | None,
    Option(
        "--exhaustive/--not-exhaustive",
        help="In files that only name present classes: the others are negative, or unknown (the default).",
        show_default=False,
    ),
]
SkipBad = Annotated[bool, Option("--skip-bad", help="Leave out what is wrong, images or labels, and import the rest.")]
Target = Annotated[Path, Argument(metavar="FILE", help="The file or folder to write.", show_default=False)]
Format = Annotated[str, Option(help="csv-long, csv-wide, ...: docs/formats.md lists them; an unknown one tells, too.")]
WithPseudo = Annotated[bool, Option("--with-pseudo", help="Add pseudo-labels, marked as such where the format can.")]
Strict = Annotated[bool, Option("--strict", help="Refuse a format that would lose something.")]
Harmless = Annotated[
    bool, Option("--harmless", help="In CSV, put an apostrophe before names that a spreadsheet would run as formulas.")
]
Report = Annotated[Path | None, _optional("Write what the format could not hold to this file, as JSON.")]
KnownProportion = Annotated[
    float | None, _optional("Trial: hide labels of a completely labelled set and keep this share.", min=0.0, max=1.0)
]
Seed = Annotated[int, Option(help="Which labels a trial hides.", min=0)]
AsJson = Annotated[bool, Option("--json", help="Print JSON for a script.")]
Host = Annotated[str, Option(help="Where to listen; anything but 127.0.0.1 needs users: see user add.")]
Port = Annotated[int, Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
AppPort = Annotated[int, Option(help="Port of the FiftyOne App; 0 takes a free one.", min=0, max=65535)]
Login = Annotated[bool, Option("--login", help="Ask who is there on this machine, too: see user add.")]
Browser = Annotated[bool, Option("--browser/--no-browser", help="Open the page in a browser.")]
Who = Annotated[str | None, _optional("The person's name; the system's user unless given.")]
Mcp = Annotated[
    bool, Option("--mcp", help="Serve the page's functions to assistants, too; needs logicmix-studio[mcp].")
]


@app.command(epilog="Example: logicmix-studio launch ./photos --labels photos/labels.csv")
def launch(
    dataset: Annotated[
        Path | None,
        Argument(metavar="[DIR]", help="The folder that holds the images.", show_default=False, readable=False),
    ] = None,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    columns: Columns = None,
    separator: Separator = None,
    exhaustive: Exhaustive = None,
    skip_bad: SkipBad = False,
    known_proportion: KnownProportion = None,
    seed: Seed = 526,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    login: Login = False,
    browser: Browser = True,
    who: Who = None,
    mcp: Mcp = False,
    app_port: AppPort = 0,
    fiftyone: Annotated[str | None, _optional("Adopt this data set of FiftyOne's, with --field.")] = None,
    field: Annotated[str | None, _optional("Its field of labels that are present.")] = None,
    negative_field: Annotated[str | None, _optional("Its field of labels that are absent.")] = None,
) -> None:
    """Open the studio in the browser.

    The first time, images and labels are imported; the options from --labels to --seed are for that.
    With --fiftyone the images stay where they are, and FIFTYONE_DATABASE_URI names the database.
    """
    _starting()
    from logicmix_studio.cli.serving import Serving, launch_studio
    from logicmix_studio.importing import ImportOptions

    options = ImportOptions(labels, classes, exhaustive, skip_bad, known_proportion, seed, columns, separator)
    serving = Serving(host, port, login, browser, who, mcp, app_port)
    adoption = None
    if fiftyone is not None:
        from logicmix_studio.store.fiftyone.adopt import Adoption

        if field is None:
            raise StudioError("--fiftyone needs --field", "name the field that holds the labels: --field ground_truth")
        adoption = Adoption(fiftyone, field, negative_field, bool(exhaustive))
    launch_studio(dataset, workspace, options, serving, adoption)


@app.command(epilog="Example: logicmix-studio demo --folder /tmp/demo")
def demo(
    folder: Annotated[Path | None, _optional("Where to draw the demo; the user's data folder unless given.")] = None,
    images: Annotated[int, Option(help="How many scenes to draw.", min=40)] = 1200,
    seed: Annotated[int, Option(help="Which scenes.", min=0)] = 526,
    train_first: Annotated[
        bool, Option("--train/--no-train", help="Start a first quick round when there has been none.")
    ] = True,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    login: Login = False,
    browser: Browser = True,
    who: Who = None,
    mcp: Mcp = False,
) -> None:
    """Draw a small data set and open the studio on it.

    Scenes with handwritten digits, of which some cells are known, and a first quick round.
    """
    _starting()
    from logicmix_studio.cli.serving import Serving, launch_demo

    serving = Serving(host, port, login, browser, who, mcp)
    launch_demo(folder, num_images=images, seed=seed, train_first=train_first, serving=serving)


@app.command("import", epilog="Example: logicmix-studio import ./photos --classes dog,cat,leash")
def import_(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    columns: Columns = None,
    separator: Separator = None,
    exhaustive: Exhaustive = None,
    skip_bad: SkipBad = False,
    known_proportion: KnownProportion = None,
    seed: Seed = 526,
    as_json: AsJson = False,
) -> None:
    """Read images and labels into a workspace.

    Run it again after images or labels were added: decisions stay, and win over the import. Without options the files are
    read as they were the last time.
    """
    from logicmix_studio.cli import commands
    from logicmix_studio.importing import ImportOptions

    options = ImportOptions(labels, classes, exhaustive, skip_bad, known_proportion, seed, columns, separator)
    _print(commands.run_import(dataset, workspace, options), as_json, commands.describe_import)


@app.command(epilog="Example: logicmix-studio train ./photos --recipe fast")
def train(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    recipe: Annotated[
        str, Option(help='fast (quick), thorough (2wayaug-pl) or "as published" (2wayaug-pl-released).')
    ] = "quick",
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="NAME=VALUE", help="A hyper-parameter; --recipe-help lists them.", show_default=False),
    ] = None,
    init_from: Annotated[int | None, _optional("A run to start warm from.")] = None,
    resume: Annotated[int | None, _optional("Go on with a run that was stopped.")] = None,
    seed: Annotated[int, Option(help="Everything random follows from it.", min=0)] = 526,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    devices: Annotated[int, Option(help="How many processes, one a GPU.", min=1)] = 1,
    detach: Annotated[bool, Option("--detach", help="Return at once; watch it in the browser or with status.")] = False,
    recipe_help: Annotated[bool, Option("--recipe-help", help="List the recipe's hyper-parameters and leave.")] = False,
    as_json: AsJson = False,
) -> None:
    """Train on what is known, and propose the rest.

    Ctrl-C cancels and keeps a checkpoint; the run goes on with --resume.
    """
    from logicmix_studio.cli import commands

    if recipe_help:
        commands.print_recipe(recipe, as_json)
        return
    overrides = {**_assignments(changes or []), "compute.device": device, "compute.devices": devices}
    plan = commands.TrainingPlan(recipe, overrides, init_from, seed, resume, detach)
    _print(commands.run_training(dataset, workspace, plan), as_json, commands.describe_run)


@app.command(epilog="Example: logicmix-studio export ./photos labels.csv --format csv-long")
def export(
    dataset: Dataset,
    file: Target,
    format: Format = "csv-long",  # noqa: A002
    with_pseudo: WithPseudo = False,
    strict: Strict = False,
    harmless: Harmless = False,
    report: Report = None,
    workspace: WorkspaceOption = None,
    as_json: AsJson = False,
) -> None:
    """Write the labels to a file.

    What the format could not hold is said.
    """
    from logicmix_studio.cli import commands

    how = commands.Writing(file, format, strict, report, harmless)
    _print(commands.run_export(dataset, workspace, how, with_pseudo), as_json, commands.describe_export)


@app.command(epilog="Example: logicmix-studio convert ./photos labels.json --format coco-json")
def convert(
    dataset: Dataset,
    file: Target,
    format: Format = "csv-long",  # noqa: A002
    labels: Labels = None,
    classes: Classes = None,
    columns: Columns = None,
    separator: Separator = None,
    exhaustive: Exhaustive = None,
    skip_bad: SkipBad = False,
    with_pseudo: WithPseudo = False,
    strict: Strict = False,
    harmless: Harmless = False,
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Read a folder's labels and write them in another format.

    Neither a workspace nor a database is needed. What the format could not hold is said.
    """
    from logicmix_studio.cli import commands
    from logicmix_studio.importing import ImportOptions

    options = ImportOptions(labels, classes, exhaustive, skip_bad, columns=columns, separator=separator)
    done = commands.run_convert(dataset, options, commands.Writing(file, format, strict, report, harmless), with_pseudo)
    _print(done, as_json, commands.describe_export)


@app.command(epilog="Example: logicmix-studio backup ./photos photos-monday.zip")
def backup(
    dataset: Dataset,
    file: Target,
    without_runs: Annotated[
        bool, Option("--without-runs", help="Leave the runs out: every answer is kept, scores and models are not.")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: AsJson = False,
) -> None:
    """Write all that people and runs made to one file.

    A studio may be open meanwhile. The images are not in it.
    """
    from logicmix_studio.cli import commands

    done = commands.run_backup(dataset, workspace, file, with_runs=not without_runs)
    _print(
        done, as_json, lambda one: f"wrote {one['file']}: {one['num_files']:,} files, {one['num_bytes'] / 1e6:,.1f} MB"
    )


@app.command(epilog="Example: logicmix-studio restore ./photos photos-monday.zip")
def restore(
    dataset: Dataset,
    file: Annotated[Path, Argument(metavar="FILE", help="What backup wrote.", show_default=False)],
    workspace: WorkspaceOption = None,
) -> None:
    """Bring a workspace back from a backup, where there is none."""
    from logicmix_studio.cli import commands
    from logicmix_studio.cli.terminal import say

    say(f"brought back {commands.run_restore(dataset, workspace, file):,} files; now: logicmix-studio launch")


@app.command(epilog="Example: logicmix-studio verify ./photos")
def verify(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Check that journal, arrays, runs, images and data set say the same.

    Nothing is changed; exit code 1 when something is wrong.
    """
    from logicmix_studio.doctor import describe_checks
    from logicmix_studio.store import locate_workspace
    from logicmix_studio.verify import verify as compare

    checks = compare(locate_workspace(dataset, workspace))
    _print([asdict(check) for check in checks], as_json, lambda _: describe_checks(checks))
    if any(check.verdict == "bad" for check in checks):
        raise typer.Exit(USER_ERROR)


@app.command(epilog="Example: logicmix-studio status ./photos --json")
def status(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Say what is known, proposed and running."""
    from logicmix_studio.cli import commands

    _print(commands.collect_status(dataset, workspace), as_json, commands.describe_status)


@app.command(epilog="Example: logicmix-studio rebuild ./photos")
def rebuild(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Make the FiftyOne data set anew from the import and the journal."""
    from logicmix_studio.cli.serving import describe_rebuild, rebuild_dataset

    _print(rebuild_dataset(dataset, workspace), as_json, describe_rebuild)


@app.command(epilog="Example: logicmix-studio fiftyone ./photos")
def fiftyone(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    port: Port = 7860,
    browser: Browser = True,
    app_port: AppPort = 0,
) -> None:
    """Open the FiftyOne App on the data set, with the plugin loaded."""
    _starting()
    from logicmix_studio.cli.serving import Serving, launch_fiftyone

    launch_fiftyone(dataset, workspace, Serving(port=port, open_browser=browser, app_port=app_port))


@app.command(epilog="Example: logicmix-studio simulate ./photos --exhaustive --known-proportion 0.1 --seeds 1,2,3")
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
    seeds: Annotated[str, Option(help="Which labels are known, who answers and how training goes: a,b,c.")] = "1,2,3",
    strategies: Annotated[str | None, _optional("Ways to label: a,b,c; all unless given.")] = None,
    error_rate: Annotated[float, Option(help="Share of wrong answers.", min=0.0, max=1.0)] = 0.005,
    costs: Annotated[
        list[str] | None,
        Option("--cost", metavar="NAME=SECONDS", help="What an act takes, such as tile=0.5.", show_default=False),
    ] = None,
    goal_right: Annotated[float, Option(help="Share of the cells to be right.", min=0.0, max=1.0)] = 0.99,
    goal_found: Annotated[float, Option(help="Share of the positives to be found.", min=0.0, max=1.0)] = 0.95,
    recipe: Annotated[str, Option(help="What is trained between rounds.")] = "quick",
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="NAME=VALUE", help="A hyper-parameter of the recipe.", show_default=False),
    ] = None,
    out: Annotated[Path, Option(help="Folder of the results; finished trials in it are not made again.")] = Path(
        "simulation"
    ),
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

    plan = SimulationPlan(
        strategies=tuple(strategies.split(",")) if strategies else tuple(STRATEGIES),
        seeds=_numbers(seeds, "--seeds"),
        known_proportion=known_proportion,
        error_rate=error_rate,
        goal=Goal(goal_right, goal_found),
        costs=CostModel.create(_assignments(costs or [], "--cost")),
        recipe=recipe,
        overrides=_assignments(changes or []),
    )
    options = ImportOptions(labels, classes, exhaustive, columns=columns, separator=separator)
    told = evaluating.run_simulation(dataset, workspace, options, plan, out)
    _print(told, as_json, evaluating.describe_simulation)


benchmark = typer.Typer(no_args_is_help=True, help="Compare training methods on labels that are known but hidden.")
app.add_typer(benchmark, name="benchmark")


@benchmark.command("run", epilog="Example: logicmix-studio benchmark run ./photos --exhaustive --proportions 0.1,0.5")
def benchmark_run(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    columns: Columns = None,
    separator: Separator = None,
    exhaustive: Exhaustive = None,
    methods: Annotated[str | None, _optional("Methods: a,b,c; a few plain ones and LogicMix unless given.")] = None,
    proportions: Annotated[str, Option(help="Shares of the labels that are known: a,b,c.")] = "0.1",
    seeds: Annotated[str, Option(help="Which labels are known and how training goes: a,b,c.")] = "1,2,3",
    changes: Annotated[
        list[str] | None,
        Option("--set", metavar="NAME=VALUE", help="A hyper-parameter of every method.", show_default=False),
    ] = None,
    full: Annotated[
        bool, Option("--full", help="The recipes' own sizes and lengths, not the small ones for a CPU.")
    ] = False,
    out: Annotated[Path, Option(help="Folder of the results; finished runs in it are not made again.")] = Path(
        "benchmark"
    ),
    as_json: AsJson = False,
) -> None:
    """Train every method on the same labels and measure it on split test.

    All labels must be known; those outside split test are hidden. Ctrl-C leaves what is finished.
    """
    from logicmix_studio.cli import evaluating
    from logicmix_studio.evaluation.benchmark import SMALL, BenchmarkPlan
    from logicmix_studio.importing import ImportOptions

    chosen = {} if methods is None else {"methods": tuple(methods.split(","))}
    plan = BenchmarkPlan(
        proportions=_numbers(proportions, "--proportions", float),
        seeds=_numbers(seeds, "--seeds"),
        overrides={**({} if full else SMALL), **_assignments(changes or [])},
        **chosen,
    )
    options = ImportOptions(labels, classes, exhaustive, columns=columns, separator=separator)
    _print(evaluating.run_benchmark(dataset, workspace, options, plan, out), as_json, evaluating.describe_benchmark)


@benchmark.command("report", epilog="Example: logicmix-studio benchmark report ./benchmark")
def benchmark_report(
    out: Annotated[Path, Argument(help="The folder of the results.")] = Path("benchmark"), as_json: AsJson = False
) -> None:
    """Write tables and figures of a benchmark."""
    from logicmix_studio.cli import evaluating

    _print(evaluating.run_report(out), as_json, "\n".join)


@app.command(epilog="Example: logicmix-studio stop ./photos")
def stop(dataset: Dataset, workspace: WorkspaceOption = None) -> None:
    """End the studio that is open on this data set.

    A run in progress goes on.
    """
    from logicmix_studio.cli import commands
    from logicmix_studio.cli.terminal import say

    say(commands.stop_server(dataset, workspace))


user = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Say who may come in from other machines.")
app.add_typer(user, name="user")
Name = Annotated[str, Argument(metavar="NAME", help="What the person is called.", show_default=False)]


@user.command("add", epilog="Example: logicmix-studio user add ./photos grace --role reviewer")
def add_user(
    dataset: Dataset,
    name: Name,
    password: Annotated[
        str,
        _optional(
            "Asked for unless given.",
            envvar="LOGICMIX_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
        ),
    ],
    role: Annotated[
        str, Option(help="owner, or reviewer: answers, but neither trains, exports, deletes nor changes classes.")
    ] = "reviewer",
    workspace: WorkspaceOption = None,
) -> None:
    """Let somebody in, or give them another password or role.

    Counts at once, also for a studio that is open.
    """
    from logicmix_studio.cli import commands
    from logicmix_studio.cli.terminal import say

    added = commands.users_of(dataset, workspace).add(name, password, role)
    say(f"{added.name} may log in as {added.role}")


@user.command("remove", epilog="Example: logicmix-studio user remove ./photos grace")
def remove_user(dataset: Dataset, name: Name, workspace: WorkspaceOption = None) -> None:
    """Let somebody in no longer; what they answered stays."""
    from logicmix_studio.cli import commands
    from logicmix_studio.cli.terminal import say

    commands.users_of(dataset, workspace).remove(name)
    say(f"{name} may no longer log in")


@user.command("list", epilog="Example: logicmix-studio user list ./photos")
def list_users(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """List who may come in."""
    from logicmix_studio.cli import commands

    people = [{"name": one.name, "role": one.role} for one in commands.users_of(dataset, workspace).all()]
    _print(people, as_json, lambda _: "\n".join(f"{one['name']}: {one['role']}" for one in people) or "nobody yet")


@app.command(epilog="Example: logicmix-studio doctor --json")
def doctor(
    dataset: Annotated[
        Path | None,
        Argument(metavar="DIR", help="Check the disk that holds this data set, not your own.", show_default=False),
    ] = None,
    port: Port = 7860,
    as_json: AsJson = False,
) -> None:
    """Check that everything is there.

    Python, packages, torch and device, mongod, disk, file system, port, weights; exit code 1 when something is missing.
    """
    from logicmix_studio.doctor import describe_checks, run_checks

    checks = run_checks(dataset, port)
    _print([asdict(check) for check in checks], as_json, lambda _: describe_checks(checks))
    if any(check.verdict == "bad" for check in checks):
        raise typer.Exit(USER_ERROR)


def main() -> None:
    """Run the command line; what a user can mend ends with exit code 1, wrong usage with 2."""
    try:
        app()
    except StudioError as error:
        from logicmix_studio.cli.terminal import complain

        complain(error)
        sys.exit(USER_ERROR)


def _starting() -> None:
    from logicmix_studio.cli.terminal import note

    note("starting")


def _numbers(text: str, option: str, kind: Callable[[str], Any] = int) -> tuple[Any, ...]:
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers like 1,2,3", param_hint=option) from None


def _assignments(changes: list[str], option: str = "--set") -> dict[str, Any]:
    named: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{change!r} is not NAME=VALUE", param_hint=option)
        try:
            named[name] = json.loads(value)
        except json.JSONDecodeError:
            named[name] = value
    return named


def _print(result: Any, as_json: bool, describe: Callable[[Any], str]) -> None:
    from logicmix_studio.cli.terminal import print_json, say

    if as_json:
        print_json(result)
    else:
        say(describe(result))
