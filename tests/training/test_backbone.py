import pytest
import torch

from logicmix_studio.errors import StudioError
from logicmix_studio.training.backbone import (
    PACKAGED,
    create_net,
    load_into,
    normalisation_of,
    prepare_images,
    save_net,
    weights_hash,
)
from logicmix_studio.training.settings import BackboneSettings

TINY = BackboneSettings(name="test_efficientnet", weights="random", image_size=32)


def test_packaged_weights_are_loaded_and_the_features_are_finite():
    settings = BackboneSettings(image_size=64)
    net = create_net(settings, 3, seed=0).eval()
    fresh = create_net(BackboneSettings(name=PACKAGED, weights="random", image_size=64), 3, seed=0)

    assert weights_hash(net.backbone) == weights_hash(create_net(settings, 5, seed=1).backbone)
    assert weights_hash(net.backbone) != weights_hash(fresh.backbone)
    with torch.inference_mode():
        features = net.features(torch.zeros(2, 3, 64, 64))
    assert features.shape == (2, 2560)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", ["test_efficientnet", "test_vit", "test_resnet"])
def test_maps_and_tokens_are_pooled(name):
    settings = BackboneSettings(name=name, weights="random", image_size=64)
    net = create_net(settings, 4, seed=0).eval()
    mean_only = create_net(BackboneSettings(name=name, weights="random", image_size=64, pooling="mean"), 4, seed=0)

    with torch.inference_mode():
        images = torch.randn(2, 3, 64, 64)
        assert net(images).shape == (2, 4)
        features, mean = net.features(images), mean_only.eval().features(images)
    assert features.shape[1] == net.feature_size == 2 * mean.shape[1]
    torch.testing.assert_close(features[:, : mean.shape[1]], mean)
    assert (features[:, mean.shape[1] :] >= mean - 1e-6).all()


@pytest.mark.parametrize(
    ("name", "is_last"),
    [
        ("resnet10t", False),
        ("test_efficientnet", False),
        ("convnext_atto", False),
        ("mobilenetv3_small_050", False),
        ("swin_s3_tiny_224", True),
        ("test_mambaout", True),
    ],
)
def test_each_family_is_pooled_over_its_places(name, is_last):
    settings = BackboneSettings(name=name, weights="random", image_size=64, pooling="mean")
    net = create_net(settings, 4, seed=0).eval()

    with torch.inference_mode():
        images = torch.randn(2, 3, 64, 64)
        maps = net.backbone(images)
        features = net.features(images)
        assert net(images).shape == (2, 4)
    assert maps.ndim == 4
    torch.testing.assert_close(features, maps.mean((1, 2) if is_last else (2, 3)), rtol=1e-4, atol=1e-5)


def test_tokens_are_pooled_without_their_prefix():
    settings = BackboneSettings(name="vit_tiny_patch16_224", weights="random", image_size=32, pooling="mean")
    net = create_net(settings, 4, seed=0).eval()

    with torch.inference_mode():
        images = torch.randn(2, 3, 32, 32)
        tokens = net.backbone(images)
        torch.testing.assert_close(net.features(images), tokens[:, 1:].mean(1), rtol=1e-4, atol=1e-5)
    assert tokens.shape[1] == 1 + 4


def test_missing_weights_name_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)

    with pytest.raises(StudioError, match="the weights of resnet18 are not on this machine") as caught:
        create_net(BackboneSettings(name="resnet18"), 2, seed=0)
    assert "HF_HUB_OFFLINE=0 python -c" in caught.value.hint


def test_an_unknown_network_is_told():
    with pytest.raises(StudioError, match="timm has no network called 'resnet1001'"):
        create_net(BackboneSettings(name="resnet1001"), 2, seed=0)


def test_saved_weights_go_by_class_name(tmp_path):
    earlier, later = create_net(TINY, 2, seed=0), create_net(TINY, 3, seed=1)
    path = tmp_path / "model.safetensors"
    fresh_row = later.head.weight[1].detach().clone()
    save_net(path, earlier.state_dict(), TINY, ["cat", "dog"])
    new = load_into(later, path, TINY, ["dog", "owl", "cat"])

    assert new == ["owl"]
    assert torch.equal(later.head.weight[0], earlier.head.weight[1])
    assert torch.equal(later.head.weight[2], earlier.head.weight[0])
    assert torch.equal(later.head.weight[1], fresh_row)
    assert weights_hash(later.backbone) == weights_hash(earlier.backbone)


def test_weights_of_another_backbone_are_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    net = create_net(TINY, 2, seed=0)
    save_net(path, net.state_dict(), TINY, ["cat", "dog"])

    with pytest.raises(StudioError, match="holds test_efficientnet with pooling mean_max"):
        load_into(net, path, BackboneSettings(), ["cat", "dog"])
    with pytest.raises(StudioError, match="is missing"):
        load_into(net, tmp_path / "other.safetensors", TINY, ["cat", "dog"])


def test_images_are_normalised_with_the_backbone_s_own_values():
    normalisation = normalisation_of(BackboneSettings())
    images = prepare_images(torch.full((1, 3, 2, 2), 255, dtype=torch.uint8), normalisation)

    assert normalisation.mean == (0.5, 0.5, 0.5)
    assert torch.equal(images, torch.ones(1, 3, 2, 2))
    assert normalisation_of(BackboneSettings(should_normalize=False)) is None
    plain = prepare_images(torch.full((1, 3, 1, 1), 51, dtype=torch.uint8), None)
    assert float(plain[0, 0, 0, 0]) == pytest.approx(0.2)
