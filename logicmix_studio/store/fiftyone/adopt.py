"""Reads a data set that lives in FiftyOne already: what one or two of its fields say of whole images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from pymongo.database import Database

from logicmix_studio.errors import StudioError
from logicmix_studio.formats.texts import WrongValueError, parse_split
from logicmix_studio.labels import NEGATIVE, POSITIVE, LabelProblems, LabelTable, Problem
from logicmix_studio.store.fiftyone.create import OWN_FIELDS
from logicmix_studio.store.fiftyone.documents import META, Entry
from logicmix_studio.store.fiftyone.sync_state import check_version

_LISTS: Final = {name: name.lower() for name in ("Classifications", "Detections", "Polylines", "Keypoints")}
_SINGLE: Final = ("Classification", "Detection", "Polyline", "Keypoint")


@dataclass(frozen=True)
class Adoption:
    """Which data set of FiftyOne's is to be adopted, and what its fields mean."""

    dataset: str
    """Its name."""
    field: str
    """Labels that are present."""
    negative_field: str | None = None
    """Labels that are absent."""
    exhaustive: bool = False
    """Whether a class is absent where the field says something, but not this class."""


@dataclass(frozen=True)
class Adopted:
    """What was read; the image ids are the samples' own."""

    dataset_id: str
    root: Path
    """The folder that holds all images."""
    table: LabelTable
    meta: Entry
    """What stands in ``logicmix_meta`` of this data set, empty where it was never adopted."""


def read_adopted(database: Database[Entry], adoption: Adoption, root: Path | None = None) -> Adopted:
    """Read a data set.

    Args:
        database: FiftyOne's database.
        adoption: What is to be read.
        root: The folder that holds all images; their common folder unless given.

    Raises:
        StudioError: There is no such data set or field, or it holds what the studio cannot show.
    """
    stored = _find(database, adoption)
    meta = database[META].find_one({"dataset_id": str(stored["_id"])}) or {}
    names = {field["name"] for field in stored["sample_fields"]}
    if taken := sorted(names.intersection(OWN_FIELDS)) if not meta else []:
        raise StudioError(
            f"the data set {adoption.dataset!r} has fields that the studio writes: {', '.join(taken)}",
            f"rename them in FiftyOne first: dataset.rename_sample_field({taken[0]!r}, 'my_{taken[0]}')",
        )
    fields = {POSITIVE: adoption.field, NEGATIVE: adoption.negative_field}
    wanted = {name: 1 for name in fields.values() if name}
    samples = list(database[stored["sample_collection_name"]].find({}, {"filepath": 1, "tags": 1, **wanted}))
    said = {state: [_labels(sample, name) for sample in samples] for state, name in fields.items()}
    classes = _classes(stored, adoption, (names for column in said.values() for names in column))
    root, paths = _place(samples, root)
    column_of = {name: column for column, name in enumerate(classes)}
    states = np.zeros((len(samples), len(classes)), dtype=np.int8)
    problems = []
    for row, (present, absent) in enumerate(zip(said[POSITIVE], said[NEGATIVE], strict=True)):
        both = sorted(set(present or ()) & set(absent or ()))
        problems += [Problem(paths[row], 0, f"{name!r} is in {' and in '.join(wanted)}") for name in both]
        if adoption.exhaustive and present is not None:
            states[row] = NEGATIVE
        states[row, [column_of[name] for name in absent or ()]] = NEGATIVE
        states[row, [column_of[name] for name in present or ()]] = POSITIVE
    if problems:
        raise LabelProblems(problems, "Correct these labels in FiftyOne.")
    ids, splits = (tuple(map(of, samples)) for of in (lambda sample: str(sample["_id"]), _split))
    return Adopted(str(stored["_id"]), root, LabelTable(ids, paths, classes, states, splits), meta)


def _find(database: Database[Entry], adoption: Adoption) -> Entry:
    stored = database["datasets"].find_one({"name": adoption.dataset})
    if stored is None:
        known = ", ".join(sorted(str(name) for name in database["datasets"].distinct("name"))) or "none"
        raise StudioError(f"FiftyOne has no data set {adoption.dataset!r}", f"its data sets: {known}")
    check_version(str(stored.get("version")))
    if stored.get("media_type") != "image":
        told = f"the data set {adoption.dataset!r} holds {stored.get('media_type') or 'nothing'}"
        raise StudioError(told, "the studio shows images only")
    kinds = {field["name"]: str(field.get("embedded_doc_type")).rpartition(".")[2] for field in stored["sample_fields"]}
    usable = [name for name, kind in kinds.items() if kind in (*_LISTS, *_SINGLE)]
    for name in filter(None, (adoption.field, adoption.negative_field)):
        if name not in usable:
            told = f"{adoption.dataset!r} has no field {name!r} with labels of images or objects"
            raise StudioError(told, f"fields that have: {', '.join(usable) or 'none'}")
    return stored


def _labels(sample: Entry, field: str | None) -> tuple[str, ...] | None:
    """Return the names in a field of a sample, None where it says nothing."""
    value: Any = sample.get(field) if field else None
    if value is None:
        return None
    labels = value.get(_LISTS[value["_cls"]]) or () if value["_cls"] in _LISTS else (value,)
    return tuple(dict.fromkeys(label["label"] for label in labels if label.get("label")))


def _classes(stored: Entry, adoption: Adoption, met: Iterator[tuple[str, ...] | None]) -> tuple[str, ...]:
    """Return the classes that the data set names, then those that are met besides."""
    named = (stored.get("classes") or {}).get(adoption.field) or stored.get("default_classes") or ()
    more = sorted({name for names in met for name in names or ()}.difference(named))
    return (*dict.fromkeys(named), *more)


def _place(samples: list[Entry], root: Path | None) -> tuple[Path, tuple[str, ...]]:
    """Return the folder of all images, and their paths below it."""
    files = [str(sample["filepath"]) for sample in samples]
    if gone := [file for file in files if not os.path.isfile(file)]:
        raise LabelProblems(
            [Problem(file, 0, "there is no such file") for file in gone], "Bring the images back first."
        )
    folder = os.path.abspath(root or os.path.commonpath([os.path.dirname(file) for file in files]))
    outside = [file for file in files if not file.startswith(os.path.join(folder, ""))]
    if outside or folder == os.path.dirname(folder):
        told = f"the images lie in different places, for example {files[0]} and {(outside or files)[-1]}"
        raise StudioError(told, "the studio needs all images of a data set below one folder")
    twice = len(files) - len(set(files))
    if twice:
        raise StudioError(f"{twice} samples show a file that another sample shows", "keep one sample a file")
    return Path(folder), tuple(os.path.relpath(file, folder) for file in files)


def _split(sample: Entry) -> str:
    """Return the one split that the tags of a sample name, as FiftyOne's zoo does it."""
    found = set()
    for tag in sample.get("tags") or ():
        try:
            found.add(parse_split(tag))
        except WrongValueError:
            continue
    return found.pop() if len(found) == 1 else ""
