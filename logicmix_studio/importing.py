"""From a folder of images to a workspace, and again after photographs were added."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.files import read_json, write_json
from logicmix_studio.formats import NO_LABELS, read_dataset
from logicmix_studio.images.decode import is_utf8, open_file, shown_path
from logicmix_studio.labels import SHOWN_PROBLEMS, UNKNOWN, LabelTable, Problem, hide_labels, image_id
from logicmix_studio.review.calibration import LOGIT_LIMIT
from logicmix_studio.runs import Jobs
from logicmix_studio.store import Workspace, align_cells, load_labels, save_table, utc_now, with_classes
from logicmix_studio.store.journal import read_journal
from logicmix_studio.store.line import Line
from logicmix_studio.store.workspace import WORKSPACE_FORMAT
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.words import Progress

DIGESTED_BYTES = 1 << 16
"""How much of a file its digest is made of, besides its length."""


@dataclass(frozen=True)
class ImportOptions:
    """How a folder is to be read; each has a command-line option of the same name."""

    labels: Path | None = None
    """The label file or a folder of them; found by itself unless named; ``NO_LABELS`` for none."""
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
    columns: str | None = None
    """In tables: the only columns that hold labels, joined by commas."""
    separator: str | None = None
    """In lists of class names: what stands between two."""

    @property
    def trial(self) -> dict[str, Any] | None:
        """What is hidden, or None where nothing is."""
        share = self.known_proportion
        return None if share is None else {"known_proportion": share, "seed": self.seed}

    @property
    def reading(self) -> dict[str, Any]:
        """What :func:`read_dataset` is told."""
        names = ("labels", "classes", "columns", "separator", "exhaustive", "skip_bad")
        return {name: getattr(self, name) for name in names}

    def to_json(self, root: Path) -> dict[str, Any]:
        """Return how the files are read, for the workspace to remember; names below the images' folder are relative."""
        labels, classes = self.labels, self.classes
        if isinstance(classes, str) and "," not in classes and Path(classes).expanduser().is_file():
            classes = _relative(Path(classes), root)
        place = str(labels) if labels == NO_LABELS else labels and _relative(labels, root)
        return {**self.reading, "labels": place, "classes": classes}

    @classmethod
    def choose(cls, workspace: Workspace, given: ImportOptions | None) -> ImportOptions:
        """Return the options that somebody gave, or else those of the workspace's last import, if there was one.

        Raises:
            StudioError: If ``workspace.json`` can't be read.
        """
        if given is not None and given != cls():
            return given
        return cls() if workspace.info_if_any() is None else cls.recall(workspace)

    @classmethod
    def recall(cls, workspace: Workspace) -> ImportOptions:
        """Return the options of a workspace's last import.

        Raises:
            StudioError: If there was none.
        """
        info, root = workspace.info(), workspace.root
        options = dict(info.get("options", {}))
        if labels := options.get("labels"):
            options["labels"] = NO_LABELS if Path(labels) == NO_LABELS else root / labels
        classes = options.get("classes")
        if isinstance(classes, str) and (root / classes).is_file():
            options["classes"] = str(root / classes)
        return cls(**options, **(info.get("trial") or {}))


@dataclass(frozen=True)
class ImportReport:
    """What an import found."""

    workspace: Workspace
    table: LabelTable
    notes: tuple[str, ...]
    bad_images: tuple[str, ...]
    changed: tuple[str, ...] = ()
    """What is new or gone since the import before, one sentence each; empty for a first import."""


def import_dataset(workspace: Workspace, options: ImportOptions, progress: Progress | None = None) -> ImportReport:
    """Read images and labels and write them into a workspace.

    A second import (:meth:`ImportOptions.recall` has the options of the last one) replaces the imported table; what
    people decided stays in the journal and wins over the import. Classes keep the names that people gave them, and added
    classes stay.

    Raises:
        StudioError: If something can't be read; nothing is changed then.
    """
    before = workspace.info_if_any() or {}  # a workspace of another version stays as it is
    if adopted := before.get("adopted"):
        told = f"the images of {workspace.root} come from the data set {adopted['dataset']!r} in FiftyOne"
        raise StudioError(told, f"read them anew with: {workspace.command('launch')} --fiftyone ...")
    for path in (workspace.root, options.labels or workspace.root):
        if not is_utf8(path):
            raise StudioError(f"the name {shown_path(path)} is not UTF-8", "Rename it.")
    result = read_dataset(workspace.root, **options.reading, ignored=exports_of(workspace), progress=progress)
    contents = _digest_contents(workspace, result.table)
    known = read_json(workspace.contents_file) or {}
    table, moved = _follow_moved(result.table, contents, known)
    notes = [f"Photographs that were moved, and keep their answers: {moved:,}."] if moved else []
    complete = None
    if options.known_proportion is not None:
        complete = table
        table = hide_labels(table, options.known_proportion, options.seed)
    notes = [*result.notes, *notes, *_left_out(result.problems), *_trial_notes(options)]
    bad_images = tuple(f"{error.path.relative_to(workspace.root)}: {error.reason}" for error in result.bad_images)
    report = store_tables(workspace, table, complete, notes, bad_images, options)
    now = zip(table.image_ids, table.paths, contents, strict=True)
    write_json(workspace.contents_file, known | {image_id: (path, digest) for image_id, path, digest in now})
    if result.scores is not None:
        name = f"labels of machines in {result.labels_name}"
        _store_scores(workspace, table, result.scores, name)
    return report


