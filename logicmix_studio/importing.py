"""From a folder of images to a workspace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from logicmix_studio.formats import hide_labels, read_dataset
from logicmix_studio.labels import SHOWN_PROBLEMS, LabelTable, Problem
from logicmix_studio.store import Workspace, save_table, utc_now, write_json
from logicmix_studio.store.workspace import WORKSPACE_FORMAT

Progress = Callable[[int, int, str], None]
"""Called with done, total and what is going on in words."""


@dataclass(frozen=True)
class ImportOptions:
    """How a folder is to be read; each has a command-line option of the same name."""

    labels: Path | None = None
    """The label file; found by itself unless named."""
    classes: str | Sequence[str] | None = None
    """Class names, as a list or joined by commas, or the name of a file with one a line."""
    exhaustive: bool | None = None
    """For formats that only name present classes: whether absent means negative."""
    skip_bad: bool = False
    """Import the rest when some images can't be read."""
    known_proportion: float | None = None
    """Hide labels of a completely labelled set for a trial, in (0, 1]."""
    seed: int = 526
    """Which labels are hidden."""


@dataclass(frozen=True)
class ImportReport:
    """What an import found."""

    workspace: Workspace
    table: LabelTable
    notes: tuple[str, ...]
    bad_images: tuple[str, ...]


def import_dataset(
    workspace: Workspace, options: ImportOptions, progress: Progress | None = None
) -> ImportReport:
    """Read images and labels and write them into a workspace.

    A second import replaces the imported table; what people decided stays in the journal and wins over the import.

    Args:
        workspace: Where to write.
        options: How to read.
        progress: Called as the work goes on.

    Raises:
        StudioError: If something can't be read; nothing is changed then.
    """
    workspace.refuse_other_format()
    result = read_dataset(
        workspace.root,
        labels=options.labels,
        classes=options.classes,
        exhaustive=options.exhaustive,
        skip_bad=options.skip_bad,
        progress=progress,
    )
    table, complete = result.table, None
    if options.known_proportion is not None:
        complete = table
        table = hide_labels(table, options.known_proportion, options.seed)
    notes = (*result.notes, *_left_out(result.problems), *_trial_notes(options))
    bad_images = tuple(
        f"{error.path.relative_to(workspace.root)}: {error.reason}" for error in result.bad_images
    )
    return _write(workspace, table, complete, notes, bad_images, options)


def store_tables(
    workspace: Workspace, table: LabelTable, complete: LabelTable | None, notes: Sequence[str] = ()
) -> ImportReport:
    """Write tables that were made rather than read, such as the demo's."""
    return _write(workspace, table, complete, tuple(notes), (), ImportOptions())


def _write(
    workspace: Workspace,
    table: LabelTable,
    complete: LabelTable | None,
    notes: tuple[str, ...],
    bad_images: tuple[str, ...],
    options: ImportOptions,
) -> ImportReport:
    _keep_former(workspace)
    save_table(workspace.labels_file, table)
    if complete is None:
        workspace.complete_file.unlink(missing_ok=True)
    else:
        save_table(workspace.complete_file, complete)
    trial = None
    if options.known_proportion is not None:
        trial = {"known_proportion": options.known_proportion, "seed": options.seed}
    info = {
        "format": WORKSPACE_FORMAT,
        "name": workspace.root.name,
        "root": str(workspace.root),
        "created": utc_now(),
        "notes": list(notes),
        "bad_images": list(bad_images),
        "trial": trial,
        "demo": trial is None and complete is not None,
    }
    write_json(workspace.info_file, info)
    return ImportReport(workspace=workspace, table=table, notes=notes, bad_images=bad_images)


def _keep_former(workspace: Workspace) -> None:
    if workspace.labels_file.exists():
        stamp = utc_now().replace(":", "").split(".")[0]
        former = workspace.labels_file.with_name(f"labels-{stamp}.npz")
        former.unlink(missing_ok=True)
        former.hardlink_to(workspace.labels_file)


def _left_out(problems: Sequence[Problem]) -> tuple[str, ...]:
    more = len(problems) - SHOWN_PROBLEMS
    rest = (f"Left out: {more:,} more",) if more > 0 else ()
    return (*(f"Left out: {problem}" for problem in problems[:SHOWN_PROBLEMS]), *rest)


def _trial_notes(options: ImportOptions) -> tuple[str, ...]:
    if options.known_proportion is None:
        return ()
    return (
        f"Trial: each label outside split test was kept with probability {options.known_proportion:g} "
        f"(seed {options.seed}); the complete labels are kept aside for evaluation only.",
    )
