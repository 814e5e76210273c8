"""What the command line prints: progress, tables and messages. All of it goes to stderr but results."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from logicmix_studio.errors import StudioError
from logicmix_studio.files import plain

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Print one line of result."""
    out.print(text, markup=False, soft_wrap=True)


def note(text: str) -> None:
    """Print one line beside the result."""
    err.print(text, style="dim", markup=False, soft_wrap=True)


def complain(error: StudioError) -> None:
    """Print what a user can mend."""
    err.print("Error:", style="bold red", end=" ")
    err.print(error.what, markup=False, soft_wrap=True)
    if error.hint:
        note(error.hint)


def print_json(result: Any) -> None:
    """Print a result for a script."""
    sys.stdout.write(json.dumps(plain(result), ensure_ascii=False, indent=2) + "\n")


def show_table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a small table; every column but the first is aligned right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for number, name in enumerate(head):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    out.print(table)


@contextmanager
def progress_bar() -> Iterator[Callable[[int, int, str], None]]:
    """Yield a function that shows ``done`` of ``total`` with a message; each new message gets its own bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def update(done: int, total: int, message: str) -> None:
            if message not in tasks:
                tasks[message] = bars.add_task(message, total=total)
            bars.update(tasks[message], completed=done, total=total)

        yield update