def _store_scores(workspace: Workspace, table: LabelTable, scores: NDArray[np.floating[Any]], name: str) -> None:
    """Keep (N, C) probabilities of machines as a finished run, unless the latest such run holds the same."""
    jobs = Jobs(workspace.runs)
    logits = np.clip(logit(scores), -LOGIT_LIMIT, LOGIT_LIMIT).astype(np.float16)
    for info in [info for info in jobs.list() if info.is_imported][-1:]:
        folder = RunFolder(info.folder)
        with suppress(StudioError):  # what can't be read any more is not the same
            snapshot = folder.snapshot()
            ids, class_names = snapshot.image_ids.tolist(), snapshot.class_names.tolist()
            if np.array_equal(align_cells(folder.logits(), ids, class_names, table, np.nan), logits, equal_nan=True):
                return
    jobs.adopt(logits, name=name, root=workspace.root, table=table)


def _digest_contents(workspace: Workspace, table: LabelTable) -> list[str]:
    """Return a digest of each image file's length and first bytes."""

    def digest(path: str) -> str:
        with open_file(workspace.root / path) as file:
            head = file.read(DIGESTED_BYTES)
            return hashlib.blake2b(head + str(os.fstat(file.fileno()).st_size).encode(), digest_size=12).hexdigest()

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(digest, table.paths))


def _follow_moved(
    table: LabelTable, contents: Sequence[str], known: Mapping[str, Sequence[str]]
) -> tuple[LabelTable, int]:
    """Return a table in which an image that was moved or renamed keeps its id, and how many were.

    It is where its content is, if no other file ever had that; or else where its path is, edited perhaps.

    Args:
        table: The table as it was read.
        contents: A digest of the content of each of its images.
        known: Path and digest of earlier images by their ids.
    """
    now, then = Counter(contents), Counter(digest for _, digest in known.values())
    place = {digest: path for path, digest in zip(table.paths, contents, strict=True) if now[digest] == 1}
    found = {place[digest]: key for key, (_, digest) in known.items() if digest in place and then[digest] == 1}
    num_moved = sum(known[key][0] != path for path, key in found.items())
    followed = set(found.values())
    found = {path: key for key, (path, _) in known.items() if key not in followed} | found
    ids = [
        # A new image may lie where one was that took its id along.
        found.get(path) or (own if own not in known else image_id(f"{path} {digest}"))
        for path, own, digest in zip(table.paths, table.image_ids, contents, strict=True)
    ]
    return replace(table, image_ids=tuple(ids)), num_moved


def store_tables(
    workspace: Workspace,
    table: LabelTable,
    complete: LabelTable | None,
    notes: Sequence[str] = (),
    bad_images: tuple[str, ...] = (),
    options: ImportOptions | None = None,
    adopted: Mapping[str, Any] | None = None,
) -> ImportReport:
    """Write tables, read or made, as the demo's are; ``adopted`` says of which data set in FiftyOne they are.

    First the truth, then the table, then ``workspace.json``: a studio opens whatever a stop leaves behind.
    """
    with writing(workspace.folder):
        workspace.folder.mkdir(parents=True, exist_ok=True)
    options = options or ImportOptions()
    before = read_json(workspace.info_file) or {}
    table = with_classes(table, before)
    former = _former(workspace, before)
    if complete is not None:
        complete = with_classes(complete, before)
        if former is not None and before.get("trial") == options.trial:
            table = _hide_as_before(table, complete, former)
        _keep_former(workspace.complete_file)
        save_table(workspace.complete_file, complete)
    elif not before.get("demo"):
        _keep_former(workspace.complete_file)
        workspace.complete_file.unlink(missing_ok=True)
    _keep_former(workspace.labels_file)
    save_table(workspace.labels_file, table)
    info = {
        "format": WORKSPACE_FORMAT,
        "name": workspace.root.name,
        "root": str(workspace.root),
        "created": before.get("created") or utc_now(),
        "notes": notes,
        "bad_images": bad_images,
        "options": options.to_json(workspace.root),
        "trial": options.trial,
        "demo": options.trial is None and (complete is not None or bool(before.get("demo"))),
        "renamed": before.get("renamed", {}),
        "added": before.get("added", []),
        **({"adopted": adopted} if adopted else {}),
    }
    not_kept = count_not_kept(read_journal(workspace.journal_file), table, info["renamed"])
    if not_kept:
        notes = [*notes, f"Decisions about images or classes that are gone: {not_kept:,}; the journal keeps them."]
        info["notes"] = notes
    write_json(workspace.info_file, info)
    return ImportReport(workspace, table, tuple(notes), bad_images, () if former is None else _compare(former, table))


