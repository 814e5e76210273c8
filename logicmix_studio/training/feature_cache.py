"""Where the pooled features of images lie between runs. Imports no torch, so that the studio can count them."""

from __future__ import annotations

import glob
import uuid
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from logicmix_studio.files import parse_json, write_json
from logicmix_studio.training.run_folder import save_array
from logicmix_studio.training.settings import BackboneSettings


@dataclass(frozen=True)
class ImageFile:
    """One image and the state of its file."""

    image_id: str
    path: Path
    stamp: str
    """Size and time of change; empty where the file is missing."""


@dataclass(frozen=True)
class Features:
    """Features of all images, and which images could not be read."""

    values: NDArray[np.float16]
    """(N, D); zeros for an image that could not be read."""
    is_readable: NDArray[np.bool_]
    """(N,)."""
    num_embedded: int
    """How many images had to be embedded now."""


class FeatureCache:
    """Features by image, in shards that are written once and never changed.

    Args:
        folder: Made for one backbone, its weights and one image size.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._where: dict[str, tuple[str, int]] = {}
        for index in folder.glob("*.json"):
            with suppress(OSError, EOFError, ValueError, KeyError, TypeError):  # broken: embedded anew
                keys, rows = parse_json(index.read_text(encoding="utf-8"))["keys"], len(self._shard(index.stem))
                self._where.update({key: (index.stem, row) for row, key in enumerate(keys[:rows])})

    @staticmethod
    def key(image: ImageFile) -> str:
        """Return what a row is found by: the image and the state of its file."""
        return f"{image.image_id} {image.stamp}"

    def missing(self, images: Sequence[ImageFile]) -> list[int]:
        """Return the positions of readable images that have no row yet."""
        return [place for place, image in enumerate(images) if image.stamp and self.key(image) not in self._where]

    def add(self, images: Sequence[ImageFile], values: NDArray[np.float16]) -> None:
        """Keep features, (n, D), in a shard of a name of its own, as another run may write beside this one.

        The index is written last, so that a kill leaves no half shard in use.
        """
        shard = uuid.uuid4().hex
        keys = [self.key(image) for image in images]
        save_array(self.folder / f"{shard}.npy", values, new_folders=3)
        write_json(self.folder / f"{shard}.json", {"keys": keys})
        self._where.update({key: (shard, row) for row, key in enumerate(keys)})

    def gather(self, images: Sequence[ImageFile], feature_size: int) -> Features:
        """Return the features of these images; those without a row are unreadable."""
        values = np.zeros((len(images), feature_size), dtype=np.float16)
        is_readable = np.zeros(len(images), dtype=bool)
        by_shard: dict[str, list[tuple[int, int]]] = {}
        for place, image in enumerate(images):
            found = self._where.get(self.key(image))
            if found is not None:
                by_shard.setdefault(found[0], []).append((place, found[1]))
        for shard, pairs in by_shard.items():
            places, rows = np.array(pairs).T
            values[places] = self._shard(shard)[rows]
            is_readable[places] = True
        return Features(values, is_readable, 0)

    def _shard(self, name: str) -> NDArray[np.float16]:
        held: NDArray[np.float16] = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return held

    def count(self, image_ids: Collection[str]) -> int:
        """Return how many of these images have a row, whatever became of their files since."""
        return len({key.split(" ", 1)[0] for key in self._where} & set(image_ids))


def feature_folders(cache: Path) -> Path:
    """Return where the folders of all networks lie."""
    return cache / "features"


def folder_name(settings: BackboneSettings, weights: str) -> str:
    """Return the name of the folder of one network and the way it is shown images.

    Example:
        >>> folder_name(BackboneSettings(name="resnet18", image_size=160), "4f1c")
        'resnet18-4f1c-160-squash-mean_max'
    """
    parts = (settings.name, weights, settings.image_size, settings.resize, settings.pooling)
    return "-".join(map(str, parts if settings.should_normalize else (*parts, "raw")))


def count_cached(cache: Path, settings: BackboneSettings, image_ids: Collection[str]) -> int:
    """Return how many images have features in the cache, for the weights of which there are most."""
    mark = "0" * 16
    pattern = glob.escape(folder_name(settings, mark)).replace(mark, "*", 1)
    found = feature_folders(cache).glob(pattern)
    return max((FeatureCache(folder).count(image_ids) for folder in found), default=0)
