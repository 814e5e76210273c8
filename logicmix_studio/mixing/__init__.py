"""LogicMix and the methods it is compared with, all of one form: draw, then apply."""

from logicmix_studio.mixing.logicmix import LogicMix, NoMixing, or_states
from logicmix_studio.mixing.mixup import CutMix, Mixup, MixUpPME, OrMixup
from logicmix_studio.mixing.params import MixingMethod, MixParams, MixResult, Normalisation, Output

__all__ = [
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
    "or_states",
]
