import numpy as np

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
