"""The command ``user``: who may come in from other machines."""

from __future__ import annotations

from typing import Annotated

import typer
from typer import Argument, Option

from logicmix_studio.cli.options import AsJson, Dataset, WorkspaceOption, optional, print_result

user = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Say who may come in from other machines.")
Name = Annotated[str, Argument(metavar="NAME", help="What the person is called.", show_default=False)]


@user.command("add", epilog="Example: logicmix-studio user add ./photos grace --role reviewer")
def add_user(
    dataset: Dataset,
    name: Name,
    password: Annotated[
        str,
        optional(
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
    print_result(
        people, as_json, lambda _: "\n".join(f"{one['name']}: {one['role']}" for one in people) or "nobody yet"
    )
