from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from logicmix_studio.errors import StudioError
from logicmix_studio.images.decode import (
    UnreadableImage,
    check_images,
    open_file,
    open_rgb,
    picture_size,
    scan_images,
    shown_path,
)
from logicmix_studio.images.pixels import load_pixels

RED, BLUE = (200, 20, 30), (10, 20, 220)


def two_halves(size: tuple[int, int] = (32, 16)) -> Image.Image:
    """Left half red, right half blue."""
    image = Image.new("RGB", size, BLUE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def near(pixel: object, colour: tuple[int, int, int], tolerance: int = 30) -> bool:
    return bool(np.all(np.abs(np.array(pixel, int) - colour) <= tolerance))


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".PNG", ".avif"])
def test_open_rgb__each_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    two_halves().save(path)
    image = open_rgb(path)
    assert image.mode == "RGB"
    assert image.size == (32, 16)
    assert near(image.getpixel((4, 8)), RED)
    assert near(image.getpixel((28, 8)), BLUE)


@pytest.mark.parametrize("suffix", [".jfif", ".jpe"])
def test_open_rgb__jpeg_by_other_names(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    two_halves().save(path, format="JPEG")
    assert open_rgb(path).size == (32, 16)
    assert scan_images(tmp_path).images == [path]


def test_open_rgb__first_frame_of_an_animation(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    Image.new("RGB", (8, 8), RED).save(path, save_all=True, append_images=[Image.new("RGB", (8, 8), BLUE)])
    assert near(open_rgb(path).getpixel((4, 4)), RED)


@pytest.mark.parametrize(
    ("orientation", "expected_size", "red_at"),
    [(1, (32, 16), (2, 8)), (3, (32, 16), (30, 8)), (6, (16, 32), (8, 2)), (8, (16, 32), (8, 30))],
)
def test_open_rgb__turns_upright(
    tmp_path: Path, orientation: int, expected_size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = orientation
    two_halves().save(path, exif=exif)
    image = open_rgb(path)
    assert image.size == expected_size
    assert near(image.getpixel(red_at), RED)


@pytest.mark.parametrize("full", [255, 4095, 65535])
def test_open_rgb__deep_grey(tmp_path: Path, full: int) -> None:
    path = tmp_path / "a.png"
    levels = np.array([[0, full // 2, full]], dtype=np.uint16)
    Image.fromarray(levels).save(path)
    assert np.asarray(open_rgb(path))[0, :, 0].tolist() == [0, 127, 255]


def test_open_rgb__floats(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32)).save(path)
    assert np.asarray(open_rgb(path))[0, :, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_open_rgb__transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    layer = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    layer.putpixel((0, 0), (0, 0, 0, 255))
    layer.convert(mode).save(path)
    image = open_rgb(path)
    assert image.getpixel((0, 0)) == (0, 0, 0)
    assert image.getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK"])
def test_open_rgb__other_modes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.tiff"
    Image.new("RGB", (4, 4), "white").convert(mode).save(path)
    assert near(open_rgb(path).getpixel((1, 1)), (255, 255, 255), 3)


def test_open_rgb__one_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (1, 1), RED).save(path)
    assert open_rgb(path).getpixel((0, 0)) == RED


def test_open_rgb__hundred_megapixels_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("L", (10_000, 10_000)).save(path, compress_level=1)
    assert open_rgb(path).size == (10_000, 10_000)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_open_rgb__too_many_pixels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (20_000, 16_000)).save(path)
    with pytest.raises(UnreadableImage, match=r"a\.png"):
        open_rgb(path)


@pytest.mark.parametrize("content", [b"", b"no image", b"\xff\xd8\xff\xe0broken"])
def test_open_rgb__broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"broken\.jpg") as caught:
        open_rgb(path)
    assert caught.value.path == path
    assert isinstance(caught.value, StudioError)


def test_open_rgb__cut_off(tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    two_halves((200, 200)).save(path)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UnreadableImage, match="truncated"):
        open_rgb(path)


def test_open_rgb__missing(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="no such file"):
        open_rgb(tmp_path / "none.jpg")


@pytest.mark.parametrize(
    ("make", "kind"),
    [(os.mkfifo, "a pipe"), (os.mkdir, "a folder"), (lambda path: path.symlink_to("/dev/zero"), "a device")],
)
@pytest.mark.timeout(20)
def test_open_rgb__what_is_no_file_is_said_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], object], kind: str
) -> None:
    path = tmp_path / "a.jpg"
    make(path)
    with pytest.raises(UnreadableImage, match=f"this is {kind}, no file"):
        open_rgb(path)
    with pytest.raises(UnreadableImage, match=f"this is {kind}, no file"):
        load_pixels(path, 8)
    assert scan_images(tmp_path).images == []


