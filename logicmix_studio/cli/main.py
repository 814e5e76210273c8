"""The command line: forms and forwarding; heavy imports wait until a command needs them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from logicmix_studio import __version__
from logicmix_studio.errors import StudioError

if TYPE_CHECKING:
    from logicmix_studio.importing import ImportOptions

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
        bool,
        typer.Option(
            "--version", help="Print the version and leave.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Label multi-label images whose labels are incomplete: a model proposes, a person settles."""


Dataset = Annotated[
    Path,
    typer.Argument(
        metavar="DIR", help="The folder that holds the images.", show_default=False, readable=False
    ),
]
WorkspaceOption = Annotated[
    Path | None,
    typer.Option(
        "--workspace",
        help="Keep journal, runs and database here instead of DIR/.logicmix.",
        show_default=False,
    ),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="The label file; found by itself when it is the only one.", show_default=False, readable=False
    ),
]
Classes = Annotated[
    str | None, typer.Option(help="Class names: a,b,c or a file with one a line.", show_default=False)
]
Exhaustive = Annotated[
    bool | None,
    typer.Option(
        "--exhaustive/--not-exhaustive",
        help="In files that only name present classes: the others are negative, or unknown (the default).",
        show_default=False,
    ),
]
SkipBad = Annotated[
    bool, typer.Option("--skip-bad", help="Leave out what is wrong, images or labels, and import the rest.")
]
KnownProportion = Annotated[
    float | None,
    typer.Option(
        help="Trial: hide labels of a completely labelled set and keep this share.",
        min=0.0,
        max=1.0,
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Which labels a trial hides.", min=0)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]
Host = Annotated[str, typer.Option(help="Where to listen; anything but 127.0.0.1 asks for a password.")]
Port = Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
Password = Annotated[
    str | None,
    typer.Option(
        envvar="LOGICMIX_PASSWORD",
        help="What people log in with; made up and printed unless given.",
        show_default=False,
    ),
]
Browser = Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")]
Who = Annotated[
    str | None, typer.Option(help="The person's name; the system's user unless given.", show_default=False)
]


@app.command(epilog="Example: logicmix-studio launch ./photos --labels photos/labels.csv")
def launch(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    exhaustive: Exhaustive = None,
    skip_bad: SkipBad = False,
    known_proportion: KnownProportion = None,
    seed: Seed = 526,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    password: Password = None,
    browser: Browser = True,
    who: Who = None,
) -> None:
    """Open the studio in the browser.

    The first time, images and labels are imported; the options from --labels to --seed are for that.
    """
    from logicmix_studio.cli.serving import Serving, launch_studio

    options = _options(labels, classes, exhaustive, skip_bad, known_proportion, seed)
    launch_studio(
        dataset,
        workspace,
        options,
        Serving(host=host, port=port, password=password, open_browser=browser, who=who),
    )


@app.command(epilog="Example: logicmix-studio demo --folder /tmp/demo")
def demo(
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to draw the demo; the user's data folder unless given.", show_default=False),
    ] = None,
    images: Annotated[int, typer.Option(help="How many scenes to draw.", min=40)] = 1200,
    seed: Annotated[int, typer.Option(help="Which scenes.", min=0)] = 526,
    train_first: Annotated[
        bool, typer.Option("--train/--no-train", help="Start a first quick round when there has been none.")
    ] = True,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    password: Password = None,
    browser: Browser = True,
    who: Who = None,
) -> None:
    """Draw a small data set and open the studio on it.

    Scenes with handwritten digits, of which some cells are known, and a first quick round.
    """
    from logicmix_studio.cli.serving import Serving, launch_demo

    serving = Serving(host=host, port=port, password=password, open_browser=browser, who=who)
    launch_demo(folder, num_images=images, seed=seed, train_first=train_first, serving=serving)


@app.command("import", epilog="Example: logicmix-studio import ./photos --classes dog,cat,leash")
def import_(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    labels: Labels = None,
    classes: Classes = None,
    exhaustive: Exhaustive = None,
    skip_bad: SkipBad = False,
    known_proportion: KnownProportion = None,
    seed: Seed = 526,
    as_json: AsJson = False,
) -> None:
    """Read images and labels into a workspace.

    Run it again after images or labels were added: decisions stay, and win over the import.
    """
    from logicmix_studio import commands

    options = _options(labels, classes, exhaustive, skip_bad, known_proportion, seed)
    _print(commands.run_import(dataset, workspace, options), as_json, commands.describe_import)


@app.command(epilog="Example: logicmix-studio train ./photos --recipe quick")
def train(
    dataset: Dataset,
    workspace: WorkspaceOption = None,
    recipe: Annotated[str, typer.Option(help="quick, 2wayaug-pl or 2wayaug-pl-released.")] = "quick",
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A hyper-parameter; --recipe-help lists them.",
            show_default=False,
        ),
    ] = None,
    init_from: Annotated[
        int | None, typer.Option(help="A run to start warm from.", show_default=False)
    ] = None,
    resume: Annotated[
        int | None, typer.Option(help="Go on with a run that was stopped.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything random follows from it.", min=0)] = 526,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    devices: Annotated[int, typer.Option(help="How many processes, one a GPU.", min=1)] = 1,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return at once; watch it in the browser or with status.")
    ] = False,
    recipe_help: Annotated[
        bool, typer.Option("--recipe-help", help="List the recipe's hyper-parameters and leave.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train on what is known, and propose the rest.

    Ctrl-C cancels and keeps a checkpoint; the run goes on with --resume.
    """
    from logicmix_studio import commands

    if recipe_help:
        commands.print_recipe(recipe, as_json)
        return
    overrides = {**_assignments(changes or []), "compute.device": device, "compute.devices": devices}
    plan = commands.TrainingPlan(
        recipe, overrides, init_from=init_from, seed=seed, resume=resume, detach=detach
    )
    result = commands.run_training(dataset, workspace, plan)
    _print(result, as_json, commands.describe_run)


@app.command(epilog="Example: logicmix-studio export ./photos labels.csv --format csv-long")
def export(
    dataset: Dataset,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.", show_default=False)],
    format: Annotated[str, typer.Option(help="csv-long or csv-wide.")] = "csv-long",  # noqa: A002
    proposals: Annotated[
        bool, typer.Option("--pseudo-labels", help="Add the open pseudo-labels, marked as such (csv-long).")
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: AsJson = False,
) -> None:
    """Write the labels to a file.

    What the format could not hold is said.
    """
    from logicmix_studio import commands

    _print(
        commands.run_export(dataset, workspace, file, format, proposals), as_json, commands.describe_export
    )


@app.command(epilog="Example: logicmix-studio status ./photos --json")
def status(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Say what is known, proposed and running."""
    from logicmix_studio import commands

    _print(commands.collect_status(dataset, workspace), as_json, commands.describe_status)


@app.command(epilog="Example: logicmix-studio rebuild ./photos")
def rebuild(dataset: Dataset, workspace: WorkspaceOption = None, as_json: AsJson = False) -> None:
    """Make the FiftyOne data set anew from the import and the journal."""
    from logicmix_studio.cli.serving import rebuild_dataset

    _print(
        rebuild_dataset(dataset, workspace),
        as_json,
        lambda done: f"rebuilt {done['dataset']}: {done['images']:,} images",
    )


@app.command(epilog="Example: logicmix-studio fiftyone ./photos")
def fiftyone(
    dataset: Dataset, workspace: WorkspaceOption = None, port: Port = 7860, browser: Browser = True
) -> None:
    """Open the FiftyOne App on the data set, with the plugin loaded."""
    from logicmix_studio.cli.serving import Serving, launch_fiftyone

    launch_fiftyone(dataset, workspace, Serving(port=port, open_browser=browser))


@app.command(epilog="Example: logicmix-studio stop ./photos")
def stop(dataset: Dataset, workspace: WorkspaceOption = None) -> None:
    """End the studio that is open on this data set.

    A run in progress goes on.
    """
    from logicmix_studio import commands

    _say(commands.stop_server(dataset, workspace))


@app.command(epilog="Example: logicmix-studio doctor --json")
def doctor(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="Check the disk that holds this data set, not your own.", show_default=False
        ),
    ] = None,
    port: Port = 7860,
    as_json: AsJson = False,
) -> None:
    """Check that everything is there.

    Python, packages, torch and device, mongod, disk, file system, port, weights; exit code 1 when something is missing.
    """
    from logicmix_studio.doctor import describe_checks, run_checks

    checks = run_checks(dataset, port)
    _print([check.to_json() for check in checks], as_json, lambda _: describe_checks(checks))
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


def _options(
    labels: Path | None,
    classes: str | None,
    exhaustive: bool | None,
    skip_bad: bool,
    known_proportion: float | None,
    seed: int,
) -> ImportOptions:
    from logicmix_studio.importing import ImportOptions

    return ImportOptions(
        labels=labels,
        classes=classes,
        exhaustive=exhaustive,
        skip_bad=skip_bad,
        known_proportion=known_proportion,
        seed=seed,
    )


def _assignments(changes: list[str]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{change!r} is not NAME=VALUE", param_hint="--set")
        try:
            named[name] = json.loads(value)
        except json.JSONDecodeError:
            named[name] = value
    return named


def _print(result: Any, as_json: bool, describe: Callable[[Any], str]) -> None:
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False, indent=2) + "\n")
    else:
        _say(describe(result))


def _say(text: str) -> None:
    from logicmix_studio.cli.terminal import say

    if text:
        say(text)
