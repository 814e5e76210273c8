"""Every hyper-parameter of the trainer, in groups; a docstring under each says what it means.

``source`` beside a default says where it comes from: ``released`` (the configuration published with the
method), ``paper``, ``measured`` (a trial of ours), ``ours`` (a judgement).
"""

from __future__ import annotations

from dataclasses import dataclass

from logicmix_studio.errors import StudioError
from logicmix_studio.training.fields import check_field, fields_of, label_of, setting

GROUP_TITLES = {
    "backbone": "Network",
    "warm": "Warm start of the last layer",
    "head": "Last layer",
    "augment": "Augmentation",
    "mixing": "LogicMix",
    "loss": "Loss (DP-ASL)",
    "optimizer": "Optimiser",
    "schedule": "Schedule",
    "ema": "Moving average",
    "pseudo": "Pseudo-labels in training",
    "finetune": "Last layer, class by class at the end",
    "selection": "Selection",
    "compute": "Computing",
}
"""The groups on screen."""


def setting_words(name: str) -> str:
    """Return a setting's dotted name for a person; other names stay as they are.

    Example:
        >>> setting_words("optimizer.weight_decay"), setting_words("ema.has_warmup"), setting_words("seed")
        ('Optimiser: weight decay', 'Moving average: warmup', 'seed')
    """
    group, dot, rest = name.partition(".")
    return f"{GROUP_TITLES[group]}: {label_of(rest)}" if dot else name


@dataclass(frozen=True)
class Group:
    """A group of settings that refuses values outside their ranges."""

    def __post_init__(self) -> None:
        """Refuse a value that is out of range or of the wrong type.

        Raises:
            StudioError: With every value at fault.
        """
        problems = [
            problem
            for field in fields_of(self, type(self).__name__.removesuffix("Settings").lower())
            if (problem := check_field(field, field.default)) is not None
        ]
        if problems:
            raise StudioError("; ".join(problems), "Correct the settings named here.")


@dataclass(frozen=True)
class BackboneSettings(Group):
    """Which network looks at the images, and at which size."""

    name: str = setting("tf_efficientnet_lite0")
    """Name of the network in timm. The default comes with its weights as a Python package."""
    weights: str = setting("pretrained", choices=("pretrained", "random"))
    """Start from trained weights on this machine, or from random ones (only for trials)."""
    image_size: int = setting(224, low=16, high=2048)
    """Side of the square image in pixels. Smaller is faster; the released configuration uses 448."""
    resize: str = setting("squash", choices=("squash", "crop"), source="released")
    """How a photograph becomes square: squashed whole, or its centre cropped."""
    pooling: str = setting("mean_max", choices=("mean_max", "mean"), source="measured")
    """What the head sees of the feature map: its mean, or its mean and its maximum."""
    should_normalize: bool = setting(True)
    """Normalise images with the backbone's own mean and deviation. The released code does not."""


@dataclass(frozen=True)
class HeadSettings(Group):
    """How a linear head is trained on cached features."""

    epochs: int = setting(60, low=1, high=10_000, source="measured")
    """Passes over the features; a small set gets more, a large one fewer, and the best on the way is kept."""
    batch_size: int = setting(256, low=1, high=65_536)
    """Images in a step."""
    learning_rate: float = setting(3e-4, low=1e-7, high=1.0, source="measured")
    """Peak learning rate of Adam; it falls to zero along a cosine."""
    weight_decay: float = setting(5.0, low=0.0, high=100.0, source="measured")
    """Decoupled weight decay of the head's matrix."""
    gamma_positive: float = setting(0.0, low=0.0, high=10.0, source="released")
    """Focusing exponent on known positives."""
    gamma_negative: float = setting(4.0, low=0.0, high=10.0, source="released")
    """Focusing exponent on known negatives."""
    shift: float = setting(0.05, low=0.0, high=0.9, source="released")
    """Probability below which a known negative no longer counts."""


@dataclass(frozen=True)
class WarmSettings(Group):
    """How a full run keeps what is known before it."""

    should_train_head_first: bool = setting(True, source="measured")
    """Train the head on frozen features before everything is trained, where no earlier run is continued."""
    should_keep_statistics: bool = setting(True, source="measured")
    """Let the batch norm of a trained backbone keep its running statistics. Those of augmented images and blends, which
    have less contrast, do not fit the photographs that are scored."""