def test_open_file__leaves_no_descriptor_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with pytest.raises(OSError, match="this is a folder, no file"):
            open_file(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before


def test_open_rgb__scaled_decode_keeps_enough(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    two_halves((1600, 800)).save(path)
    assert open_rgb(path, at_least=200).size == (400, 200)
    assert open_rgb(path).size == (1600, 800)


def test_picture_size__as_it_is_shown(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg")
    Image.new("RGB", (64, 48)).save(tmp_path / "b.jpg", exif=turned)
    (tmp_path / "c.jpg").write_bytes(b"none")
    names = ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert [picture_size(tmp_path / name) for name in names] == [(64, 48), (48, 64), None, None]


def test_scan_images__nested_sorted_hidden_left_out(tmp_path: Path) -> None:
    for name in (
        "b.jpg",
        "a/z.PNG",
        "a/b/c.webp",
        ".logicmix/x.jpg",
        "a/.hidden/x.jpg",
        "._b.jpg",
        "notes.txt",
        "a/phone.HEIC",
        "@eaDir/b.jpg/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/x.jpg",
        "$RECYCLE.BIN/x.jpg",
        "__MACOSX/x.jpg",
        "work/workspace.json",
        "work/import/labels.npz",
        "work/cache/x.jpg",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    scan = scan_images(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in (*scan.images, *scan.unread, *scan.others)]
    assert names == ["a/b/c.webp", "a/z.PNG", "b.jpg", "a/phone.HEIC", "notes.txt"]


def test_scan_images__links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    root = tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (outside / "secret.jpg").write_bytes(b"")
    (root / "own.jpg").write_bytes(b"")
    (root / "again.jpg").symlink_to(root / "own.jpg")
    (root / "file.jpg").symlink_to(outside / "secret.jpg")
    (root / "folder").symlink_to(outside)
    scan = scan_images(root)
    assert [path.name for path in scan.images] == ["again.jpg", "own.jpg"]
    assert {path.name: reason for path, reason in scan.refused.items()} == dict.fromkeys(
        ("file.jpg", "folder"), "this link leads out of the data set's folder"
    )


def test_scan_images__dead_links_and_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dead.jpg").symlink_to(tmp_path / "gone.jpg")
    odd = os.fsencode(tmp_path) + b"/caf\xe9.jpg"
    with open(odd, "wb"):
        pass
    scan = scan_images(tmp_path)
    assert scan.images == []
    assert {shown_path(path.relative_to(tmp_path)): reason for path, reason in scan.refused.items()} == {
        "dead.jpg": f"this link leads nowhere ({tmp_path}/gone.jpg)",
        "caf\\xe9.jpg": "this name is not UTF-8: rename the file or its folder",
    }


def test_scan_images__no_folder(tmp_path: Path) -> None:
    with pytest.raises(StudioError, match="is not a folder"):
        scan_images(tmp_path / "none")


def test_check_images(tmp_path: Path) -> None:
    good, broken, cut = tmp_path / "good.jpg", tmp_path / "broken.png", tmp_path / "cut.jpg"
    two_halves((300, 300)).save(good)
    broken.write_bytes(b"no image")
    cut.write_bytes(good.read_bytes()[:1000])
    seen: list[tuple[int, int]] = []
    failures = check_images([good, broken, cut], lambda done, total, _: seen.append((done, total)))
    assert [failure.path for failure in failures] == [broken, cut]
    assert seen == [(3, 3)]
    assert check_images([]) == []


def test_server_path_is_free_of_torch() -> None:
    code = (
        "import sys, logicmix_studio.images.decode, logicmix_studio.images.thumbnails, "
        "logicmix_studio.images.demo, logicmix_studio.formats; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
