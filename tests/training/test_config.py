import dataclasses
import json

import pytest

from logicmix_studio.errors import StudioError
from logicmix_studio.training.config import RECIPES, FullSettings, RunConfig, describe, recipe_name
from logicmix_studio.training.settings import MixingSettings, OptimizerSettings


@pytest.mark.parametrize("recipe", RECIPES)
def test_describe_names_every_setting_with_help(recipe):
    fields = describe(recipe)

    settings = RECIPES[recipe].settings
    groups = dataclasses.fields(settings)
    count = sum(len(dataclasses.fields(getattr(settings, group.name))) for group in groups)
    assert len({field.name for field in fields}) == len(fields) == count
    for field in fields:
        assert len(field.help) > 10, field.name
        assert field.type in ("bool", "int", "float", "str")
        assert field.source in ("released", "paper", "measured", "ours")


def test_describe_shows_the_recipe_s_own_default():
    by_name = {field.name: field.default for field in describe("2wayaug-pl-released")}

    assert by_name["backbone.should_normalize"] is False
    assert by_name["ema.has_warmup"] is False
    assert by_name["selection.patience"] == 10
    assert by_name["backbone.image_size"] == 448


def test_released_values_of_the_method():
    settings = RECIPES["2wayaug-pl"].settings

    assert isinstance(settings, FullSettings)
    loss = settings.loss
    assert (loss.original_gamma_positive, loss.original_gamma_negative, loss.original_shift) == (0, 4, 0.05)
    assert (loss.mixed_gamma_positive, loss.mixed_gamma_negative, loss.mixed_shift) == (4, 0, 0)
    assert (settings.mixing.probability, settings.mixing.min_sources, settings.mixing.max_sources) == (
        0.5,
        2,
        3,
    )


def test_create_reads_values_from_text():
    config = RunConfig.create(
        "2wayaug-pl",
        overrides={"schedule.epochs": "6", "backbone.should_normalize": "no", "ema.decay": "0.9"},
        class_names=["a"],
    )

    assert isinstance(config.settings, FullSettings)
    assert config.settings.schedule.epochs == 6
    assert config.settings.backbone.should_normalize is False
    assert config.settings.ema.decay == 0.9
    assert config.overrides() == {
        "schedule.epochs": 6,
        "backbone.should_normalize": False,
        "ema.decay": 0.9,
    }


def test_json_gives_back_the_same_configuration():
    config = RunConfig.create(
        "2wayaug-pl-released",
        overrides={"optimizer.batch_size": 64},
        init_from=7,
        seed=3,
        root="/x",
        class_names=["a", "ä"],
    )

    assert RunConfig.from_json(config.to_json()) == config
    assert config.init_from == "0007"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"schedule.epochs": 0}, "schedule.epochs must be at least 1, not 0"),
        ({"ema.decay": 2}, "ema.decay must be at most 0.999999, not 2"),
        ({"ema.decay": float("nan")}, "ema.decay must be of type float, not nan"),
        ({"schedule.epochs": "many"}, "schedule.epochs must be of type int, not 'many'"),
        ({"schedule.epochs": 2.5}, "schedule.epochs must be of type int, not 2.5"),
        ({"mixing.method": "magic"}, "mixing.method must be one of logicmix, none"),
        ({"mixing.min_sources": 4}, "mixing.min_sources 4 is more than mixing.max_sources 3"),
        ({"optimizer.micro_batch": 256}, "optimizer.micro_batch 256 exceeds optimizer.batch_size 128"),
        ({"schedule.epoch": 3}, "has no setting schedule.epoch"),
        ({"ema.has_warmup": "maybe"}, "ema.has_warmup must be of type bool"),
    ],
)
def test_create_refuses(overrides, message):
    with pytest.raises(StudioError, match=message):
        RunConfig.create("2wayaug-pl", overrides=overrides)


def test_create_refuses_an_unknown_recipe():
    with pytest.raises(StudioError, match="there is no recipe 'slow'"):
        RunConfig.create("slow")


def test_a_recipe_is_called_by_its_name_or_its_title():
    for name, recipe in RECIPES.items():
        assert recipe_name(name) == recipe_name(recipe.title) == name
        assert RunConfig.create(recipe.title).recipe == name


def test_quick_says_what_it_is_not():
    assert "not LogicMix" in RECIPES["quick"].words


def test_a_setting_of_an_earlier_version_is_passed_over():
    saved = json.loads(RunConfig.create("quick").to_json())
    saved["settings"]["compute"]["is_channels_last"] = False

    assert RunConfig.from_json(json.dumps(saved)) == RunConfig.create("quick")


def test_a_setting_is_told_in_words():
    field = next(field for field in describe("thorough") if field.name == "optimizer.weight_decay")

    assert (field.group, field.label) == ("optimizer", "weight decay")
    assert field.facts == "default 1e-4 · 0 to 1 · released settings"


def test_groups_refuse_contradictions_without_a_recipe():
    with pytest.raises(StudioError, match=r"mixing\.min_sources"):
        MixingSettings(min_sources=3, max_sources=2)
    with pytest.raises(StudioError, match=r"optimizer\.batch_size must be at least 1"):
        OptimizerSettings(batch_size=0, micro_batch=0)
