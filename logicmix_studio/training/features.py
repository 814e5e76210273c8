"""Pooled features of every image, kept in the workspace so that an unchanged image is embedded once."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.images.pixels import load_pixels
from logicmix_studio.mixing import Normalisation
from logicmix_studio.training.backbone import MultiLabelNet, prepare_images, weights_hash
from logicmix_studio.training.run_folder import save_array, write_json
from logicmix_studio.training.settings import BackboneSettings

SHARD_ROWS = 2048
"""Images embedded between two writes to the cache: what a kill can cost."""

_MOST_NAMED = 5

Progress = Callable[[int, int], None]
"""Called with how many images are done, and of how many; may raise to stop."""


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
        self._where: dict[str, tuple[int, int]] = {}
        self._num_shards = 0
        for index in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            number = int(index.stem)
            self._num_shards = max(self._num_shards, number + 1)
            keys: list[str] = json.loads(index.read_text(encoding="utf-8"))["keys"]
            self._where.update({key: (number, row) for row, key in enumerate(keys)})

    @staticmethod
    def key(image: ImageFile) -> str:
        """Return what a row is found by: the image and the state of its file."""
        return f"{image.image_id} {image.stamp}"

    def missing(self, images: Sequence[ImageFile]) -> list[int]:
        """Return the positions of readable images that have no row yet."""
        return [
            place for place, image in enumerate(images) if image.stamp and self.key(image) not in self._where
        ]

    def add(self, images: Sequence[ImageFile], values: NDArray[np.float16]) -> None:
        """Keep features, (n, D); the index is written last, so that a kill leaves no half shard in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        number = self._num_shards
        keys = [self.key(image) for image in images]
        save_array(self.folder / f"{number:06d}.npy", values)
        write_json(self.folder / f"{number:06d}.json", {"keys": keys})
        self._num_shards += 1
        self._where.update({key: (number, row) for row, key in enumerate(keys)})

    def gather(self, images: Sequence[ImageFile], feature_size: int) -> Features:
        """Return the features of these images; those without a row are unreadable."""
        values = np.zeros((len(images), feature_size), dtype=np.float16)
        is_readable = np.zeros(len(images), dtype=bool)
        by_shard: dict[int, list[tuple[int, int]]] = {}
        for place, image in enumerate(images):
            found = self._where.get(self.key(image))
            if found is not None:
                by_shard.setdefault(found[0], []).append((place, found[1]))
        for number, pairs in by_shard.items():
            places, rows = np.array(pairs).T
            shard = np.load(self.folder / f"{number:06d}.npy", mmap_mode="r", allow_pickle=False)
            values[places] = shard[rows]
            is_readable[places] = True
        return Features(values, is_readable, 0)


def look_at_files(root: Path, image_ids: Sequence[str], paths: Sequence[str]) -> list[ImageFile]:
    """Return the images with the state of their files.

    Args:
        root: Folder of the images.
        image_ids: N ids.
        paths: N paths below it.

    Raises:
        StudioError: If the folder is missing, or none of the images is there.
    """
    if not root.is_dir():
        raise StudioError(f"the images' folder {root} is missing", "Bring it back, or start a new run.")
    files = [
        ImageFile(image_id, root / path, _stamp(root / path))
        for image_id, path in zip(image_ids, paths, strict=True)
    ]
    if files and not any(file.stamp for file in files):
        raise StudioError(
            f"none of the {len(files)} images is below {root}, for example {files[0].path} is missing",
            "Is the disk mounted? Has the folder been moved?",
        )
    return files


def describe_missing(images: Sequence[ImageFile], is_readable: NDArray[np.bool_]) -> str:
    """Return in words which images could not be read, or nothing where all could."""
    names = [str(images[place].path) for place in np.flatnonzero(~is_readable).tolist()]
    if not names:
        return ""
    shown = ", ".join(names[:_MOST_NAMED]) + (" ..." if len(names) > _MOST_NAMED else "")
    return f"{len(names)} of {len(images)} images are missing or unreadable and left out: {shown}"


def embed_all(
    net: MultiLabelNet,
    images: Sequence[ImageFile],
    settings: BackboneSettings,
    normalisation: Normalisation | None,
    cache_folder: Path,
    *,
    device: torch.device,
    batch_size: int,
    progress: Progress | None = None,
) -> Features:
    """Return the pooled features of every image, embedding only those that are new or changed.

    Args:
        net: In any mode; its head is not used.
        images: N images.
        settings: Image size and resize rule.
        normalisation: The backbone's.
        cache_folder: The workspace's cache.
        device: Where to compute.
        batch_size: Images at once.
        progress: Called after each batch.
    """
    folder = cache_folder / "features" / _folder_name(net, settings, normalisation)
    cache = FeatureCache(folder)
    todo = cache.missing(images)
    net.eval()
    done = 0
    for start in range(0, len(todo), SHARD_ROWS):
        kept: list[ImageFile] = []
        values: list[Tensor] = []
        for batch, pixels in _decode(
            [images[place] for place in todo[start : start + SHARD_ROWS]], settings, batch_size
        ):
            done += len(batch)
            readable = [image for image, pixel in zip(batch, pixels, strict=True) if pixel is not None]
            stacked = [pixel for pixel in pixels if pixel is not None]
            if stacked:
                values.append(_embed(net, torch.stack(stacked), normalisation, device))
                kept.extend(readable)
            if progress is not None:
                progress(done, len(todo))
        if kept:
            cache.add(kept, torch.cat(values).numpy())
    gathered = cache.gather(images, net.feature_size)
    return Features(gathered.values, gathered.is_readable, len(todo))


@torch.inference_mode()
def _embed(
    net: MultiLabelNet, pixels: Tensor, normalisation: Normalisation | None, device: torch.device
) -> Tensor:
    return net.features(prepare_images(pixels.to(device), normalisation)).half().cpu()


def _decode(
    images: Sequence[ImageFile], settings: BackboneSettings, batch_size: int
) -> Iterator[tuple[Sequence[ImageFile], list[Tensor | None]]]:
    """Yield batches and their pixels; the next batch is decoded while this one is embedded."""

    def load(image: ImageFile) -> Tensor | None:
        try:
            return load_pixels(image.path, settings.image_size, settings.resize)  # type: ignore[arg-type]
        except StudioError:
            return None  # counted as unreadable and reported by name

    with ThreadPoolExecutor(max(1, (os.cpu_count() or 2) - 1)) as pool:
        starts = range(0, len(images), batch_size)
        batches = [images[start : start + batch_size] for start in starts]
        ahead = [pool.submit(load, image) for image in batches[0]] if batches else []
        for number, batch in enumerate(batches):
            pixels = ahead
            following = batches[number + 1] if number + 1 < len(batches) else []
            ahead = [pool.submit(load, image) for image in following]
            yield batch, [future.result() for future in pixels]


def _folder_name(net: MultiLabelNet, settings: BackboneSettings, normalisation: Normalisation | None) -> str:
    parts = [
        settings.name,
        weights_hash(net.backbone),
        settings.image_size,
        settings.resize,
        settings.pooling,
    ]
    return "-".join(map(str, parts if normalisation is not None else [*parts, "raw"]))


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
