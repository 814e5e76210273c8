import numpy as np
import pytest
import torch

from logicmix_studio.images.augment import augment
from logicmix_studio.mixing import LogicMix, Output
from logicmix_studio.training.draws import assemble, draw_step, epoch_steps, step_seed
from logicmix_studio.training.settings import AugmentSettings, MixingSettings

NUM_IMAGES = 20
PIXELS = torch.randint(0, 256, (NUM_IMAGES, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
STATES = torch.randint(-1, 2, (NUM_IMAGES, 4), dtype=torch.int8, generator=torch.Generator().manual_seed(2))


def draw(step=0, partners="dataset", probability=0.7):
    mixing = MixingSettings(partners=partners, probability=probability)
    anchors = torch.arange(4, 16)
    return draw_step(anchors, NUM_IMAGES, mixing, AugmentSettings(), seed=5, epoch=1, step=step)


def batch_of(drawn):
    return assemble(drawn, augment(PIXELS[drawn.rows], drawn.augmentation), STATES[drawn.rows], LogicMix(), Output())


def test_same_seed_same_blends():
    first, again, other = draw(), draw(), draw(step=1)

    assert torch.equal(first.rows, again.rows)
    assert torch.equal(batch_of(first).images, batch_of(again).images)
    assert not torch.equal(batch_of(first).images, batch_of(other).images)


@pytest.mark.parametrize("partners", ["dataset", "batch"])
def test_parts_of_a_draw_are_parts_of_its_batch(partners):
    whole = batch_of(draw(partners=partners))
    chosen = torch.tensor([0, 3, 4, 11])
    part = batch_of(draw(partners=partners).select(chosen))

    assert torch.equal(part.images, whole.images[chosen])
    assert torch.equal(part.states, whole.states[chosen])
    assert torch.equal(part.mixed, whole.mixed[chosen])
    assert 0 < int(whole.mixed.sum()) < len(whole.mixed)


def test_partners_of_the_batch_are_in_the_batch():
    rows = draw(partners="batch").rows

    assert int(rows.min()) >= 4
    assert int(rows.max()) < 16


def test_every_use_is_augmented_for_itself():
    drawn = draw(probability=1.0)

    assert len(drawn.augmentation.flips) == len(drawn.rows) == int(drawn.params.counts.sum())
    assert len(drawn) == 12


def test_an_epoch_holds_every_image_once_in_steps_of_nearly_equal_size():
    steps = epoch_steps(0, 3, 33, 3)

    assert [len(step) for step in steps] == [11, 11, 11]
    assert sorted(torch.cat(steps).tolist()) == list(range(33))
    assert torch.cat(steps).tolist() != torch.cat(epoch_steps(0, 4, 33, 3)).tolist()


def test_step_seeds_differ():
    seeds = {step_seed(seed, epoch, step) for seed in range(3) for epoch in range(3) for step in range(3)}

    assert len(seeds) == 27
    assert all(0 <= seed < np.iinfo(np.int64).max for seed in seeds)
