"""LogicMix and the methods it is compared with, all of one form: draw, then apply."""

from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from logicmix_studio.mixing.cutmix import CutMix
from logicmix_studio.mixing.logicmix import LogicMix, NoMixing, or_states
from logicmix_studio.mixing.mixup import Mixup, MixUpPME, OrMixup
from logicmix_studio.mixing.params import (
    MixingMethod,
    MixParams,
    MixResult,
    Normalisation,
    Output,
    draw_in_batch,
)

MIXING_METHODS: Final = MappingProxyType[str, Callable[..., MixingMethod]](
    {
        "logicmix": LogicMix,
        "mixup": Mixup,
        "mixup-pme": MixUpPME,
        "or-mixup": OrMixup,
        "cutmix": CutMix,
        "none": NoMixing,
    }
)
"""Each method by the name under which it can be chosen."""

__all__ = [
    "MIXING_METHODS",
    "CutMix",
    "LogicMix",
    "MixParams",
    "MixResult",
    "MixUpPME",
    "MixingMethod",
    "Mixup",
    "NoMixing",
    "Normalisation",
    "OrMixup",
    "Output",
    "draw_in_batch",
    "or_states",
]
