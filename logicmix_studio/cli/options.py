"""What several commands take, and how they print: options and their types."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Argument, Option


def optional(help: str, **more: Any) -> Any:  # noqa: A002  # as typer calls it
    """Return an option that shows no default."""
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
    optional("The label file or folder; found by itself when it is the only one; none for no labels.", readable=False),
]
Classes = Annotated[str | None, optional("Class names: a,b,c or a file with one a line.")]
Columns = Annotated[str | None, optional("In tables: read only these columns as labels: a,b,c.")]
Separator = Annotated[str | None, optional("In lists of class names: what stands between two.")]
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
Report = Annotated[Path | None, optional("Write what the format could not hold to this file, as JSON.")]
KnownProportion = Annotated[
    float | None, optional("Trial: hide labels of a completely labelled set and keep this share.", min=0.0, max=1.0)
]
Seed = Annotated[int, Option(help="Which labels a trial hides.", min=0)]
Changes = Annotated[
    list[str] | None,
    Option(
        "--set",
        metavar="NAME=VALUE",
        help="A hyper-parameter of what is trained; train --recipe-help lists them.",
        show_default=False,
    ),
]
Seeds = Annotated[str, Option(help="Which labels are known, who answers and how training goes: a,b,c.")]
Out = Annotated[Path, Option(help="Folder of the results; what is finished in it is not made again.")]
AsJson = Annotated[bool, Option("--json", help="Print JSON for a script.")]
Host = Annotated[str, Option(help="Where to listen; anything but 127.0.0.1 needs users: see user add.")]
Port = Annotated[int, Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)]
AppPort = Annotated[int, Option(help="Port of the FiftyOne App; 0 takes a free one.", min=0, max=65535)]
Login = Annotated[bool, Option("--login", help="Ask who is there on this machine, too: see user add.")]
Browser = Annotated[bool, Option("--browser/--no-browser", help="Open the page in a browser.")]
Who = Annotated[str | None, optional("The person's name; the system's user unless given.")]
Mcp = Annotated[
    bool, Option("--mcp", help="Serve the page's functions to assistants, too; needs logicmix-studio[mcp].")
]


def numbers(text: str, option: str, kind: Callable[[str], Any] = int) -> tuple[Any, ...]:
    """Return the numbers of a list like 1,2,3."""
    try:
        return tuple(kind(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no list of numbers like 1,2,3", param_hint=option) from None


def assignments(changes: list[str], option: str = "--set") -> dict[str, Any]:
    """Return what texts like NAME=VALUE name; a value is JSON, or else text."""
    named: dict[str, Any] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{change!r} is not NAME=VALUE", param_hint=option)
        try:
            named[name] = json.loads(value)
        except (json.JSONDecodeError, RecursionError):
            named[name] = value
    return named


def print_result(result: Any, as_json: bool, describe: Callable[[Any], str]) -> None:
    """Print a result as JSON for a script, or in words."""
    from logicmix_studio.cli.terminal import print_json, say

    if as_json:
        print_json(result)
    else:
        say(describe(result))
