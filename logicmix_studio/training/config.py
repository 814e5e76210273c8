"""Recipes and the configuration of one run.

``quick`` trains a linear head on cached features of a frozen backbone, with the plain partial asymmetric loss
and no mixing: seconds, not the published method. ``2wayaug-pl`` is the method: LogicMix and conventional
augmentation, the decoupled loss, a moving average of the weights and pseudo-labels. ``2wayaug-pl-released``
keeps the released settings with their slips, for comparison; only its selection differs, which never sees the
test split here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from logicmix_studio.errors import StudioError
from logicmix_studio.training.fields import Field, Value, convert, fields_of
from logicmix_studio.training.settings import (
    AugmentSettings,
    BackboneSettings,
    ComputeSettings,
    EmaSettings,
    Group,
    HeadSettings,
    LossSettings,
    MixingSettings,
    OptimizerSettings,
    PseudoSettings,
    ScheduleSettings,
    SelectionSettings,
    WarmSettings,
)

__all__ = [
    "DEFAULT_SEED",
    "RECIPES",
    "Field",
    "FullSettings",
    "QuickSettings",
    "RunConfig",
    "Settings",
    "Value",
    "describe",
    "recipe_help",
]

DEFAULT_SEED = 526
"""The seed of the released label dropping, taken over for everything."""


@dataclass(frozen=True)
class QuickSettings:
    """Settings of the recipe ``quick``."""

    backbone: BackboneSettings = dataclasses.field(default_factory=BackboneSettings)
    head: HeadSettings = dataclasses.field(default_factory=HeadSettings)
    selection: SelectionSettings = dataclasses.field(default_factory=SelectionSettings)
    compute: ComputeSettings = dataclasses.field(default_factory=ComputeSettings)


@dataclass(frozen=True)
class FullSettings:
    """Settings of the recipes that train the whole network."""

    backbone: BackboneSettings = dataclasses.field(default_factory=BackboneSettings)
    warm: WarmSettings = dataclasses.field(default_factory=WarmSettings)
    head: HeadSettings = dataclasses.field(default_factory=HeadSettings)
    augment: AugmentSettings = dataclasses.field(default_factory=AugmentSettings)
    mixing: MixingSettings = dataclasses.field(default_factory=MixingSettings)
    loss: LossSettings = dataclasses.field(default_factory=LossSettings)
    optimizer: OptimizerSettings = dataclasses.field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = dataclasses.field(default_factory=ScheduleSettings)
    ema: EmaSettings = dataclasses.field(default_factory=EmaSettings)
    pseudo: PseudoSettings = dataclasses.field(default_factory=PseudoSettings)
    selection: SelectionSettings = dataclasses.field(default_factory=SelectionSettings)
    compute: ComputeSettings = dataclasses.field(default_factory=ComputeSettings)


Settings = QuickSettings | FullSettings

_RELEASED = FullSettings(
    backbone=BackboneSettings(name="resnet101", image_size=448, pooling="mean", should_normalize=False),
    warm=WarmSettings(should_train_head_first=False),
    schedule=ScheduleSettings(min_steps=0, should_repeat_slip=True),
    ema=EmaSettings(has_warmup=False),
    selection=SelectionSettings(patience=10, can_stop_before_pseudo=True),
)

RECIPES: dict[str, Settings] = {
    "quick": QuickSettings(),
    "2wayaug-pl": FullSettings(),
    "2wayaug-pl-released": _RELEASED,
}
"""Settings by recipe name."""

_HELP = {
    "quick": "Head only, on cached features of a frozen backbone: seconds. No mixing: this is not LogicMix.",
    "2wayaug-pl": "The whole network with LogicMix, RandAugment and pseudo-labels: minutes to hours.",
    "2wayaug-pl-released": "The released settings with their slips, for comparison only.",
}


@dataclass(frozen=True)
class RunConfig:
    """All that a run needs beside its snapshot and the images; ``config.json``."""

    recipe: str
    """``quick``, ``2wayaug-pl`` or ``2wayaug-pl-released``."""
    root: str = ""
    """Folder of the images; the snapshot's paths lie below it. Set when the run is created."""
    class_names: tuple[str, ...] = ()
    """Names of the classes, in column order. Set when the run is created."""
    seed: int = DEFAULT_SEED
    """Everything random follows from it."""
    init_from: str | None = None
    """Run folder whose weights this run starts from, if any; a relative one lies beside this run's folder."""
    cache: str | None = None
    """Folder of the feature and pixel caches; the workspace's unless given."""
    settings: Settings = dataclasses.field(default_factory=QuickSettings)
    """Every hyper-parameter, in groups."""

    def __post_init__(self) -> None:
        """Refuse a recipe that does not exist, repeated classes and a negative seed."""
        kind = type(_recipe(self.recipe))
        if not isinstance(self.settings, kind):
            raise StudioError(
                f"recipe {self.recipe} takes {kind.__name__}, not {type(self.settings).__name__}",
                "Make the configuration with RunConfig.create().",
            )
        if len(set(self.class_names)) != len(self.class_names):
            raise StudioError("a class name stands twice in the run's class_names", "Rename one of them.")
        if self.seed < 0:
            raise StudioError(f"seed must be 0 or more, not {self.seed}", "Choose another seed.")

    @classmethod
    def create(
        cls,
        recipe: str,
        *,
        overrides: Mapping[str, object] | None = None,
        init_from: int | str | None = None,
        seed: int = DEFAULT_SEED,
        root: str = "",
        class_names: Sequence[str] = (),
        cache: str | None = None,
    ) -> RunConfig:
        """Make a configuration from a recipe and what differs from it.

        Args:
            recipe: Name of the recipe.
            overrides: Values by dotted name, as text or in their own type.
            init_from: Run to start from: its number, or its folder.
            seed: Seed of everything random.
            root: Folder of the images; filled in when the run is created.
            class_names: Names of the classes; filled in when the run is created.
            cache: Folder of the caches.

        Raises:
            StudioError: If the recipe or a name does not exist, or a value contradicts its range or another.
        """
        settings = _apply(recipe, dict(overrides or {}))
        start = f"{init_from:04d}" if isinstance(init_from, int) else init_from
        return cls(recipe, root, tuple(class_names), seed, start, cache, settings)

    def to_json(self) -> str:
        """Return the configuration as indented JSON that :meth:`from_json` reads back."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """Read a configuration; a setting that is missing takes the recipe's default.

        Args:
            text: What :meth:`to_json` returned.

        Raises:
            StudioError: If a setting is unknown or out of range, or the recipe does not exist.
        """
        read = json.loads(text)
        groups: Mapping[str, Mapping[str, object]] = read.get("settings", {})
        overrides = {
            f"{group}.{name}": value for group, values in groups.items() for name, value in values.items()
        }
        return cls.create(
            read["recipe"],
            overrides=overrides,
            init_from=read.get("init_from"),
            seed=read["seed"],
            root=read["root"],
            class_names=read["class_names"],
            cache=read.get("cache"),
        )

    def overrides(self) -> dict[str, Value]:
        """Return the settings that differ from the recipe's defaults, by dotted name."""
        defaults = {field.name: field.default for field in _fields(_recipe(self.recipe))}
        return {
            field.name: field.default
            for field in _fields(self.settings)
            if field.default != defaults[field.name]
        }


