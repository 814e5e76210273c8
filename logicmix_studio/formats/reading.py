"""Read a folder of images with its labels into a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.registry import LabelFormat, find_labels, recognise
from logicmix_studio.formats.request import ImageNames, ReadRequest
from logicmix_studio.formats.texts import CLASSES_FILE, parse_classes, read_classes
from logicmix_studio.images.decode import ImageScan, Progress, UnreadableImage, check_images, scan_images
from logicmix_studio.labels import LabelProblems, LabelTable, Problem


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


def read_dataset(
    root: Path,
    *,
    labels: Path | None = None,
    classes: str | Sequence[str] | None = None,
    exhaustive: bool | None = None,
    skip_bad: bool = False,
    check: bool = True,
    progress: Progress | None = None,
) -> ReadResult:
    """Read a folder of images and the labels that lie with it.

    Args:
        root: The folder.
        labels: The label file, or a folder of VOC files; found by itself if None.
        classes: Class names in column order, or as the option `--classes` gives them: names joined by commas,
            or a file with one name a line. Found in the labels or in `classes.txt` if None.
        exhaustive: In a format that names only the classes present (list, VOC, COCO): whether every other
            class is absent. They stay unknown if None, and a note says so.
        skip_bad: Whether to leave out broken images and wrong statements instead of refusing all.
        check: Whether to decode every image once in order to find broken ones.
        progress: Called with (done, total, message).

    Raises:
        LabelProblems: Images or statements are wrong, all of them with file and line.
        StudioError: There are no images, no classes, or no labels that can be read.
    """
    scan = scan_images(root)
    if not scan.images:
        raise StudioError(f"there is no image in {root}", "Give the folder that holds the images.")
    labels = labels if labels is not None else find_labels(root)
    label_format = recognise(labels) if labels is not None else None
    class_names = _class_names(root, labels, classes, label_format)
    if labels is None and class_names is None:
        raise StudioError(
            f"{root} holds images, but neither labels nor classes",
            f"Give the classes (--classes a,b,c or --classes FILE), write them to {CLASSES_FILE}, "
            "one a line, or name a label file (--labels FILE).",
        )
    paths, bad_images, problems = _find_readable(root, scan, check, progress)
    bad_paths = [error.path.relative_to(root).as_posix() for error in bad_images]
    images, bad_names = ImageNames(root, paths), ImageNames(root, bad_paths)
    request = ReadRequest(labels or root, images, bad_names, class_names, bool(exhaustive))
    if progress is not None:
        progress(0, 1, "reading labels")
    builder = label_format.read(request) if label_format is not None else request.start(class_names)
    for problem in (*problems, *request.problems):
        builder.add_problem(problem.message, file=problem.file, line=problem.line)
    try:
        table = builder.build(skip_bad=skip_bad)
    except LabelProblems as error:
        raise LabelProblems(error.problems, "Correct these places, or leave them out with --skip-bad.") from error
    if not table.num_classes:
        raise StudioError(f"the labels in {request.labels} name no class", "Give the classes with --classes.")
    notes = [*_about_format(request, label_format, exhaustive), *request.notes]
    notes += _about_rows(request, table, len(builder.problems))
    if progress is not None:
        progress(1, 1, "reading labels")
    return ReadResult(table, tuple(notes), tuple(bad_images), builder.problems)


def _find_readable(
    root: Path, scan: ImageScan, check: bool, progress: Progress | None
) -> tuple[list[str], list[UnreadableImage], list[Problem]]:
    """Return the images that can be read, those that cannot, and what is wrong in words."""
    bad_images = check_images(scan.images, progress) if check else []
    reasons = {error.path: f"cannot read this image: {error.reason}" for error in bad_images}
    images = [path.relative_to(root).as_posix() for path in scan.images if path not in reasons]
    if not images:
        raise StudioError(
            f"no image in {root} can be read, of {len(scan.images):,}: {bad_images[0].reason}",
            "Look whether the files are whole.",
        )
    reasons |= dict.fromkeys(scan.refused, "this link leads out of the data set's folder")
    problems = [Problem(path.relative_to(root).as_posix(), 0, reason) for path, reason in reasons.items()]
    return images, bad_images, problems


def _class_names(
    root: Path, labels: Path | None, classes: str | Sequence[str] | None, label_format: LabelFormat | None
) -> tuple[str, ...] | None:
    """Return the classes that were given or stand in `classes.txt`, or None."""
    if isinstance(classes, str):
        return parse_classes(classes)
    if classes is not None:
        return tuple(classes)
    if label_format is not None and not label_format.uses_classes_file:
        return None
    places = [root] if labels is None else [root, labels.parent]
    files = (place / CLASSES_FILE for place in places)
    return next((read_classes(file) for file in files if file.is_file()), None)


def _about_format(request: ReadRequest, label_format: LabelFormat | None, exhaustive: bool | None) -> list[str]:
    """Say what was read and how absence was understood."""
    if label_format is None:
        return ["No labels were found: every cell is unknown."]
    name = request.labels.name
    notes = [f"Labels read from {name} ({label_format.name})."]
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


def _about_rows(request: ReadRequest, table: LabelTable, num_problems: int) -> list[str]:
    """Say which images have no row, and what was left out."""
    notes = []
    num_without = table.num_images - len(request.found)
    if num_without and request.found:
        notes.append(f"Images without a row in {request.labels.name}: {num_without:,}; their cells are unknown.")
    if num_problems:
        notes.append(f"Problems passed over (--skip-bad): {num_problems:,}.")
    num_test = int(np.count_nonzero(table.is_test))
    if num_test:
        notes.append(f"Images of split test: {num_test:,}; they only measure: no training, no pseudo-labels.")
    return notes
