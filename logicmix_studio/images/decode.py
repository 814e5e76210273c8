"""Find image files and decode them to RGB, whatever they are stored as."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import Image, ImageOps, features

from logicmix_studio.errors import StudioError
from logicmix_studio.words import Progress

JPEG_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif"})
_OTHER_SUFFIXES: Final = frozenset({".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
IMAGE_SUFFIXES: Final = JPEG_SUFFIXES | _OTHER_SUFFIXES | ({".avif"} if features.check("avif") else set())
"""File name endings, in lower case, that count as images."""
UNREAD_SUFFIXES: Final = frozenset(
    {".avif", ".heic", ".heif", ".jp2", ".jxl", ".svg", ".psd", ".dcm", ".dng", ".cr2", ".cr3", ".nef", ".arw"}
)
"""Endings of images that are not read (AVIF only where Pillow can't)."""

LABEL_SUFFIXES: Final = frozenset({".csv", ".tsv", ".json", ".xml"})
# Folders that a storage device, an archive program or a file system makes for itself.
_MACHINE_FOLDERS: Final = frozenset({"@eaDir", "#recycle", "$RECYCLE.BIN", "__MACOSX", "lost+found"})
# A folder that holds both is a workspace, wherever it lies.
_WORKSPACE_FILES: Final = frozenset({"workspace.json", "import"})

MAX_PIXELS: Final = 300_000_000
"""The largest image that is decoded; it needs 0.9 GB of memory as RGB."""


_ODD_KINDS: Final = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
_DEEP_GREY: Final = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
_CHECK_BLOCK: Final = 256
_ORIENTATION, _FIRST_TURNED = 0x0112, 5
"""The EXIF field, and its values from which on width and height are swapped."""
_DECODER_ERRORS: Final = (
    *(OSError, ValueError, SyntaxError, TypeError, LookupError, OverflowError, MemoryError, EOFError),
    *(NotImplementedError, Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""Pillow's decoders answer a broken file with any of these."""


class UnreadableImage(StudioError):  # noqa: N818 (named like the other things a user mends)
    """An image file that cannot be decoded."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(
            f"cannot read the image {path}: {reason}", "Replace or remove the file, or import the rest with --skip-bad."
        )
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class ImageScan:
    """What was found below a folder."""

    images: list[Path]
    """Image files, sorted by their path below the root; not resolved."""
    refused: dict[Path, str]
    """What is not opened, and why: links that lead nowhere or out of the root, names that are not UTF-8."""
    unread: list[Path]
    """Images of kinds that are not read."""
    others: list[Path]
    """All other files, sorted by their path."""


def open_file(path: Path) -> BinaryIO:
    """Open an image's file. A pipe, a device or a folder in its place is never waited for.

    Raises:
        OSError: If it is missing, can't be read, or is no file.
    """
    mode = path.stat().st_mode
    # A pipe may take the file's place right now: without O_NONBLOCK opening it would wait for a writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC) if stat.S_ISREG(mode) else None
    if descriptor is None or not stat.S_ISREG(mode := os.fstat(descriptor).st_mode):
        if descriptor is not None:
            os.close(descriptor)
        kind = next((words for is_kind, words in _ODD_KINDS if is_kind(mode)), "something else")
        raise OSError(f"this is {kind}, no file")
    return os.fdopen(descriptor, "rb")


def open_rgb(path: Path, at_least: int | None = None, content: bytes | None = None) -> Image.Image:
    """Decode one image to 8-bit RGB, turned upright as its EXIF data says.

    The first frame of an animation is taken. Transparent parts become white. Grey levels deeper than 8 bits
    are scaled from 8, 12 or 16 bits, the smallest of them that holds the brightest pixel.

    Args:
        path: The image file.
        at_least: If given, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as neither side
            becomes shorter than this. Much faster for camera files.
        content: What will stand in the file, where that is not written yet.

    Raises:
        UnreadableImage: If the file is missing, broken, no image or larger than `MAX_PIXELS`.
    """
    # Pillow warns from 89 megapixels on and refuses from 179: our own limit below takes its place.
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with open_file(path) if content is None else BytesIO(content) as file, Image.open(file) as image:
            return _to_upright_rgb(image, path, at_least)
    except UnreadableImage:
        raise
    except _DECODER_ERRORS as error:
        raise UnreadableImage(path, _reason(error)) from error


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return width and height of a picture as it is shown, from its header; None where the file can't be read."""
    try:
        with open_file(path) as file, Image.open(file) as image:
            width, height = image.size
            is_turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    return (height, width) if is_turned else (width, height)


def scan_images(root: Path) -> ImageScan:
    """List the files below a folder.

    Hidden files and folders (among them `.logicmix`), folders that machines make for themselves and workspaces are
    passed over. Linked folders inside the root are not entered, as their images are found under their own path.

    Raises:
        StudioError: If the root is no folder.
    """
    if not root.is_dir():
        raise StudioError(f"{root} is not a folder", "Give the folder that holds the images.")
    real_root = root.resolve()
    scan = ImageScan([], {}, [], [])
    for entry in _visible_entries(os.fspath(root)):
        path, suffix = Path(entry.path), os.path.splitext(entry.name)[1].lower()
        is_image = suffix in IMAGE_SUFFIXES
        if entry.is_symlink() and (is_image or entry.is_dir()) and not path.exists():
            scan.refused[path] = f"this link leads nowhere ({shown_path(path.readlink())})"
        elif entry.is_symlink() and (is_image or entry.is_dir()) and not path.resolve().is_relative_to(real_root):
            scan.refused[path] = "this link leads out of the data set's folder"
        elif not is_utf8(path.relative_to(root)) and (is_image or suffix in LABEL_SUFFIXES):
            scan.refused[path] = "this name is not UTF-8: rename the file or its folder"
        elif entry.is_file():
            kind = scan.images if is_image else scan.unread if suffix in UNREAD_SUFFIXES else scan.others
            kind.append(path)
    for found in (scan.images, scan.unread, scan.others):
        found.sort(key=lambda path: path.relative_to(root).as_posix())
    return scan


def is_utf8(path: Path) -> bool:
    """Return whether a path can be written down as text."""
    return shown_path(path) == path.as_posix()


def shown_path(path: Path) -> str:
    """Return a path that can be printed: bytes that are not UTF-8 are written as they are in Python."""
    return path.as_posix().encode(errors="surrogateescape").decode(errors="backslashreplace")


def check_images(paths: Sequence[Path], progress: Progress | None = None) -> list[UnreadableImage]:
    """Decode every image once, in as many threads as there are processors; return the failures in their order."""
    failures: list[UnreadableImage] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _CHECK_BLOCK):
            block = paths[start : start + _CHECK_BLOCK]
            failures += [failure for failure in pool.map(_failure, block) if failure is not None]
            if progress is not None:
                progress(start + len(block), len(paths), "checking images")
    return failures


def _failure(path: Path) -> UnreadableImage | None:
    try:
        open_rgb(path, at_least=1)
    except UnreadableImage as error:
        return error
    return None


def _to_upright_rgb(image: Image.Image, path: Path, at_least: int | None) -> Image.Image:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise UnreadableImage(path, f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that are decoded")
    if at_least is not None:
        image.draft(None, (at_least, at_least))
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP_GREY:
        return _from_deep_grey(upright)
    if upright.has_transparency_data:
        layer = upright.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(ground, layer).convert("RGB")
    return upright.convert("RGB")


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Scale grey levels of more than 8 bits, or of floats, to 8 bits."""
    levels = np.nan_to_num(np.asarray(image, dtype=np.float32), posinf=0.0, neginf=0.0)
    brightest = float(levels.max(initial=0.0))
    if image.mode == "F" and brightest <= 1.0:
        full = 1.0
    else:
        full = next((full for full in (255.0, 4095.0, 65535.0) if brightest <= full), brightest)
    return Image.fromarray(np.clip(levels * (255.0 / full), 0, 255).astype(np.uint8)).convert("RGB")


def _reason(error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "not an image that can be decoded" if "cannot identify" in text else text


def _visible_entries(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the files and links below a folder, hidden ones and those of machines left out."""
    try:
        with os.scandir(folder) as found:
            entries = [
                entry for entry in found if not entry.name.startswith(".") and entry.name not in _MACHINE_FOLDERS
            ]
    except OSError as error:
        raise StudioError(f"cannot read the folder {folder}: {error.strerror}", "Check its permissions.") from error
    if {entry.name for entry in entries} >= _WORKSPACE_FILES:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _visible_entries(entry.path)
        else:
            yield entry
