"""The published data sets of the 27 scenarios: how their files lie, how they are read, and where they come from."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np

from logicmix_studio.errors import StudioError, writing
from logicmix_studio.formats import read_dataset
from logicmix_studio.labels import TEST_SPLIT, LabelTable
from logicmix_studio.words import Progress

CHUNK: Final = 1 << 20  # bytes that are fetched at a time
_RESUMED, _COMPLETE = 206, 416  # what a server answers where the rest of a file is sent, and where there is none


@dataclass(frozen=True)
class PublishedSet:
    """One published data set; names of files are below its folder."""

    title: str
    parts: tuple[tuple[str, str, str], ...]
    """Images, their labels, and the split of them all. Where that is empty the labels name splits: all but ``test`` train,
    and images of none are left out. Parts share one list of classes."""
    archives: tuple[tuple[str, str], ...]
    """Address of each archive, and a file or folder that is there once it is unpacked."""
    by_hand: str = ""
    """What no archive holds, and where to get it."""


_VOC: Final = "VOCdevkit/VOC2007"
_VOC_ARCHIVE: Final = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/VOC{}_06-Nov-2007.tar"
_COCO: Final = "http://images.cocodataset.org"
_COCO_LABELS: Final = "annotations/instances_{}.json"
_VG: Final = "https://cs.stanford.edu/people/rak248/VG_100K_2"
_VG_LISTS: Final = ("vg_category_200_labels_index.json", "train_list_500.txt", "test_list_500.txt")

PUBLISHED_SETS: Final = {
    "voc2007": PublishedSet(
        "VOC 2007",
        ((f"{_VOC}/JPEGImages", f"{_VOC}/ImageSets/Main", ""),),
        tuple((_VOC_ARCHIVE.format(part), f"{_VOC}/ImageSets/Main/{part}.txt") for part in ("trainval", "test")),
    ),
    "coco2014": PublishedSet(
        "COCO 2014",
        tuple(
            (part, _COCO_LABELS.format(part), split) for part, split in (("train2014", "train"), ("val2014", "test"))
        ),
        (
            (f"{_COCO}/annotations/annotations_trainval2014.zip", _COCO_LABELS.format("val2014")),
            *((f"{_COCO}/zips/{part}.zip", part) for part in ("val2014", "train2014")),
        ),
    ),
    "vg200": PublishedSet(
        "VG-200",
        ((".", _VG_LISTS[0], ""),),
        ((f"{_VG}/images.zip", "VG_100K"), (f"{_VG}/images2.zip", "VG_100K_2")),
        f"{', '.join(_VG_LISTS)}: papers on partial labels share them, see https://github.com/HCPLab-SYSU/HCP-MLR-PL",
    ),
}
"""By the name that the command line takes."""


def find_published(name: str) -> PublishedSet:
    """Return a published data set by its name.

    Raises:
        StudioError: If there is none of that name.
    """
    if name not in PUBLISHED_SETS:
        raise StudioError(f"there is no published data set {name!r}", f"choose among {', '.join(PUBLISHED_SETS)}")
    return PUBLISHED_SETS[name]


def read_published(name: str, folder: Path, progress: Progress | None = None) -> LabelTable:
    """Return all labels of a published data set; a class that is not named is absent, a difficult object is present.

    Args:
        name: One of `PUBLISHED_SETS`.
        folder: Where its files lie as their archives unpack them.
        progress: Told of each step.

    Raises:
        StudioError: If there is no such set, or a file is missing or can't be read.
    """
    paths, splits, states = list[str](), list[str](), []
    for images, labels, whole in find_published(name).parts:
        if missing := [place for place in (images, labels) if not (folder / place).exists()]:
            hint = f"fetch it: logicmix-studio benchmark fetch {name} {folder}"
            raise StudioError(f"{folder / missing[0]} is missing", hint)
        at, named = folder / images, folder / labels
        table = read_dataset(at, labels=named, exhaustive=True, check=False, progress=progress).table
        paths += [f"{images}/{path}" for path in table.paths]
        splits += [whole or (split if split in ("", TEST_SPLIT) else "train") for split in table.splits]
        states.append(table.states)
    kept = [row for row, split in enumerate(splits) if split]
    every = np.concatenate(states)[kept]
    return LabelTable.build([paths[row] for row in kept], table.class_names, every, [splits[row] for row in kept])


def fetch_published(name: str, folder: Path, progress: Progress | None = None) -> str:
    """Fetch and unpack what is not there yet, and return what is to be got by hand beside it; empty for nothing.

    A transfer that was cut off goes on where it stopped.

    Raises:
        StudioError: If there is no such set, no network, an archive is damaged, or the disk refuses.
    """
    found = find_published(name)
    for address, product in found.archives:
        archive = folder / address.rpartition("/")[2]
        if (folder / product).exists() and not archive.exists():
            continue
        download(address, archive, progress)
        with writing(folder):
            try:
                shutil.unpack_archive(archive, folder, filter="data" if archive.suffix == ".tar" else None)
            except (shutil.ReadError, tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
                raise StudioError(f"{archive} is damaged: {error}", "it is deleted: fetch it again") from error
            finally:
                archive.unlink()
    return found.by_hand


def download(address: str, file: Path, progress: Progress | None = None) -> None:
    """Fetch a file unless it is there; what came before a transfer was cut off is not fetched again.

    Raises:
        StudioError: If the server can't be reached or ends too early, or the disk refuses.
    """
    if file.exists():
        return
    part = file.with_name(f"{file.name}.part")
    hint = f"try again, it goes on where it stopped; or fetch {address} by hand to {file}"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        there = part.stat().st_size if part.exists() else 0
        with urlopen(Request(address, headers={"Range": f"bytes={there}-"})) as answer:  # noqa: S310  # known addresses
            there = there if answer.status == _RESUMED else 0
            total = there + int(answer.headers.get("Content-Length") or 0)
            with part.open("ab" if there else "wb") as sink:
                while chunk := answer.read(CHUNK):
                    there += sink.write(chunk)
                    if progress is not None:
                        progress(there, total, file.name)
    except OSError as error:
        if not (isinstance(error, HTTPError) and error.code == _COMPLETE):
            raise StudioError(f"cannot fetch {address} to {part}: {error}", hint) from error
    else:
        if there < total:
            raise StudioError(f"{address} ended after {there:,} of {total:,} bytes", hint)
    part.replace(file)