@dataclass(frozen=True)
class AugmentSettings(Group):
    """Conventional augmentation, drawn anew for every use of an image, before mixing."""

    flip_probability: float = setting(0.5, low=0.0, high=1.0, source="released")
    """Share of images mirrored left to right."""
    num_operations: int = setting(2, low=0, high=10, source="released")
    """RandAugment operations for one image; 0 turns RandAugment off."""
    magnitude: int = setting(9, low=0, high=30, source="released")
    """RandAugment strength, of 31 bins."""


@dataclass(frozen=True)
class MixingSettings(Group):
    """How often and how many images are blended, and by which method."""

    method: str = setting(
        "logicmix", choices=("logicmix", "none", "or-mixup", "mixup", "mixup-pme", "cutmix"), source="released"
    )
    """LogicMix, no blending at all, or a method that it is compared with; these blend two images."""
    probability: float = setting(0.5, low=0.0, high=1.0, source="released")
    """Share of training samples that are blends."""
    min_sources: int = setting(2, low=2, high=16, source="released")
    """Fewest images in a LogicMix blend."""
    max_sources: int = setting(3, low=2, high=16, source="released")
    """Most images in a LogicMix blend; every number between is equally likely."""
    partners: str = setting("dataset", choices=("dataset", "batch"), source="released")
    """Draw the other sources from the whole data set or from the same batch."""

    def __post_init__(self) -> None:
        """Refuse a range of sources that is upside down."""
        super().__post_init__()
        if self.min_sources > self.max_sources:
            raise StudioError(
                f"mixing.min_sources {self.min_sources} is more than mixing.max_sources {self.max_sources}",
                "Lower the one or raise the other.",
            )


@dataclass(frozen=True)
class LossSettings(Group):
    """Decoupled partial asymmetric loss: one triple for photographs, one for blends."""

    original_gamma_positive: float = setting(0.0, low=0.0, high=10.0, source="released")
    """Focusing exponent on known positives of photographs."""
    original_gamma_negative: float = setting(4.0, low=0.0, high=10.0, source="released")
    """Focusing exponent on known negatives of photographs."""
    original_shift: float = setting(0.05, low=0.0, high=0.9, source="released")
    """Probability below which a known negative of a photograph no longer counts."""
    mixed_gamma_positive: float = setting(4.0, low=0.0, high=10.0, source="released")
    """Focusing exponent on known positives of blends."""
    mixed_gamma_negative: float = setting(0.0, low=0.0, high=10.0, source="released")
    """Focusing exponent on known negatives of blends."""
    mixed_shift: float = setting(0.0, low=0.0, high=0.9, source="released")
    """Probability below which a known negative of a blend no longer counts."""
    unknown_as: str = setting("unknown", choices=("unknown", "negative"), source="ours")
    """Leave unknown cells of training images out, or take them as negative; held-out cells are left out in any case."""
    reduction: str = setting("sum", choices=("sum", "mean"), source="released")
    """Sum over known cells, divided by a constant (as released), or mean over known cells."""
    divisor: float = setting(4.0, low=1e-3, high=1e6, source="released")
    """What the sum is divided by; it weighs the loss against the weight decay. Released: 4 micro-batches of 32."""


@dataclass(frozen=True)
class OptimizerSettings(Group):
    """Adam."""

    learning_rate: float = setting(2e-4, low=1e-8, high=1.0, source="released")
    """Peak learning rate."""
    backbone_share: float = setting(0.0, low=0.0, high=1.0, source="measured")
    """Learning rate of the backbone as a share of the head's, so that a trained backbone keeps what it knows. 0: by the
    number of known positives, from 0.1 up to 300 to 1 from 1,000 on."""
    weight_decay: float = setting(1e-4, low=0.0, high=1.0, source="released")
    """Weight decay on matrices; biases and other vectors have none."""
    batch_size: int = setting(128, low=1, high=65_536, source="released")
    """Images behind one optimiser step."""
    micro_batch: int = setting(0, low=0, high=65_536, source="measured")
    """Images in memory at once; 0: the whole batch on a GPU, 32 on a CPU. Halved by itself where memory runs out. It
    changes no blend and no label, only over how many images batch norm averages."""

    def __post_init__(self) -> None:
        """Refuse a micro-batch that is larger than the batch."""
        super().__post_init__()
        if self.micro_batch > self.batch_size:
            raise StudioError(
                f"optimizer.micro_batch {self.micro_batch} exceeds optimizer.batch_size {self.batch_size}",
                "Lower the micro-batch or raise the batch size.",
            )


