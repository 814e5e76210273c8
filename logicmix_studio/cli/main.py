"""The command line: forms and forwarding; heavy imports wait until a command needs them."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from logicmix_studio import __version__
from logicmix_studio.cli.options import (
    AppPort,
    AsJson,
    Browser,
    Changes,
    Classes,
    Columns,
    Dataset,
    Exhaustive,
    Format,
    Harmless,
    Host,
    KnownProportion,
    Labels,
    Login,
    Mcp,
    Port,
    Report,
    Seed,
    Separator,
    SkipBad,
    Strict,
    Target,
    Who,
    WithPseudo,
    WorkspaceOption,
    assignments,
    optional,
    print_result,
)
from logicmix_studio.cli.run_commands import runs
from logicmix_studio.cli.trial_commands import benchmark, simulate
from logicmix_studio.cli.user_commands import user
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
    fiftyone: Annotated[str | None, optional("Adopt this data set of FiftyOne's, with --field.")] = None,
    field: Annotated[str | None, optional("Its field of labels that are present.")] = None,
    negative_field: Annotated[str | None, optional("Its field of labels that are absent.")] = None,
) -> None:
    """Open the studio in the browser.

    The first time, images and labels are imported; the options from --labels to --seed are for that.
    With --fiftyone the images stay where they are, and the data set is found where FiftyOne keeps it.
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
    folder: Annotated[Path | None, optional("Where to draw the demo; the user's data folder unless given.")] = None,
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
    print_result(commands.run_import(dataset, workspace, options), as_json, commands.describe_import)


@app.command(epilog="Example: logicmix-studio fetch s3://bucket/photos ./photos --max-side 1024")
def fetch(
    url: Annotated[str, Argument(metavar="URL", help="s3://..., gs://..., file://...", show_default=False)],
    folder: Annotated[Path, Argument(metavar="FOLDER", help="Where to write them.", show_default=False)],
    max_side: Annotated[int | None, optional("Scale images down: their longer side in pixels.", min=1)] = None,
    as_json: AsJson = False,
) -> None:
    """Bring images and label files from object storage; again: what is new or has changed.

    Exit code 1 when some are refused.
    """
    from logicmix_studio.cli.terminal import progress_bar
    from logicmix_studio.images.fetch import fetch as bring

    with progress_bar() as progress:
        found = bring(url, folder, max_side, progress)
    print_result(asdict(found), as_json, lambda _: str(found))
    if found.refused:
        raise typer.Exit(USER_ERROR)


@app.command(epilog="Example: logicmix-studio train ./photos --recipe fast")
def train(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    recipe: Annotated[
        str, Option(help='fast (quick), thorough (2wayaug-pl) or "as published" (2wayaug-pl-released).')
    ] = "quick",
    changes: Changes = None,
    init_from: Annotated[int | None, optional("A run to start warm from.")] = None,
    resume: Annotated[int | None, optional("Go on with a run that was stopped.")] = None,
    seed: Annotated[int, Option(help="Everything random follows from it.", min=0)] = 526,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    devices: Annotated[int, Option(help="How many processes, one a GPU.", min=1)] = 1,
    detach: Annotated[bool, Option("--detach", help="Return at once; watch it in the browser or with status.")] = False,
    prepare: Annotated[
        bool, Option("--prepare", help="Start nothing: resume it later, or take it elsewhere with runs export.")
    ] = False,
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
    overrides = {**assignments(changes or []), "compute.device": device, "compute.devices": devices}
    plan = commands.TrainingPlan(recipe, overrides, init_from, seed, resume, detach, not prepare)
    print_result(commands.run_training(dataset, workspace, plan), as_json, commands.describe_run)


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
    print_result(commands.run_export(dataset, workspace, how, with_pseudo), as_json, commands.describe_export)


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
    print_result(done, as_json, commands.describe_export)


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
    print_result(
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
    print_result([asdict(check) for check in checks], as_json, lambda _: describe_checks(checks))
    if any(check.verdict == "bad" for check in checks):
        raise typer.Exit(USER_ERROR)


@app.command(epilog="Example: logicmix-studio status ./photos --json")
def status(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Say what is known, proposed and running."""
    from logicmix_studio.cli import commands

    print_result(commands.collect_status(dataset, workspace), as_json, commands.describe_status)


@app.command(epilog="Example: logicmix-studio rebuild ./photos")
def rebuild(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Make the FiftyOne data set anew from the import and the journal."""
    from logicmix_studio.cli.serving import describe_rebuild, rebuild_dataset

    print_result(rebuild_dataset(dataset, workspace), as_json, describe_rebuild)


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


@app.command(epilog="Example: logicmix-studio stop ./photos")
def stop(dataset: Dataset, workspace: WorkspaceOption = None) -> None:
    """End the studio that is open on this data set.

    A run in progress goes on.
    """
    from logicmix_studio.cli import commands
    from logicmix_studio.cli.terminal import say

    say(commands.stop_server(dataset, workspace))


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
    print_result([asdict(check) for check in checks], as_json, lambda _: describe_checks(checks))
    if any(check.verdict == "bad" for check in checks):
        raise typer.Exit(USER_ERROR)


app.command(epilog="Example: logicmix-studio simulate ./photos --exhaustive --known-proportion 0.1 --seeds 1,2,3")(
    simulate
)
app.add_typer(benchmark, name="benchmark")
app.add_typer(runs, name="runs")
app.add_typer(user, name="user")


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
