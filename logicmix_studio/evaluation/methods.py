"""The methods of a benchmark: each is a recipe and the settings in which it differs, and nothing else differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from logicmix_studio.errors import StudioError
from logicmix_studio.losses import ORIGINAL_SETTINGS, AsymmetricSettings
from logicmix_studio.training.config import FullSettings, recipe_settings

_NAMES: Final = ("gamma_positive", "gamma_negative", "shift")


@dataclass(frozen=True)
class Method:
    """One row of a benchmark."""

    words: str
    recipe: str = "2wayaug-pl"
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """Settings that differ from the recipe's, by dotted name."""


def _alike(loss: AsymmetricSettings) -> dict[str, Any]:
    """Return the settings of one loss for photographs and blends alike."""
    return {f"loss.{side}_{name}": getattr(loss, name) for side in ("original", "mixed") for name in _NAMES}


_PLAIN: Final = {"mixing.method": "none", "pseudo.is_enabled": False}
_BCE: Final = _alike(AsymmetricSettings(0.0, 0.0, 0.0))
_ASL: Final = _alike(ORIGINAL_SETTINGS)


def _mixed(words: str, method: str) -> Method:
    return Method(words, overrides={**_ASL, "mixing.method": method, "pseudo.is_enabled": False})


METHODS: Final = {
    "partial-bce": Method("binary cross-entropy on known cells", overrides={**_PLAIN, **_BCE}),
    "assume-negative": Method(
        "cross-entropy, unknown taken as negative",
        overrides={**_PLAIN, **_BCE, "loss.unknown_as": "negative"},
    ),
    "partial-asl": Method("asymmetric loss on known cells", overrides={**_PLAIN, **_ASL}),
    "mixup": _mixed("partial ASL with Mixup, unknown as the constant 0 in blends", "mixup"),
    "mixup-pme": _mixed("partial ASL with MixUp-PME", "mixup-pme"),
    "cutmix": _mixed("partial ASL with CutMix, labels by visible area", "cutmix"),
    "or-mixup": _mixed("partial ASL with Mixup of two, labels by OR", "or-mixup"),
    "logicmix": _mixed("partial ASL with LogicMix", "logicmix"),
    "logicmix-dp-asl": Method("LogicMix with DP-ASL", overrides={"pseudo.is_enabled": False}),
    "pseudo-labels": Method("partial ASL with pseudo-labels, no blends", overrides={**_ASL, "mixing.method": "none"}),
    "2wayaug-pl": Method("LogicMix, DP-ASL and pseudo-labels"),
    "2wayaug-pl-released": Method("2WayAug-PL as released, slips included", "2wayaug-pl-released"),
    "quick": Method("a linear head on frozen features", "quick"),
}
"""By name; the first is what the others are compared with."""
TUNED: Final = "+cft"
"""After a method's name: the same with Category-wise Fine-Tuning of the last layer at the end."""


def find_method(name: str) -> Method:
    """Return a method by its name, with ``+cft`` after it or without.

    Example:
        >>> find_method("partial-asl+cft").words
        'asymmetric loss on known cells; its last layer then tuned class by class'

    Raises:
        StudioError: If there is none of that name.
    """
    base = name.removesuffix(TUNED)
    if base not in METHODS:
        raise StudioError(f"there is no method {name!r}", f"choose among {', '.join(METHODS)}; most may have {TUNED}")
    method = METHODS[base]
    if base == name:
        return method
    if not isinstance(recipe_settings(method.recipe), FullSettings):
        raise StudioError(f"{base} trains nothing but the last layer: there is no {name}", f"name {base} alone")
    words = f"{method.words}; its last layer then tuned class by class"
    return Method(words, method.recipe, {**method.overrides, "finetune.is_enabled": True})


PUBLISHED: Final = (
    ("2WayAug-PL", {"COCO 2014": 84.3, "VG-200": 50.1, "VOC 2007": 93.8}),
    ("CFT", {"COCO 2014": 83.7}),
    ("SR", {"COCO 2014": 81.0, "VG-200": 49.2, "VOC 2007": 93.7}),
    ("SARB", {"COCO 2014": 77.9, "VG-200": 45.6, "VOC 2007": 90.7}),
    ("SST", {"COCO 2014": 76.7, "VG-200": 41.8, "VOC 2007": 90.4}),
    ("partial BCE", {"VOC 2007": 90.0}),
)
"""Published mAP in percent, averaged over 10 to 90 % known (ResNet-101 at 448 px): other data than ours."""
