"""The command ``runs``: a run in one file, to be trained on another machine and brought back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument

from logicmix_studio.cli.options import AsJson, Dataset, Target, WorkspaceOption, print_result

runs = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Take a run to another machine and back.")


@runs.command("export", epilog="Example: logicmix-studio runs export ./photos 7 run7.zip")
def export_run(
    dataset: Dataset,
    run: Annotated[int, Argument(metavar="RUN", help="Its number; status lists them.", show_default=False)],
    file: Target,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a run to one file, with its labels and what it has learned so far; the images are not in it.

    On the other machine, unpack it and run: python -m logicmix_studio.training FOLDER --root IMAGES
    """
    from logicmix_studio.cli import commands
    from logicmix_studio.cli.terminal import say

    say(f"wrote {file}: {commands.export_run(dataset, workspace, run, file):,} files of run {run}")


@runs.command("import", epilog="Example: logicmix-studio runs import ./photos run7.zip")
def import_run(
    dataset: Dataset,
    file: Annotated[Path, Argument(metavar="FILE", help="What runs export wrote, or its folder zipped again.")],
    workspace: WorkspaceOption = None,
    as_json: AsJson = False,
) -> None:
    """Take a run in under a new number; an open studio sees it at once."""
    from logicmix_studio.cli import commands

    print_result(commands.import_run(dataset, workspace, file), as_json, commands.describe_run)
