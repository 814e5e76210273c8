"""The label formats, and where a folder keeps its labels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Final

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.coco_json import COCO_JSON
from logicmix_studio.formats.csv_list import CSV_LIST
from logicmix_studio.formats.csv_long import CSV_LONG
from logicmix_studio.formats.csv_wide import CHEXPERT, CSV_WIDE
from logicmix_studio.formats.cvat_xml import CVAT_XML
from logicmix_studio.formats.fiftyone_samples import FIFTYONE_SAMPLES
from logicmix_studio.formats.json_lists import FIFTYONE_LISTS, JSON_LISTS
from logicmix_studio.formats.label_file import LabelFile
from logicmix_studio.formats.label_format import LabelFormat
from logicmix_studio.formats.label_studio import LABEL_STUDIO
from logicmix_studio.formats.nus_wide import NUS_WIDE
from logicmix_studio.formats.open_images import OPEN_IMAGES
from logicmix_studio.formats.parquet import PARQUET
from logicmix_studio.formats.roboflow import ROBOFLOW
from logicmix_studio.formats.texts import part_of, shown, split_of_name
from logicmix_studio.formats.voc_lists import VOC_LISTS
from logicmix_studio.formats.voc_xml import VOC_XML
from logicmix_studio.formats.yolo import YOLO
from logicmix_studio.images.decode import scan_images

FORMATS: Final = (
    *(OPEN_IMAGES, ROBOFLOW, CSV_LONG, CSV_LIST, CHEXPERT, PARQUET, CSV_WIDE),
    *(COCO_JSON, LABEL_STUDIO, FIFTYONE_SAMPLES, FIFTYONE_LISTS, JSON_LISTS),
    *(VOC_XML, CVAT_XML),
    *(VOC_LISTS, NUS_WIDE, YOLO),
)
"""All formats; the first one that fits a file is its format."""
LABELS_FILE: Final = "labels.csv"
"""A file of this name beside the images is taken, whatever else lies there."""

_SUFFIXES: Final = tuple(dict.fromkeys(suffix for label_format in FORMATS for suffix in label_format.suffixes))
# Where several kinds of files lie in a folder, the first kind that is of some format is taken.
_ORDER: Final = ((".csv", ".tsv", ".parquet", ".jsonl"), (".json",), (".xml",), (".txt",))
_JSON_DEPTH: Final = 2


@dataclass(frozen=True)
class Layout:
    """Where the labels stand."""

    label_format: LabelFormat
    files: tuple[LabelFile, ...]
    name: str
    """What it is called in messages."""
    folder: Path
    """Where they were looked for."""
    ignored: tuple[str, ...] = ()
    """Files beside them that are no labels."""


class NoLabelsError(StudioError):
    """A file of no format, which may be right for what it is."""


def recognise(file: LabelFile, formats: Sequence[LabelFormat] = FORMATS) -> LabelFormat:
    """Return the format of a label file, judged by its ending and its contents.

    Raises:
        StudioError: If it is none of the formats.
    """
    suffix = file.path.suffix.lower()
    fitting = [label_format for label_format in formats if suffix in label_format.suffixes]
    if not fitting:
        raise StudioError(
            f"{file.path} is no label file: its name ends in none of {', '.join(_SUFFIXES)}",
            "Name the file with the labels; docs/formats.md shows all formats that are read.",
        )
    for label_format in fitting:
        if label_format.fits(file):
            return label_format
    if CSV_WIDE in fitting:
        image = file.table.image_column
        found = (f"{column}" if column.is_foreign else column.title for column in file.table.columns)
        others = shown((text for i, text in enumerate(found) if i != image and text), 20)
        what = "there is no column of labels"
        add = "Add one column a class (1, 0 or empty), or a column 'labels' with names joined by |"
        if image is None:
            what, add = "no column names the image", "Call that column 'image' (docs/formats.md shows all formats)"
        hint = f"{add}; or say that there are no labels (--labels none)."
        raise StudioError(f"{file.path}:1: {what} (found: {others})", hint)
    raise NoLabelsError(
        f"{file.path} is of no format that is read: there is nothing of "
        + "; ".join(f"{label_format.sign} ({label_format.name})" for label_format in fitting),
        "Give another file; docs/formats.md shows all formats that are read.",
    )


def open_labels(root: Path, labels: Path, columns: tuple[str, ...] | None = None) -> Layout:
    """Return what a named label file or folder of them holds.

    Raises:
        StudioError: If there is none, or it is of no format.
    """
    if labels.is_dir():
        found = find_labels(labels, scan_images(labels).others, columns, root)
        if found is None:
            raise StudioError(f"there is no label file in {labels}", "Check the path given with --labels.")
        return found
    if not labels.is_file():
        raise StudioError(f"there is no label file {labels}", "Check the path given with --labels.")
    file = LabelFile(labels, _name(labels, root, labels.parent), columns=columns)
    return Layout(recognise(file), (file,), labels.name, labels.parent)


def find_labels(
    folder: Path, files: Sequence[Path], columns: tuple[str, ...] | None = None, root: Path | None = None
) -> Layout | None:
    """Return the labels that lie in a folder, or None.

    In this order: `labels.csv`; tables, those beside the images first; JSON files, not deeper than in a folder;
    XML files; text files. Of several files one is taken if it is the only one of some format; or all, if each is called
    after another split or lies in its folder, or if files of the format belong together.

    Args:
        folder: The folder.
        files: The files in it that are no images.
        columns: In tables: the only columns that hold labels.
        root: The data set's folder, if it is another one.

    Raises:
        StudioError: If several files may be meant, or the only one can't be read.
    """
    root, errors = root or folder, list[StudioError]()
    if folder / LABELS_FILE in files:
        return open_labels(root, folder / LABELS_FILE, columns)
    for suffixes in _ORDER:
        paths = [path for path in files if path.suffix.lower() in suffixes]
        if suffixes == (".json",):
            paths = [path for path in paths if len(path.relative_to(folder).parts) <= _JSON_DEPTH]
        near = [path for path in paths if path.parent == folder]
        for group in (near, [path for path in paths if path.parent != folder]) if ".csv" in suffixes else (paths,):
            labels = [LabelFile(path, _name(path, root, folder), columns=columns) for path in group]
            if layout := _only(folder, labels, errors):
                return layout
    if errors:
        raise errors[0]
    return None


def _only(folder: Path, files: Sequence[LabelFile], errors: list[StudioError]) -> Layout | None:
    """Return the only labels among files of one kind, or None; note why files that should be some are not."""
    found: dict[LabelFormat, list[LabelFile]] = defaultdict(list)
    ignored = []
    # A text file may be anything: it is no table unless somebody says so.
    formats = (
        [each for each in FORMATS if each.is_folder] if files and files[0].path.suffix.lower() == ".txt" else FORMATS
    )
    for file in files:
        try:
            found[recognise(file, formats)].append(file)
        except StudioError as error:
            if not isinstance(error, NoLabelsError):
                errors.append(error)
            ignored.append(file.name)
    if found and all(label_format.is_folder for label_format in found):
        best = max(found, key=lambda label_format: len(found[label_format]))
        places = {file.path if len(found[best]) == 1 else file.path.parent for file in found[best]}
        name = (places.pop() if len(places) == 1 else folder).name
        return Layout(best, _with_splits(found[best], by_folder=True), name, folder, tuple(ignored))
    if not found:
        return None
    group = [file for files in found.values() for file in files]
    parted, best = _with_splits(group), next(iter(found))
    whole = {(file.path.parent, part_of(file.path)) for file in group}
    has_own_split = len(whole) in (1, len({file.split for file in parted if file.split}))
    if len(group) > 1 and (len(found) > 1 or not (has_own_split or best.is_by_cell)):
        raise StudioError(
            f"{len(group)} files in {folder} may hold the labels: {shown(file.name for file in group)}",
            f"Name one with --labels FILE, or call it {LABELS_FILE}.",
        )
    return Layout(best, parted, shown(file.name for file in group), folder)


def _with_splits(files: Sequence[LabelFile], *, by_folder: bool = False) -> tuple[LabelFile, ...]:
    """Return files with the splits that they, or their folders, are called after, where these are several."""
    names = (PurePosixPath(file.name) for file in files)
    splits = [split_of_name(name.with_name("x") if by_folder else name) for name in names]
    if len(set(splits)) == 1:
        return tuple(files)
    return tuple(replace(file, split=split) for file, split in zip(files, splits, strict=True))


def _name(path: Path, root: Path, folder: Path) -> str:
    """Return a file's path below the data set's folder, or below the folder of labels if that lies elsewhere."""
    return path.relative_to(root if path.is_relative_to(root) else folder).as_posix()
