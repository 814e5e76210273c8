from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from logicmix_studio.images.decode import UnreadableImage, open_rgb
from logicmix_studio.images.pixels import load_pixels, resize

pytestmark = pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")


def three_stripes(size: tuple[int, int]) -> Image.Image:
    """Black, grey and white stripes of equal width, from left to right."""
    row = np.repeat(np.array([0, 128, 255], dtype=np.uint8), size[0] // 3)
    return Image.fromarray(np.broadcast_to(row[None, :, None], (size[1], len(row), 3)).copy())


def test_squash_keeps_everything_crop_cuts_the_sides(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    three_stripes((90, 30)).save(path)
    squashed, cropped = load_pixels(path, 9, "squash"), load_pixels(path, 9, "crop")
    assert squashed.shape == cropped.shape == (3, 9, 9)
    assert squashed.dtype == torch.uint8
    assert squashed[0, 4, [1, 4, 7]].tolist() == [0, 128, 255]
    assert cropped[0, 4, [1, 4, 7]].tolist() == [128, 128, 128]


def test_crop_of_an_upright_picture_cuts_top_and_bottom() -> None:
    image = torch.zeros(3, 30, 10, dtype=torch.uint8)
    image[:, 10:20] = 200
    assert (resize(image, 10, "crop") == 200).all()


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif"])
def test_close_to_pillow(make_image, suffix: str) -> None:
    path = make_image(f"a.{suffix}", (200, 150), seed=3)
    expected = np.asarray(open_rgb(path).resize((64, 64), Image.Resampling.BILINEAR), dtype=float)
    actual = load_pixels(path, 64).permute(1, 2, 0).numpy().astype(float)
    assert np.abs(actual - expected).mean() < 0.6


def test_turned_photographs_stand_upright(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    three_stripes((90, 30)).save(path, exif=exif, quality=95)
    pixels = load_pixels(path, 9)
    assert np.allclose(pixels[0, [1, 4, 7], 4], [0, 128, 255], atol=6)


def test_camera_file_is_decoded_scaled(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((2000, 1500), Image.Resampling.BICUBIC), dtype=int)
    grain = rng.integers(-9, 10, smooth.shape)
    Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(path, quality=95)
    assert path.stat().st_size > 400_000
    expected = np.asarray(open_rgb(path).resize((50, 50), Image.Resampling.BILINEAR), dtype=float)
    actual = load_pixels(path, 50).permute(1, 2, 0).numpy().astype(float)
    assert np.abs(actual - expected).mean() < 2.0


def test_png_that_is_called_jpg(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    three_stripes((9, 9)).save(path, "PNG")
    assert load_pixels(path, 9)[0, 4, [1, 4, 7]].tolist() == [0, 128, 255]


@pytest.mark.parametrize("content", [b"", b"no image"])
def test_broken(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImage, match=r"a\.jpg"):
        load_pixels(path, 9)


def test_cut_off_jpeg(tmp_path: Path, make_image) -> None:
    path = make_image("a.jpg", (300, 300), seed=1)
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(UnreadableImage, match="truncated"):
        load_pixels(path, 9)
