"""Small and large JPEG copies of images for the browser, with a cache on disk."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Final

from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.images.decode import UnreadableImage, open_rgb

MEDIA_TYPE: Final = "image/jpeg"
"""What `thumbnail` and `display_image` return."""

_THUMBNAIL_QUALITY: Final = 82
_DISPLAY_QUALITY: Final = 90


def thumbnail(path: Path, size: int, cache_dir: Path, image_id: str) -> bytes:
    """Return a small upright JPEG copy of an image, from the disk where it was made before.

    Args:
        path: The image file.
        size: Longest side in pixels; smaller images keep their size.
        cache_dir: Folder of the copies; made where missing.
        image_id: 24 hex digits.

    Raises:
        UnreadableImage: If the image is missing or broken.
    """
    return _copy(path, size, cache_dir, image_id, _THUMBNAIL_QUALITY)


def display_image(path: Path, max_side: int, cache_dir: Path, image_id: str) -> bytes:
    """Return a copy for the large view; otherwise as :func:`thumbnail`."""
    return _copy(path, max_side, cache_dir, image_id, _DISPLAY_QUALITY)


def version_of(path: Path) -> str:
    """Return a short text that changes when the file does, for an ETag or an address: its size and time of change.

    Raises:
        UnreadableImage: If there is no file.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UnreadableImage(path, "there is no such file") from error
    return f"{found.st_size:x}-{found.st_mtime_ns:x}"


def _copy(path: Path, max_side: int, cache_dir: Path, image_id: str, quality: int) -> bytes:
    """Return the copy of one size, made anew if the image has changed."""
    folder = cache_dir / image_id[:2]
    stem = f"{image_id}-{max_side}q{quality}-"
    copy = folder / f"{stem}{version_of(path)}.jpg"
    with contextlib.suppress(FileNotFoundError):
        return copy.read_bytes()
    image = open_rgb(path, at_least=2 * max_side)
    image.thumbnail((max_side, max_side), Image.Resampling.BICUBIC, reducing_gap=2.0)
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    with contextlib.suppress(OSError, StudioError):  # a full disk keeps no copy, but the picture can be shown
        for outdated in folder.glob(f"{stem}*.jpg"):
            outdated.unlink(missing_ok=True)
        with replacing(copy, is_durable=False, new_folders=3) as file:
            file.write(content.getvalue())
    return content.getvalue()
