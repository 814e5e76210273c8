import numpy as np
import pytest

from logicmix_studio.training.feature_cache import (
    FeatureCache,
    ImageFile,
    count_cached,
    feature_folders,
    folder_name,
)
from logicmix_studio.training.settings import BackboneSettings

SETTINGS = BackboneSettings(name="resnet18", image_size=32)


def keep(cache, settings, weights, ids):
    files = [ImageFile(image_id, cache / image_id, "1 1") for image_id in ids]
    FeatureCache(feature_folders(cache) / folder_name(settings, weights)).add(
        files, np.zeros((len(files), 2), np.float16)
    )


def test_count__nothing_there(tmp_path):
    assert count_cached(tmp_path, SETTINGS, {"a", "b"}) == 0


def test_count__images_of_this_set_under_the_fullest_weights(tmp_path):
    keep(tmp_path, SETTINGS, "0" * 16, ["a", "b", "gone"])
    keep(tmp_path, SETTINGS, "1" * 16, ["a"])
    keep(tmp_path, SETTINGS, "0" * 16, ["c"])

    assert count_cached(tmp_path, SETTINGS, {"a", "b", "c", "d"}) == 3


def test_count__another_network_size_or_normalisation_is_another_folder(tmp_path):
    for other in (
        BackboneSettings(name="resnet180", image_size=32),
        BackboneSettings(name="resnet18", image_size=64),
        BackboneSettings(name="resnet18", image_size=32, should_normalize=False),
    ):
        keep(tmp_path, other, "0" * 16, ["a"])

    assert count_cached(tmp_path, SETTINGS, {"a"}) == 0


def test_two_runs_may_write_at_the_same_time(tmp_path):
    first, second = FeatureCache(tmp_path), FeatureCache(tmp_path)
    files = [ImageFile(name, tmp_path / name, "1 1") for name in "abcd"]
    first.add(files[:1], np.full((1, 2), 1, np.float16))
    second.add(files[1:3], np.full((2, 2), 2, np.float16))
    first.add(files[3:], np.full((1, 2), 3, np.float16))

    assert first.gather([files[0], files[3]], 2).values[:, 0].tolist() == [1, 3]
    assert second.gather(files[1:3], 2).values[:, 0].tolist() == [2, 2]
    together = FeatureCache(tmp_path).gather(files, 2)
    assert together.values[:, 0].tolist() == [1, 2, 2, 3]
    assert together.is_readable.all()


@pytest.mark.parametrize("ending", [".json", ".npy"])
@pytest.mark.parametrize("content", [b"", b"{", b'{"keys": 3}', b"\x93NUMPY", None])
def test_images_of_a_broken_shard_are_embedded_anew(tmp_path, ending, content):
    files = [ImageFile(name, tmp_path / name, "1 1") for name in "ab"]
    for file in files:
        FeatureCache(tmp_path).add([file], np.ones((1, 2), np.float16))
    broken = next(path for path in tmp_path.glob(f"*{ending}") if "a 1" in path.with_suffix(".json").read_text())
    broken.unlink() if content is None else broken.write_bytes(content)
    assert FeatureCache(tmp_path).missing(files) == [0]
