import os

import numpy as np
import pytest
import torch

from logicmix_studio.errors import StudioError
from logicmix_studio.training.backbone import create_net, normalisation_of
from logicmix_studio.training.features import describe_missing, embed_all, look_at_files
from logicmix_studio.training.settings import BackboneSettings

SETTINGS = BackboneSettings(name="test_efficientnet_ln", weights="random", image_size=32)


@pytest.fixture
def embed(tmp_path, snapshot):
    net = create_net(SETTINGS, 3, seed=0)

    def run(net=net, progress=None):
        files = look_at_files(tmp_path / "images", snapshot.image_ids.tolist(), snapshot.paths.tolist())
        features = embed_all(
            net,
            files,
            SETTINGS,
            normalisation_of(SETTINGS),
            tmp_path / "cache",
            device=torch.device("cpu"),
            batch_size=16,
            progress=progress,
        )
        return files, features

    return run


def test_an_unchanged_image_is_embedded_once(tmp_path, snapshot, embed):
    steps = []
    _, first = embed(progress=lambda done, total: steps.append((done, total)))
    _, second = embed()

    assert first.num_embedded == 40
    assert steps == [(16, 40), (32, 40), (40, 40)]
    assert second.num_embedded == 0
    np.testing.assert_array_equal(first.values, second.values)
    assert first.is_readable.all()

    os.utime(tmp_path / "images" / snapshot.paths[3], ns=(1, 1))
    assert embed()[1].num_embedded == 1


def test_other_weights_have_features_of_their_own(embed):
    _, first = embed()
    _, other = embed(create_net(SETTINGS, 3, seed=1))

    assert other.num_embedded == 40
    assert (first.values != other.values).any()


def test_broken_and_missing_images_are_left_out_by_name(tmp_path, snapshot, embed):
    (tmp_path / "images" / snapshot.paths[0]).unlink()
    (tmp_path / "images" / snapshot.paths[5]).write_bytes(b"no image")
    files, features = embed()

    assert np.flatnonzero(~features.is_readable).tolist() == [0, 5]
    assert not features.values[0].any()
    text = describe_missing([file.path for file in files], features.is_readable)
    assert text.startswith("2 of 40 images are missing or unreadable")
    assert snapshot.paths[5] in text
    assert describe_missing([file.path for file in files], np.ones(40, bool)) == ""


def test_a_stop_keeps_what_is_done(embed, monkeypatch):
    monkeypatch.setattr("logicmix_studio.training.features.SHARD_ROWS", 16)

    def stop(done, total):
        if done > 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(progress=stop)

    assert embed()[1].num_embedded == 24


def test_a_missing_folder_is_told(tmp_path):
    with pytest.raises(StudioError, match=r"folder .* is missing"):
        look_at_files(tmp_path / "nowhere", ["a"], ["a.png"])
    with pytest.raises(StudioError, match="none of the 1 images"):
        look_at_files(tmp_path, ["a"], ["a.png"])
