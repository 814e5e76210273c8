from __future__ import annotations

import os
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from logicmix_studio.errors import StudioError
from logicmix_studio.files import take_lock
from logicmix_studio.images import cache as cache_module
from logicmix_studio.images.cache import CacheEntry, build_cache
from logicmix_studio.images.cache_files import CacheFiles, CacheIndex
from logicmix_studio.images.pixels import load_pixels

pytestmark = pytest.mark.filterwarnings("ignore:The image decoding:DeprecationWarning")
SIZE = 8


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def entries(make_image) -> list[CacheEntry]:
    names = ["a.jpg", "b.png", "c.jpg", "d.webp", "e.jpg"]
    return [CacheEntry(f"{i:024x}", make_image(name, (40 + i, 30), seed=i)) for i, name in enumerate(names)]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are decoded, in order."""
    names: list[str] = []

    def load(path: Path, size: int, rule: str) -> torch.Tensor:
        names.append(path.name)
        return load_pixels(path, size, rule)

    monkeypatch.setattr(cache_module, "load_pixels", load)
    return names


def expected(entries: list[CacheEntry], rule: str = "squash") -> torch.Tensor:
    return torch.stack([load_pixels(entry.path, SIZE, rule) for entry in entries])


@pytest.mark.parametrize("rule", ["squash", "crop"])
def test_rows_are_the_pixels(entries, directory, rule) -> None:
    cache = build_cache(directory, entries, SIZE, rule=rule)
    assert len(cache) == 5
    assert torch.equal(cache.rows(range(5)), expected(entries, rule))
    assert torch.equal(cache.rows(torch.tensor([3, 0, 3])), expected(entries, rule)[[3, 0, 3]])
    assert cache.rows([]).shape == (0, 3, SIZE, SIZE)
    assert any(rule in path.name and str(SIZE) in path.name for path in directory.iterdir())


def test_second_opening_decodes_nothing(entries, directory, decoded) -> None:
    build_cache(directory, entries, SIZE)
    assert sorted(decoded) == ["a.jpg", "b.png", "c.jpg", "d.webp", "e.jpg"]
    decoded.clear()
    cache = build_cache(directory, entries, SIZE)
    assert torch.equal(cache.rows(range(5)), expected(entries))
    assert decoded == []


def test_changed_image_is_decoded_again(entries, directory, decoded, make_image) -> None:
    build_cache(directory, entries, SIZE)
    decoded.clear()
    changed = make_image("c.jpg", (42, 30), seed=99)
    os.utime(changed, ns=(1, 1))
    cache = build_cache(directory, entries, SIZE)
    assert decoded == ["c.jpg"]
    assert torch.equal(cache.rows([2]), expected([entries[2]]))


def test_images_may_be_added_left_out_and_reordered(entries, directory, decoded) -> None:
    build_cache(directory, entries[:3], SIZE)
    decoded.clear()
    others = [entries[4], entries[1], entries[3]]
    cache = build_cache(directory, others, SIZE)
    assert sorted(decoded) == ["d.webp", "e.jpg"]
    assert torch.equal(cache.rows(range(3)), expected(others))


def test_sizes_and_rules_do_not_mix(entries, directory) -> None:
    small = build_cache(directory, entries, SIZE)
    large = build_cache(directory, entries, 2 * SIZE)
    assert small.rows([0]).shape == (1, 3, SIZE, SIZE)
    assert large.rows([0]).shape == (1, 3, 2 * SIZE, 2 * SIZE)


def test_out_is_written_into(entries, directory) -> None:
    cache = build_cache(directory, entries, SIZE)
    out = torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8)
    assert cache.rows([1, 0], out=out) is out
    assert torch.equal(out, expected(entries)[[1, 0]])
    with pytest.raises(ValueError, match=r"out must have the shape \(1, 3, 8, 8\)"):
        cache.rows([1], out=out)


def test_stopped_half_way_goes_on(entries, directory, decoded, monkeypatch) -> None:
    monkeypatch.setattr(cache_module, "_BLOCK", 2)
    monkeypatch.setattr(cache_module, "_BLOCKS_A_SAVE", 1)

    def stop(done: int, total: int, message: str) -> None:
        assert (total, message) == (5, "resizing images to 8 px")
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_cache(directory, entries, SIZE, progress=stop)
    decoded.clear()
    cache = build_cache(directory, entries, SIZE)
    assert decoded == ["e.jpg"]
    assert torch.equal(cache.rows(range(5)), expected(entries))


def test_short_disk_says_what_is_needed_and_decodes_the_rest(entries, directory, decoded, monkeypatch) -> None:
    usage = namedtuple("usage", "total used free")
    row_bytes = 3 * SIZE * SIZE
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: usage(0, 0, 1000 + 2 * row_bytes))
    cache = build_cache(directory, entries, SIZE, keep_free=1000)
    assert cache.num_uncached == 3
    assert "short of 0.00 GB: 3 images are decoded again" in cache.warning
    decoded.clear()
    assert torch.equal(cache.rows([4, 0, 2]), expected(entries)[[4, 0, 2]])
    assert decoded == ["e.jpg", "c.jpg"]


def test_full_disk_while_writing(entries, directory, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CacheFiles, "write", full)
    cache = build_cache(directory, entries, SIZE)
    assert cache.num_uncached == 5
    assert "No space left" in cache.warning
    assert torch.equal(cache.rows(range(5)), expected(entries))


def test_broken_image_is_grey_and_named(entries, directory) -> None:
    entries[1].path.write_bytes(b"no image")
    cache = build_cache(directory, entries, SIZE)
    assert [error.path for error in cache.unreadable] == [entries[1].path]
    assert (cache.rows([1]) == 127).all()
    assert torch.equal(cache.rows([0, 2]), expected([entries[0], entries[2]]))
    assert "b.png" in cache.warning


def test_damaged_index_is_made_anew(entries, directory) -> None:
    build_cache(directory, entries, SIZE)
    (directory / f"pixels-{SIZE}-squash.npz").write_bytes(b"PK damaged")
    assert torch.equal(build_cache(directory, entries, SIZE).rows(range(5)), expected(entries))


def test_one_builder_at_a_time__another_waits_and_may_be_stopped(entries, directory, decoded) -> None:
    said = []

    def waiting(done: int, total: int, message: str) -> None:
        said.append(message)
        if len(said) == 2:
            raise KeyboardInterrupt

    directory.mkdir()
    lock = take_lock(directory / f"pixels-{SIZE}-squash.lock")
    with pytest.raises(KeyboardInterrupt):
        build_cache(directory, entries, SIZE, progress=waiting)
    assert said == ["waiting for another run that is resizing images"] * 2
    assert not decoded

    with ThreadPoolExecutor(1) as pool:
        cache = pool.submit(build_cache, directory, entries, SIZE)
        lock.release()
        assert torch.equal(cache.result(10).rows(range(5)), expected(entries))


def test_a_filled_cache_is_opened_while_another_builds(entries, directory, decoded) -> None:
    build_cache(directory, entries, SIZE)
    decoded.clear()
    with take_lock(directory / f"pixels-{SIZE}-squash.lock"):
        assert torch.equal(build_cache(directory, entries[::-1], SIZE).rows(range(5)), expected(entries[::-1]))
    assert not decoded


def test_unknown_rule(entries, directory) -> None:
    with pytest.raises(StudioError, match="unknown resize rule 'fit'"):
        build_cache(directory, entries, SIZE, rule="fit")  # type: ignore[arg-type]


def test_no_images(directory) -> None:
    assert len(build_cache(directory, [], SIZE)) == 0


def test_shards(tmp_path: Path) -> None:
    row_bytes = 3 * 2 * 2
    files = CacheFiles(tmp_path, "pixels-2", 2, shard_bytes=3 * row_bytes + 5)
    rows = np.arange(7 * row_bytes, dtype=np.uint8).reshape(7, 3, 2, 2)
    for number in (6, 2, 3, 0, 5, 1):
        files.write(number, rows[number])
    files.sync()
    assert sorted(path.stat().st_size // row_bytes for path in tmp_path.iterdir()) == [1, 3, 3]
    out = np.zeros((4, 3, 2, 2), dtype=np.uint8)
    files.read(np.array([5, 0, -1, 6]), out)
    assert np.array_equal(out[[0, 1, 3]], rows[[5, 0, 6]])
    assert not out[2].any()


def test_index__a_claimed_row_is_not_trusted(tmp_path: Path) -> None:
    index = CacheIndex.load(tmp_path / "index.npz")
    rows = index.claim(["a" * 24, "b" * 24], np.array([-1, -1]))
    assert rows.tolist() == [0, 1]
    sizes, times = np.array([10, 20]), np.array([1, 2])
    assert not index.matches(rows, sizes, times).any()
    index.enter(rows[:1], sizes[:1], times[:1])
    index.save()
    again = CacheIndex.load(tmp_path / "index.npz")
    assert again.rows_of(["b" * 24, "a" * 24, "c" * 24]).tolist() == [1, 0, -1]
    assert again.matches(rows, sizes, times).tolist() == [True, False]
    assert again.matches(rows[:1], sizes[:1], times[1:]).tolist() == [False]
