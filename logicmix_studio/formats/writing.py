"""Write cells in any format, and say what the format could not hold."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import replacing
from logicmix_studio.formats.label_format import Cells, Contents, Kind, LabelFormat
from logicmix_studio.formats.registry import FORMATS
from logicmix_studio.formats.texts import shown
from logicmix_studio.labels import NEGATIVE, POSITIVE, STATE_NAMES, UNKNOWN, LabelTable

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that a spreadsheet would run."""
_PSEUDO: Final[dict[Kind, int]] = {"pseudo-positives": POSITIVE, "pseudo-negatives": NEGATIVE}
_WRITERS: Final = {each.name: each for each in sorted(FORMATS, key=lambda each: each.name != "csv-long")}
WRITE_FORMATS: Final = {name: each.suffixes[0] if each.write else "" for name, each in _WRITERS.items()}
"""Formats that can be written, the one that holds everything first, and the ending of the file; empty for a folder."""


@dataclass(frozen=True)
class Loss:
    """One kind of thing that a written file does not hold."""

    kind: Kind
    count: int
    """How many of them."""
    text: str
    """A sentence that says so, and what comes of it."""


@dataclass(frozen=True)
class LossReport:
    """What a written file does not hold."""

    losses: tuple[Loss, ...] = ()
    """None if nothing is lost."""

    @property
    def lines(self) -> tuple[str, ...]:
        """One sentence a kind of loss."""
        return tuple(loss.text for loss in self.losses)

    def to_json(self) -> list[dict[str, Any]]:
        """Return the losses as JSON objects."""
        return [asdict(loss) for loss in self.losses]


def write_cells(
    target: Path,
    format_name: str,
    cells: LabelTable | Cells,
    *,
    not_kept: int = 0,
    is_strict: bool = False,
    is_harmless: bool = False,
) -> LossReport:
    """Write the known cells of a table, and where the format can, a model's proposals; say what is not held.

    A file appears as a whole or not at all, a folder too.

    Args:
        target: The file to write, replaced if it is there; or a folder that is not there or empty.
        format_name: One of `WRITE_FORMATS`.
        cells: What is known, or that with its sources, proposals and scores.
        not_kept: Decisions that no cell of the table has any more.
        is_strict: Whether to refuse what would lose something.
        is_harmless: Whether names that a spreadsheet would run as a formula get an apostrophe, in CSV.

    Raises:
        StudioError: If the format is unknown, cannot hold a class name, or the file cannot be written.
    """
    cells = Cells.of(cells) if isinstance(cells, LabelTable) else cells
    table, label_format = cells.table, _WRITERS.get(format_name)
    if label_format is None:
        hint = f"use one of: {', '.join(WRITE_FORMATS)}; folders called after classes would hold one class an image"
        raise StudioError(f"unknown format {format_name!r}", hint)
    if wrong := [name for name in table.class_names if name != name.strip()]:
        raise StudioError(
            f"a file cannot hold a class called {wrong[0]!r}: blanks at its ends get lost", "Rename the class."
        )
    changed = [name for name in (*table.class_names, *table.paths) if name.startswith(_FORMULA)]
    changed = changed if is_harmless and ".csv" in label_format.suffixes else []
    if changed:
        names, paths = (
            tuple(f"'{text}" if text.startswith(_FORMULA) else text for text in texts)
            for texts in (table.class_names, table.paths)
        )
        cells = replace(cells, table=replace(table, class_names=names, paths=paths))
    report = LossReport(tuple(_losses(label_format, cells, not_kept, changed)))
    if is_strict and report.losses:
        hint = "Leave --strict out" + (", or export as csv-long." if format_name != "csv-long" else ".")
        raise StudioError(f"{format_name} cannot hold everything: {' '.join(report.lines)}", hint)
    if not target.parent.is_dir():
        raise StudioError(f"cannot write {target}: there is no such folder", "Choose a folder that exists.")
    if label_format.write_folder is not None:
        _write_folder(target, label_format.write_folder(cells))
    elif label_format.write is not None:
        with replacing(target) as file:
            for part in label_format.write(cells):
                file.write(part if isinstance(part, bytes) else part.encode(errors="surrogateescape"))
    return report


def _write_folder(target: Path, contents: Contents) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise StudioError(f"cannot write {target}: there is something already", "Choose a new or an empty folder.")
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
    with writing(target):
        try:
            for name, texts in contents:
                file = part / name
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("w", encoding="utf-8", newline="") as stream:
                    stream.writelines(texts)
            part.replace(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def _losses(label_format: LabelFormat, cells: Cells, not_kept: int, changed: Sequence[str]) -> Iterator[Loss]:
    """Yield what the format cannot hold of what there is."""
    table, holds = cells.table, label_format.holds
    is_known = table.states != UNKNOWN
    later = "with --exhaustive they come back" if is_known.all() else "they are unknown when read again"
    written = is_known if "negatives" in holds else table.states == POSITIVE
    silent = [name for name, column in zip(table.class_names, written.T, strict=True) if not column.any()]
    unnamed = f"{len(silent):,} ({shown(silent)})"
    num_splits, num_sources = sum(map(bool, table.splits)), int(np.count_nonzero(cells.sources[is_known]))
    num_negatives = int(np.count_nonzero(table.states == NEGATIVE))
    counts = {kind: int(np.count_nonzero(cells.proposals == state)) for kind, state in _PSEUDO.items()}
    num_held = 0 if cells.run is None else sum(count for kind, count in counts.items() if kind in holds)
    formulas = f"Names that a spreadsheet would take for formulas: {len(changed):,} ({shown(changed)}); "
    said: tuple[tuple[Kind, int, str], ...] = (
        ("names", len(changed), f"{formulas}an apostrophe stands before each, also when the file is read again."),
        ("negatives", num_negatives, f"Negative cells: {num_negatives:,}; {later}."),
        ("splits", num_splits, f"Splits of images: {num_splits:,}."),
        ("classes", len(silent), f"Classes that no cell names: {unnamed}. Keep the list to get them back."),
        ("sources", num_sources, f"Who said so (imported, human, accepted): {num_sources:,} cells; csv-long holds it."),
        *(
            (kind, n, f"{STATE_NAMES[_PSEUDO[kind]].capitalize()} pseudo-labels left out: {n:,}; csv-long holds them.")
            for kind, n in counts.items()
        ),
        ("runs", num_held, f"Which run proposes (run {cells.run}): {num_held:,} pseudo-labels; csv-long holds it."),
        (
            "not kept",
            not_kept,
            f"Decisions about images or classes that are gone: {not_kept:,}; the journal keeps them.",
        ),
    )
    yield from (Loss(kind, count, text) for kind, count, text in said if count and kind not in holds)