@dataclass(frozen=True)
class ScheduleSettings(Group):
    """How long, and how the learning rate goes."""

    epochs: int = setting(60, low=1, high=100_000, source="released")
    """Passes over the training images."""
    min_steps: int = setting(600, low=0, high=10_000_000)
    """A small set gets more epochs, until this many optimiser steps are reached."""
    warmup_share: float = setting(0.2, low=0.01, high=0.99, source="released")
    """Share of all steps in which the learning rate rises (OneCycle)."""
    should_repeat_slip: bool = setting(False)
    """Step the schedule once per optimiser step but plan it over micro-batches, as the released code does by
    mistake: the learning rate then never falls."""


@dataclass(frozen=True)
class EmaSettings(Group):
    """Moving average of the weights; it scores, it is evaluated, it is kept."""

    decay: float = setting(0.999, low=0.0, high=0.999999, source="released")
    """Share of the average that one optimiser step keeps."""
    has_warmup: bool = setting(True)
    """Average shorter at first, so that the fresh head does not linger in it."""


@dataclass(frozen=True)
class PseudoSettings(Group):
    """Pseudo-labels inside the training."""

    is_enabled: bool = setting(True, source="released")
    """Fill unknown cells of the training images from the averaged model."""
    start_share: float = setting(1 / 3, low=0.0, high=1.0, source="released")
    """Share of the epochs before the first pseudo-labels: epoch E = 20 of 60."""
    rule: str = setting("logit", choices=("logit", "calibrated"), source="released")
    """What makes a pseudo-label: a raw logit beyond a bound, or a calibrated probability of at least ``confidence``."""
    confidence: float = setting(0.95, low=0.5, high=0.9999)
    """Calibrated probability, for either sign, from which an unknown cell is filled; only for that rule."""
    positive_logit: float = setting(4.0, low=0.0, high=100.0, source="released")
    """A logit above this makes an unknown cell positive; 4 is a probability of 0.982."""
    negative_logit: float = setting(-4.0, low=-100.0, high=0.0, source="released")
    """A logit below this makes an unknown cell negative."""
    should_keep_each: bool = setting(False)
    """Keep the pseudo-labels of every epoch in the run's folder, to judge them where the truth is known."""


@dataclass(frozen=True)
class FinetuneSettings(Group):
    """Category-wise Fine-Tuning: after training, each class's part of the last layer learns from known cells alone."""

    is_enabled: bool = setting(False)
    """Tune the last layer class by class on frozen features; a class whose held-out average precision gets no better stays
    as it was. Length and loss are those of the group "Last layer"."""
    learning_rate: float = setting(1e-4, low=1e-8, high=1.0)
    """Peak learning rate of Adam; it falls to zero along a cosine."""


@dataclass(frozen=True)
class SelectionSettings(Group):
    """What is held out of the training to choose the best epoch and to calibrate scores."""

    heldout_share: float = setting(0.15, low=0.0, high=0.9)
    """Share of the known cells that is held out, the same cells in every run. Not used where there is a val
    split."""
    keeps: str = setting("last", choices=("last", "best"), source="measured")
    """Keep the last epoch, unless an earlier one is better beyond doubt, or the best one, as released."""
    patience: int = setting(15, low=1, high=100_000)
    """Epochs without a better result before the run may end; counted once the learning rate falls and pseudo-labels are
    in use."""
    has_early_stop: bool = setting(True, source="released")
    """End early when results stay worse for ``patience`` epochs; beyond doubt where the last epoch is kept."""
    can_stop_before_pseudo: bool = setting(False)
    """Let early stopping end a run before its first pseudo-labels, as the released code does by mistake."""


@dataclass(frozen=True)
class ComputeSettings(Group):
    """Where and how the run computes."""

    device: str = setting("auto")
    """auto, cpu, cuda, cuda:1, mps."""
    devices: int = setting(1, low=1, high=1024)
    """Processes that train together, one for each GPU."""
    precision: str = setting("auto", choices=("auto", "float32", "bfloat16", "float16"))
    """auto takes bfloat16 where a GPU has it, else float16; on a CPU a short trial decides."""
    has_graphs: bool = setting(True, source="measured")
    """Record the network's passes once, so that a GPU gets each as one command; where the memory holds a whole batch."""
    has_tf32: bool = setting(True)
    """Let a GPU round float32 products to TF32."""
    checkpoint_seconds: float = setting(20.0, low=0.0, high=86_400.0)
    """A checkpoint is written this often, and when a run is paused; 0 writes one after every step."""
    scoring_batch: int = setting(0, low=0, high=65_536)
    """Images scored at once; 0: 512 on a GPU, 64 on a CPU. Halved by itself where memory runs out."""