def count_not_kept(lines: Iterable[Line], table: LabelTable, renamed: Mapping[str, str]) -> int:
    """Return how many cells that people decided are of images or classes that a table does not have any more."""
    images, classes = set(table.image_ids), set(table.class_names)
    states: dict[tuple[str, str], int] = {}
    for cell in (cell for line in lines for cell in line.cells):
        name = renamed.get(cell.class_name, cell.class_name)
        if cell.image_id not in images or name not in classes:
            states[cell.image_id, name] = cell.after.state
    return sum(state != UNKNOWN for state in states.values())


def remember_export(workspace: Workspace, file: Path) -> None:
    """Note a file in the data set's folder that is an export, so that no later import takes it for labels."""
    file = file.resolve()
    if file.is_relative_to(workspace.root) and file not in exports_of(workspace):
        with writing(workspace.exports_file), workspace.exports_file.open("a", encoding="utf-8") as stream:
            stream.write(f"{file.relative_to(workspace.root).as_posix()}\n")


def exports_of(workspace: Workspace) -> tuple[Path, ...]:
    """Return the exports that were written into the data set's folder."""
    if not workspace.exports_file.exists():
        return ()
    return tuple(workspace.root / name for name in workspace.exports_file.read_text(encoding="utf-8").splitlines())


def _former(workspace: Workspace, info: Mapping[str, Any]) -> LabelTable | None:
    try:
        return load_labels(workspace.labels_file, info) if workspace.exists else None
    except StudioError:  # a broken table is what a new import mends
        return None


def _hide_as_before(table: LabelTable, complete: LabelTable, former: LabelTable) -> LabelTable:
    """Return a trial's table in which what was hidden in the former one stays hidden, and what was shown, shown."""
    known = np.where(former.states == UNKNOWN, 1, 2).astype(np.int8)
    shown = align_cells(known, former.image_ids, former.class_names, table, 0)
    states = np.select([shown == 0, shown == 1], [table.states, UNKNOWN], complete.states)
    return replace(table, states=states.astype(np.int8))


def _compare(former: LabelTable, table: LabelTable) -> tuple[str, ...]:
    """Return in words what differs between two imports; at least one sentence."""
    old, new = set(former.image_ids), set(table.image_ids)
    new_classes = [name for name in table.class_names if name not in former.class_names]
    gone_classes = [name for name in former.class_names if name not in table.class_names]
    states = align_cells(former.states, former.image_ids, former.class_names, table, UNKNOWN)
    is_old = np.isin(table.image_ids, list(old))[:, None] & np.isin(table.class_names, former.class_names)
    is_changed = (states != table.states) & is_old
    is_gone = is_changed & (table.states == UNKNOWN)
    num_gone = int(np.count_nonzero(former.states) - np.count_nonzero(states) + np.count_nonzero(is_gone))
    num_changed = int(np.count_nonzero(is_changed & ~is_gone))
    said = (
        (new - old, f"New photographs: {len(new - old):,}."),
        (new_classes, f"New classes: {', '.join(new_classes)}."),
        (num_changed, f"Imported labels that changed: {num_changed:,}."),
        (num_gone, f"Imported labels that are gone: {num_gone:,}."),
        (old - new, f"Photographs that are gone: {len(old - new):,}; the journal keeps their answers."),
        (gone_classes, f"Classes that are gone: {', '.join(gone_classes)}."),
    )
    return tuple(line for what, line in said if what) or ("Nothing has changed in the folder.",)


def _keep_former(path: Path) -> None:
    """Let a table that is about to be replaced be found beside the new one."""
    if path.exists():
        stamp = utc_now().replace(":", "").split(".")[0]
        former = path.with_name(f"{path.stem}-{stamp}.npz")
        former.unlink(missing_ok=True)
        former.hardlink_to(path)


def _relative(path: Path, root: Path) -> str:
    """Return a path below a folder as seen from there, any other in full."""
    path = path.expanduser().resolve()
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


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
