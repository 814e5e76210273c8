"""Pooled features of every image, kept in the workspace so that an unchanged image is embedded once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from logicmix_studio.errors import StudioError
from logicmix_studio.images.pixels import load_pixels
from logicmix_studio.mixing import Normalisation
from logicmix_studio.training.backbone import MultiLabelNet, prepare_images, weights_hash
from logicmix_studio.training.device import in_parts
from logicmix_studio.training.feature_cache import FeatureCache, Features, ImageFile, feature_folders, folder_name
from logicmix_studio.training.settings import BackboneSettings

SHARD_ROWS = 2048
"""Images embedded between two writes to the cache: what a kill can cost."""

_MOST_NAMED = 5

Progress = Callable[[int, int], None]
"""Called with how many images are done, and of how many; may raise to stop."""


def look_at_files(root: Path, image_ids: Sequence[str], paths: Sequence[str]) -> list[ImageFile]:
    """Return the images with the state of their files.

    Raises:
        StudioError: If the folder is missing, or none of the images is there.
    """
    if not root.is_dir():
        raise StudioError(f"the images' folder {root} is missing", "Bring it back, or start a new run.")
    files = [
        ImageFile(image_id, root / path, _stamp(root / path)) for image_id, path in zip(image_ids, paths, strict=True)
    ]
    if files and not any(file.stamp for file in files):
        raise StudioError(
            f"none of the {len(files)} images is below {root}, for example {files[0].path} is missing",
            "Is the disk mounted? Has the folder been moved?",
        )
    return files


def describe_missing(paths: Sequence[Path], is_readable: NDArray[np.bool_]) -> str:
    """Return in words which images could not be read, or nothing where all could."""
    names = [str(paths[place]) for place in np.flatnonzero(~is_readable).tolist()]
    if not names:
        return ""
    shown = ", ".join(names[:_MOST_NAMED]) + (" ..." if len(names) > _MOST_NAMED else "")
    return f"{len(names)} of {len(paths)} images are missing or unreadable and left out: {shown}"


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
    """Return the pooled features of every image, embedding only those that are new or changed."""
    folder = feature_folders(cache_folder) / folder_name(settings, weights_hash(net.backbone))
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
                values += in_parts(lambda some: _embed(net, some, normalisation), torch.stack(stacked).to(device))
                kept.extend(readable)
            if progress is not None:
                progress(done, len(todo))
        if kept:
            cache.add(kept, torch.cat(values).numpy())
    gathered = cache.gather(images, net.feature_size)
    return Features(gathered.values, gathered.is_readable, len(todo))


@torch.inference_mode()
def _embed(net: MultiLabelNet, pixels: Tensor, normalisation: Normalisation | None) -> Tensor:
    return net.features(prepare_images(pixels, normalisation)).half().cpu()


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


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"
