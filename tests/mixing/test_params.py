from __future__ import annotations

import pytest
import torch

from logicmix_studio.mixing import CutMix, LogicMix, Mixup, MixUpPME, NoMixing, Normalisation, OrMixup

MIXING_METHODS = {
    "logicmix": LogicMix,
    "mixup": Mixup,
    "mixup-pme": MixUpPME,
    "or-mixup": OrMixup,
    "cutmix": CutMix,
    "none": NoMixing,
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", MIXING_METHODS)
def test_make_params__every_method_keeps_the_contract(name):
    rows = torch.tensor([5, 0, 9, 9, 2, 7, 1, 3])
    params = MIXING_METHODS[name]().make_params(rows, 10, seeded())
    num_sources = params.sources.shape[1]
    assert len(params) == 8
    assert params.sources.dtype == params.counts.dtype == torch.int64
    assert params.mixed.dtype == torch.bool
    assert params.sources[:, 0].equal(rows)
    assert 0 <= int(params.sources.min()) <= int(params.sources.max()) < 10
    assert ((params.counts >= 2) == params.mixed).all()
    torch.testing.assert_close(params.weights.sum(dim=1), torch.ones(8))
    for row, count in enumerate(params.counts.tolist()):
        assert (params.sources[row, count:] == rows[row]).all()
        assert (params.weights[row, count:] == 0).all()
    assert num_sources == {"logicmix": 3, "none": 1}.get(name, 2)


@pytest.mark.parametrize("name", MIXING_METHODS)
def test_make_params__same_seed_same_draws(name):
    rows = torch.arange(32)
    first, second, other = (MIXING_METHODS[name]().make_params(rows, 99, seeded(s)) for s in (4, 4, 5))
    assert first.sources.equal(second.sources)
    assert first.weights.equal(second.weights)
    if first.boxes is not None:
        assert first.boxes.equal(second.boxes)
    assert name == "none" or not first.sources.equal(other.sources)


@pytest.mark.parametrize("name", MIXING_METHODS)
def test_make_params__nothing_and_one_image(name):
    method = MIXING_METHODS[name]()
    assert len(method.make_params(torch.arange(0), 0, seeded())) == 0
    assert (method.make_params(torch.zeros(6, dtype=torch.int64), 1, seeded()).sources == 0).all()


@pytest.mark.parametrize("name", MIXING_METHODS)
def test_make_params__refuses_anchors_outside_the_data_set(name):
    with pytest.raises(ValueError, match=r"must lie in 0\.\.3, but reach 4"):
        MIXING_METHODS[name]().make_params(torch.tensor([0, 4]), 4, seeded())
    with pytest.raises(ValueError, match="one axis"):
        MIXING_METHODS[name]().make_params(torch.zeros(2, 2, dtype=torch.int64), 4, seeded())


@pytest.mark.parametrize("name", sorted(set(MIXING_METHODS) - {"none"}))
@pytest.mark.parametrize(("probability", "mixed"), [(0.0, False), (1.0, True)])
def test_make_params__probability(name, probability, mixed):
    params = MIXING_METHODS[name](probability=probability).make_params(torch.arange(50), 50, seeded())
    assert (params.mixed == mixed).all()


@pytest.mark.parametrize("name", sorted(set(MIXING_METHODS) - {"none"}))
@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_probability__refuses_what_is_none(name, probability):
    with pytest.raises(ValueError, match=r"probability must lie in \[0, 1\]"):
        MIXING_METHODS[name](probability=probability)


def test_pooled__one_row_a_use():
    params = LogicMix(probability=0.7, num_sources=(2, 4)).make_params(torch.arange(20), 100, seeded(1))
    rows, pooled = params.pooled()
    assert len(rows) == int(params.counts.sum())
    assert rows[pooled.sources].equal(params.sources)
    used = [
        position
        for row, count in zip(pooled.sources.tolist(), params.counts.tolist(), strict=True)
        for position in row[:count]
    ]
    assert used == list(range(len(rows)))
    assert pooled.weights.equal(params.weights)


@pytest.mark.parametrize(("mean", "std"), [((0.5,), (1.0, 1.0)), ((0.5,), (0.0,))])
def test_normalisation__refuses_what_cannot_be_divided_by(mean, std):
    with pytest.raises(ValueError, match="one mean and one positive std"):
        Normalisation(mean, std)


@pytest.mark.parametrize("name", MIXING_METHODS)
def test_transform__an_empty_batch(name):
    method = MIXING_METHODS[name]()
    params = method.make_params(torch.arange(0), 5, seeded())
    result = method.transform(torch.zeros(5, 3, 2, 2), torch.zeros(5, 4, dtype=torch.int8), params)
    assert result.images.shape == (0, 3, 2, 2)
    assert result.states.shape == (0, 4)


@pytest.mark.parametrize("name", MIXING_METHODS)
def test_transform__same_parameters_same_blends(name):
    method = MIXING_METHODS[name]()
    images = torch.randint(0, 256, (12, 3, 8, 8), generator=seeded(), dtype=torch.uint8)
    states = torch.randint(-1, 2, (12, 4), generator=seeded(), dtype=torch.int8)
    params = method.make_params(torch.arange(12), 12, seeded())
    first, second = (method.transform(images, states, params) for _ in range(2))
    assert first.images.equal(second.images)
    assert first.states.equal(second.states)
    assert first.states.dtype == torch.int8
    assert first.states[~params.mixed].equal(states[~params.mixed])