def describe(recipe: str) -> list[Field]:
    """Return every setting of a recipe with its default, range and meaning, in groups.

    Args:
        recipe: Name of the recipe.

    Raises:
        StudioError: If there is no such recipe.
    """
    return _fields(_recipe(recipe))


def recipe_help(recipe: str) -> str:
    """Return in a sentence what a recipe is, and what it is not."""
    _recipe(recipe)
    return _HELP[recipe]


def _recipe(name: str) -> Settings:
    if name not in RECIPES:
        raise StudioError(f"there is no recipe {name!r}", f"Choose one of {', '.join(RECIPES)}.")
    return RECIPES[name]


def _groups(settings: Settings) -> dict[str, Group]:
    return {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)}


def _fields(settings: Settings) -> list[Field]:
    return [field for name, group in _groups(settings).items() for field in fields_of(group, name)]


def _apply(recipe: str, overrides: dict[str, object]) -> Settings:
    settings = _recipe(recipe)
    known = {field.name: field for field in _fields(settings)}
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise StudioError(
            f"recipe {recipe} has no setting {', '.join(unknown)}",
            f"Its settings: {', '.join(known)}.",
        )
    changed: dict[str, dict[str, Any]] = {}
    for dotted, value in overrides.items():
        group, name = dotted.split(".", 1)
        changed.setdefault(group, {})[name] = convert(known[dotted], value)
    groups = _groups(settings)
    replaced: dict[str, Any] = {
        name: dataclasses.replace(groups[name], **values) for name, values in changed.items()
    }
    return dataclasses.replace(settings, **replaced)
