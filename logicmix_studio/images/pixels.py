"""Turn an image file into (3, S, S) bytes: decode, stand upright, resize."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision import io as torchvision_io
from torchvision.transforms.v2 import functional as kernels

from logicmix_studio.images.decode import JPEG_SUFFIXES, open_rgb

ResizeRule = Literal["squash", "crop"]
"""`squash` changes the aspect ratio, as the method does; `crop` keeps it and cuts the longer side evenly."""

RESIZE_RULES: Final[tuple[ResizeRule, ...]] = ("squash", "crop")

# Above this many bytes the header is read first: a camera file is decoded at 1/2, 1/4 or 1/8 of its size.
_LARGE_FILE: Final = 400_000
# A scaled decode keeps at least this many times the wanted size, so that the resize still averages pixels.
_SPARE: Final = 2


def load_pixels(path: Path, size: int, rule: ResizeRule = "squash") -> Tensor:
    """Decode and resize one image to (3, S, S) uint8; an UnreadableImage error where that fails."""
    return resize(_decode(path, size), size, rule)


def resize(image: Tensor, size: int, rule: ResizeRule) -> Tensor:
    """Bring a (3, H, W) uint8 image to (3, S, S), smoothed where it shrinks."""
    if rule == "crop":
        height, width = image.shape[-2:]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        image = image[:, top : top + side, left : left + side]
    resized: Tensor = kernels.resize(image, [size, size], antialias=True)
    return resized


def _decode(path: Path, size: int) -> Tensor:
    """Return (3, H, W) uint8, upright; large JPEGs may come out smaller than they are, yet not below 2 S."""
    # torchvision (announced to drop its decoders one day) decodes a third faster than Pillow.
    decode_jpeg = getattr(torchvision_io, "decode_jpeg", None)
    if decode_jpeg is not None and path.suffix.lower() in JPEG_SUFFIXES and _is_small_file(path):
        try:
            content = torch.from_numpy(np.fromfile(path, dtype=np.uint8))
            decoded: Tensor = decode_jpeg(content, mode=torchvision_io.ImageReadMode.RGB, apply_exif_orientation=True)
        except (RuntimeError, ValueError):
            # No JPEG in spite of its name, or of a rare kind; if not, Pillow says best what is wrong.
            return _to_tensor(open_rgb(path))
        return decoded
    return _to_tensor(open_rgb(path, at_least=_SPARE * size))


def _is_small_file(path: Path) -> bool:
    """Tell whether a scaled decode would not pay; what is missing or no file is left to `open_rgb`'s error."""
    try:
        return path.is_file() and 0 < os.path.getsize(path) <= _LARGE_FILE
    except OSError:
        return False


def _to_tensor(image: Image.Image) -> Tensor:
    """Return a Pillow image as (3, H, W) uint8 that shares the memory of an (H, W, 3) array."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)
