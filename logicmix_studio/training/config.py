"""Recipes and the configuration of one run."""

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
    FinetuneSettings,
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
    finetune: FinetuneSettings = dataclasses.field(default_factory=FinetuneSettings)
    selection: SelectionSettings = dataclasses.field(default_factory=SelectionSettings)
    compute: ComputeSettings = dataclasses.field(default_factory=ComputeSettings)


Settings = QuickSettings | FullSettings

_RELEASED = FullSettings(
    backbone=BackboneSettings(name="resnet101", image_size=448, pooling="mean", should_normalize=False),
    warm=WarmSettings(should_train_head_first=False, should_keep_statistics=False),
    optimizer=OptimizerSettings(backbone_share=1.0, micro_batch=32),
    schedule=ScheduleSettings(min_steps=0, should_repeat_slip=True),
    ema=EmaSettings(has_warmup=False),
    selection=SelectionSettings(keeps="best", patience=10, can_stop_before_pseudo=True),
)


@dataclass(frozen=True)
class Recipe:
    """A recipe as people choose it."""

    title: str
    """Its name on screen; a program may use it, too."""
    words: str
    """What it does, and what it is good for."""
    settings: Settings
    """Every hyper-parameter, in groups."""


RECIPES: dict[str, Recipe] = {
    "quick": Recipe(
        "fast",
        "Teaches only the last layer, on features that are computed once for each image: seconds to minutes. Good "
        "for a first look and for the rounds in between. It mixes no images, so it is not LogicMix.",
        QuickSettings(),
    ),
    "2wayaug-pl": Recipe(
        "thorough",
        "Teaches the whole network with LogicMix blends, flips and RandAugment, a loss that treats blends apart, and "
        "pseudo-labels of its own later on: minutes to hours. This is the published method, its slips mended.",
        FullSettings(),
    ),
    # Only its selection differs from the release: it never sees the test split here.
    "2wayaug-pl-released": Recipe(
        "as published",
        "The same with the settings of the published code, slips included. Only for comparing.",
        _RELEASED,
    ),
}
"""By the name that stands in ``config.json``."""

_RETIRED = frozenset({"compute.is_channels_last", "compute.is_compiled"})
"""Settings that changed nothing; runs of earlier versions still name them. (Compiled, a GPU trained no faster.)"""


@dataclass(frozen=True)
class RunConfig:
    """All that a run needs beside its snapshot and the images; ``config.json``."""

    recipe: str
    """Its name in `RECIPES`."""
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
        kind = type(recipe_settings(self.recipe))
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
            recipe: Name or title of the recipe.
            overrides: Values by dotted name, as text or in their own type.
            init_from: Run to start from: its number, or its folder.
            seed: Seed of everything random.
            root: Folder of the images; filled in when the run is created.
            class_names: Names of the classes; filled in when the run is created.
            cache: Folder of the caches.

        Raises:
            StudioError: If the recipe or a name does not exist, or a value contradicts its range or another.
        """
        recipe = recipe_name(recipe)
        settings = _apply(recipe, dict(overrides or {}))
        start = f"{init_from:04d}" if isinstance(init_from, int) else init_from
        return cls(recipe, root, tuple(class_names), seed, start, cache, settings)

    def to_json(self) -> str:
        """Return the configuration as indented JSON that :meth:`from_json` reads back."""
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """Read a configuration; a setting that is missing takes the recipe's default.

        Raises:
            StudioError: If a setting is unknown or out of range, or the recipe does not exist.
        """
        read = json.loads(text)
        groups: Mapping[str, Mapping[str, object]] = read.get("settings", {})
        overrides = {
            dotted: value
            for group, values in groups.items()
            for name, value in values.items()
            if (dotted := f"{group}.{name}") not in _RETIRED
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
        defaults = {field.name: field.default for field in describe(self.recipe)}
        return {field.name: field.default for field in _fields(self.settings) if field.default != defaults[field.name]}


def describe(recipe: str) -> list[Field]:
    """Return every setting of a recipe with its default, range and meaning, in groups.

    Raises:
        StudioError: If there is no such recipe.
    """
    return _fields(recipe_settings(recipe))


def recipe_name(recipe: str) -> str:
    """Return a recipe's name, given its name or its title.

    Example:
        >>> recipe_name("thorough")
        '2wayaug-pl'

    Raises:
        StudioError: If there is no such recipe.
    """
    for name, known in RECIPES.items():
        if recipe in (name, known.title):
            return name
    titles = ", ".join(f"{known.title} ({name})" for name, known in RECIPES.items())
    raise StudioError(f"there is no recipe {recipe!r}", f"Choose one of: {titles}.")


def recipe_settings(recipe: str) -> Settings:
    """Return what a recipe starts from, given its name or its title."""
    return RECIPES[recipe_name(recipe)].settings


def _groups(settings: Settings) -> dict[str, Group]:
    return {item.name: getattr(settings, item.name) for item in dataclasses.fields(settings)}


def _fields(settings: Settings) -> list[Field]:
    return [field for name, group in _groups(settings).items() for field in fields_of(group, name)]


def _apply(recipe: str, overrides: dict[str, object]) -> Settings:
    settings = recipe_settings(recipe)
    known = {field.name: field for field in _fields(settings)}
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise StudioError(f"recipe {recipe} has no setting {', '.join(unknown)}", f"Its settings: {', '.join(known)}.")
    changed: dict[str, dict[str, Any]] = {}
    for dotted, value in overrides.items():
        group, name = dotted.split(".", 1)
        changed.setdefault(group, {})[name] = convert(known[dotted], value)
    groups = _groups(settings)
    replaced: dict[str, Any] = {name: dataclasses.replace(groups[name], **values) for name, values in changed.items()}
    return dataclasses.replace(settings, **replaced)
