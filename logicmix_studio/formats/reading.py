"""Read a folder of images with its labels into a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.embedded import extract_pictures
from logicmix_studio.formats.registry import Layout, find_labels, open_labels
from logicmix_studio.formats.request import ImageNames, ReadRequest
from logicmix_studio.formats.texts import CLASSES_FILE, NO_LABELS, parse_classes, read_classes, shown, split_of_name
from logicmix_studio.images.decode import ImageScan, UnreadableImage, check_images, scan_images, shown_path
from logicmix_studio.labels import UNKNOWN, LabelProblems, LabelTable, Problem, TableBuilder
from logicmix_studio.words import Progress


@dataclass(frozen=True)
class ReadResult:
    """A table and what a user should know about how it came about."""

    table: LabelTable
    """All images below the folder that can be read, sorted by path."""
    notes: tuple[str, ...]
    """Sentences to be shown."""
    bad_images: tuple[UnreadableImage, ...]
    """Images that cannot be read and were left out."""
    problems: tuple[Problem, ...]
    """Statements that were left out."""
    labels_name: str
    """What the labels were read from."""
    scores: NDArray[np.float32] | None
    """(N, C), the probability in [0, 1] that a machine gives a class in an image; nan where the cell is known or no machine
    spoke of it; None where none spoke of any."""


def read_dataset(
    root: Path,
    *,
    labels: Path | None = None,
    classes: str | Sequence[str] | None = None,
    columns: str | None = None,
    separator: str | None = None,
    exhaustive: bool | None = None,
    skip_bad: bool = False,
    check: bool = True,
    ignored: Collection[Path] = (),
    progress: Progress | None = None,
) -> ReadResult:
    """Read a folder of images and the labels that lie with it; pictures embedded in Parquet files become files there.

    Args:
        root: The folder.
        labels: The label file, or a folder of them; found by itself if None; `NO_LABELS` for none.
        classes: Class names in column order, or as the option `--classes` gives them: names joined by commas,
            or a file with one name a line. Found in the labels or in `classes.txt` if None.
        columns: In tables: the only columns that hold labels, joined by commas.
        separator: In lists of class names: what stands between two; found by itself if None.
        exhaustive: In a format that names only the classes present (list, VOC, COCO): whether every other
            class is absent. They stay unknown if None, and a note says so.
        skip_bad: Whether to leave out broken images and wrong statements instead of refusing all.
        check: Whether to decode every image once in order to find broken ones.
        ignored: Files that are no labels, as exports.
        progress: Called with (done, total, message).

    Raises:
        LabelProblems: Images or statements are wrong, all of them with file and line.
        StudioError: There are no images, no classes, or no labels that can be read.
    """
    scan = scan_images(root)
    if extracted := extract_pictures(root, scan.others, has_images=bool(scan.images), progress=progress):
        scan = scan_images(root)
    if not (scan.images or scan.refused):
        raise StudioError(f"there is no image in {root}{_unread(scan)}", "Give the folder that holds the images.")
    layout = _find_layout(root, scan, labels, parse_classes(columns) if columns else None, ignored)
    class_names = _class_names(root, classes, layout)
    if layout is None and class_names is None:
        raise StudioError(
            f"{root} holds images, but neither labels nor classes",
            f"Give the classes (--classes a,b,c or --classes FILE), write them to {CLASSES_FILE}, "
            "one a line, or name a label file (--labels FILE).",
        )
    paths, bad_images, problems = _find_readable(root, scan, check, progress)
    scan.images.clear()  # a million paths are 300 MB
    bad = [*scan.refused, *(error.path for error in bad_images)]
    request = ReadRequest(
        () if layout is None else layout.files,
        ImageNames(root, paths),
        ImageNames(root, [path.relative_to(root).as_posix() for path in bad]),
        ImageNames(root, [path.relative_to(root).as_posix() for path in scan.unread]),
        class_names=class_names,
        is_exhaustive=bool(exhaustive),
        separator=separator,
        progress=progress,
    )
    if progress is not None:
        progress(0, 1, "reading labels")
    builder = request.start(class_names) if layout is None else _read(layout, request)
    for problem in (*problems, *request.problems):
        builder.add_problem(problem.message, file=problem.file, line=problem.line)
    try:
        table = builder.build(skip_bad=skip_bad)
    except LabelProblems as error:
        raise LabelProblems(error.problems, "Correct these places, or leave them out with --skip-bad.") from error
    if any(file.split for file in request.files):  # also for images without a label
        folders = (split_of_name(PurePosixPath(path).with_name("x")) for path in table.paths)
        table = replace(table, splits=tuple(own or split for own, split in zip(table.splits, folders, strict=True)))
    where = root if layout is None else layout.name
    if not table.num_classes:
        raise StudioError(f"the labels in {where} name no class", "Give the classes with --classes.")
    scores = _scores_of_unknown(builder, table)
    num_problems = sum(problem.count for problem in builder.problems)
    notes = [*extracted, *_about_format(request, layout, exhaustive), *request.notes]
    notes += _about_cells(request, scan, table, scores, str(where), num_problems)
    if progress is not None:
        progress(1, 1, "reading labels")
    return ReadResult(table, tuple(notes), tuple(bad_images), builder.problems, str(where), scores)


def _find_layout(
    root: Path, scan: ImageScan, labels: Path | None, columns: tuple[str, ...] | None, ignored: Collection[Path]
) -> Layout | None:
    if labels == NO_LABELS:
        return None
    if labels is not None:
        return open_labels(root, labels, columns)
    return find_labels(root, [path for path in scan.others if path not in ignored], columns)


def _read(layout: Layout, request: ReadRequest) -> TableBuilder:
    try:
        return layout.label_format.read(request)
    except (AttributeError, KeyError, TypeError) as error:
        if ".json" not in layout.label_format.suffixes:
            raise
        told = f"{layout.name} is not built as {layout.label_format.name} is: {error}"
        raise StudioError(told, "Correct the file, or export it anew.") from error


def _find_readable(
    root: Path, scan: ImageScan, check: bool, progress: Progress | None
) -> tuple[list[str], list[UnreadableImage], list[Problem]]:
    """Return the images that can be read, those that cannot, and what is wrong in words."""
    bad_images = check_images(scan.images, progress) if check else []
    reasons = {error.path: f"cannot read this image: {error.reason}" for error in bad_images}
    images = [path.relative_to(root).as_posix() for path in scan.images if path not in reasons]
    problems = [Problem(shown_path(path.relative_to(root)), 0, why) for path, why in (reasons | scan.refused).items()]
    if not images:
        told = f"no image in {root} can be read, of {len(problems):,}: {problems[0]}"
        raise StudioError(told, "Look whether the files are whole.")
    return images, bad_images, problems


def _class_names(root: Path, classes: str | Sequence[str] | None, layout: Layout | None) -> tuple[str, ...] | None:
    """Return the classes that were given or stand in `classes.txt`, or None."""
    if isinstance(classes, str):
        return parse_classes(classes)
    if classes is not None:
        return tuple(classes)
    if layout is not None and not layout.label_format.uses_classes_file:
        return None
    places = [root] if layout is None else [root, layout.folder, layout.files[0].path.parent]
    files = (place / CLASSES_FILE for place in places)
    return next((read_classes(file) for file in files if file.is_file()), None)


def _about_format(request: ReadRequest, layout: Layout | None, exhaustive: bool | None) -> list[str]:
    """Say what was read and how absence was understood."""
    if layout is None:
        return ["No labels were found: every cell is unknown."]
    name, label_format = layout.name, layout.label_format
    notes = [f"Labels read from {name} ({label_format.name}: {label_format.sign})."]
    if layout.ignored:
        notes.append(f"Files beside them that are no labels: {len(layout.ignored):,} ({shown(layout.ignored)}).")
    if splits := dict.fromkeys(file.split for file in layout.files if file.split):
        notes.append(f"Splits taken from the names of files and folders: {', '.join(splits)}.")
    if not label_format.names_only_positives:
        if exhaustive is not None:
            notes.append(f"{name} states absence itself, so --exhaustive and --not-exhaustive change nothing.")
    elif request.is_exhaustive:
        notes.append(f"A class that {name} does not name for an image is taken as absent (--exhaustive).")
    else:
        notes.append(
            f"{name} names only classes that are present. A class that is not named stays unknown; "
            "if the lists are complete, import with --exhaustive and it becomes absent."
        )
    return notes


def _scores_of_unknown(builder: TableBuilder, table: LabelTable) -> NDArray[np.float32] | None:
    """Return what machines say of unknown cells, or None; of known ones it says nothing new."""
    scores = builder.scores
    if scores is not None:
        scores[table.states != UNKNOWN] = np.nan
    return None if scores is None or np.isnan(scores).all() else scores


def _about_cells(
    request: ReadRequest,
    scan: ImageScan,
    table: LabelTable,
    scores: NDArray[np.float32] | None,
    where: str,
    num_problems: int,
) -> list[str]:
    """Say what became of labels of machines, which images have no row or are not read, and what was left out."""
    num_without = table.num_images - len(request.found) if request.found else 0
    num_scored = 0 if scores is None else np.count_nonzero(~np.isnan(scores))
    num_other, num_test = len(request.other_endings), np.count_nonzero(table.is_test)
    name, path = next(iter(request.other_endings.items()), ("", ""))
    said = (
        (num_scored, f"Labels of machines for cells that stay unknown: {num_scored:,}; they become pseudo-labels."),
        (request.num_without_score, f"Labels of machines without a score, left out: {request.num_without_score:,}."),
        (num_without, f"Images without a row in {where}: {num_without:,}; their cells are unknown."),
        (num_other, f"Images with another ending than in {where}: {num_other:,} ({name} is {path})."),
        (len(scan.unread), f"Images of kinds that are not read{_unread(scan)}."),
        (num_problems, f"Problems passed over (--skip-bad): {num_problems:,}."),
        (num_test, f"Images of split test: {num_test:,}; they only measure: no training, no pseudo-labels."),
    )
    return [line for count, line in said if count]


def _unread(scan: ImageScan) -> str:
    """Return how many images of which kinds are not read; empty for none."""
    kinds = Counter(path.suffix.lower() for path in scan.unread)
    return f": {', '.join(f'{count:,} {kind}' for kind, count in sorted(kinds.items()))}" if kinds else ""
