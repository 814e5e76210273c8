from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from logicmix_studio.mixing import LogicMix, MixParams, NoMixing, Output, or_states


def params_of(sources: list[list[int]]) -> MixParams:
    """Parameters written by hand: one list of sources a row."""
    most = max(map(len, sources))
    counts = torch.tensor([len(row) for row in sources])
    return MixParams(
        sources=torch.tensor([row + [row[0]] * (most - len(row)) for row in sources]),
        counts=counts,
        mixed=counts > 1,
        weights=torch.tensor([[1 / len(row)] * len(row) + [0.0] * (most - len(row)) for row in sources]),
    )


def states_of(targets: np.ndarray) -> torch.Tensor:
    """Reference labels (1, 0, nan) as states."""
    return torch.from_numpy(np.select([targets == 1, targets == 0], [1, -1], 0).astype(np.int8))


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
def test_or_states__truth_table(reference, k):
    combinations = states_of(reference[f"truth_k{k}_in"])
    states = combinations.reshape(-1, 1)
    sources = torch.arange(len(states)).view(-1, k)
    expected = states_of(reference[f"truth_k{k}_out"])
    assert or_states(states, sources).flatten().equal(expected)


def test_transform__labels_equal_reference(reference):
    first_three = states_of(reference["mix_labels_in"][:3])
    rows = [[row, 64 + row, 128 + row] for row in range(64)]
    result = LogicMix().transform(torch.zeros(192, 1, 1, 1), first_three.reshape(192, 80), params_of(rows))
    assert result.states.equal(states_of(reference["mix_labels_out"]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_transform__images_equal_reference(reference, dtype):
    images = torch.from_numpy(reference["mix_images_in"]).to(dtype)
    result = LogicMix().transform(images, torch.zeros(3, 2, dtype=torch.int8), params_of([[0, 1, 2]]))
    np.testing.assert_allclose(result.images[0], reference["mix_images_out"], atol=1e-6, rtol=0)


def naive_or(states: list[int]) -> int:
    return 1 if 1 in states else (-1 if all(state == -1 for state in states) else 0)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_transform__equals_naive_loop(data):
    num_images, num_classes = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 4))
    rows = data.draw(st.lists(st.lists(st.integers(0, num_images - 1), min_size=1, max_size=5), min_size=1, max_size=6))
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 99)))
    images = torch.randint(0, 256, (num_images, 3, 4, 5), generator=generator, dtype=torch.uint8)
    states = torch.randint(-1, 2, (num_images, num_classes), generator=generator, dtype=torch.int8)
    result = LogicMix().transform(images, states, params_of(rows))
    for i, sources in enumerate(rows):
        mean = torch.stack([images[s].double() / 255 for s in sources]).mean(dim=0)
        torch.testing.assert_close(result.images[i].double(), mean, atol=1e-6, rtol=0)
        expected = [naive_or([int(states[s, c]) for s in sources]) for c in range(num_classes)]
        assert result.states[i].tolist() == expected


@pytest.mark.parametrize("column", list(itertools.product((-1, 0, 1), repeat=3)))
def test_or_states__padding_with_the_anchor_changes_nothing(column):
    states = torch.tensor(column, dtype=torch.int8)[:, None]
    padded = or_states(states, torch.tensor([[0, 1, 2, 0, 0]]))
    assert padded.item() == naive_or(list(column))


@pytest.mark.parametrize("state", [-1, 0, 1])
def test_transform__all_of_one_state(state):
    states = torch.full((4, 3), state, dtype=torch.int8)
    params = LogicMix(probability=1.0).make_params(torch.arange(4), 4, torch.Generator().manual_seed(0))
    assert (LogicMix().transform(torch.zeros(4, 3, 2, 2), states, params).states == state).all()


def test_transform__of_a_pool_equals_that_of_the_data_set():
    generator = torch.Generator().manual_seed(3)
    images = torch.randint(0, 256, (30, 3, 6, 6), generator=generator, dtype=torch.uint8)
    states = torch.randint(-1, 2, (30, 7), generator=generator, dtype=torch.int8)
    method = LogicMix(probability=0.8, num_sources=(2, 4))
    params = method.make_params(torch.randperm(30, generator=generator)[:12], 30, generator)
    rows, pooled = params.pooled()
    whole = method.transform(images, states, params)
    pool = method.transform(images[rows], states[rows], pooled)
    assert whole.images.equal(pool.images)
    assert whole.states.equal(pool.states)


def test_transform__keeps_its_inputs():
    images, states = torch.rand(3, 3, 4, 4), torch.zeros(3, 2, dtype=torch.int8)
    kept = images.clone()
    LogicMix().transform(images, states, params_of([[0, 1], [2]]))
    assert images.equal(kept)


def test_make_params__share_of_mixed_rows_and_of_each_k():
    params = LogicMix(0.5, (2, 4)).make_params(torch.arange(6000), 6000, torch.Generator().manual_seed(0))
    counts = torch.bincount(params.counts, minlength=5) / 6000
    torch.testing.assert_close(counts, torch.tensor([0, 1 / 2, 1 / 6, 1 / 6, 1 / 6]), atol=0.02, rtol=0)


def test_make_params__partners_are_uniform_over_the_data_set():
    params = LogicMix(1.0, 2).make_params(torch.zeros(8000, dtype=torch.int64), 4, torch.Generator().manual_seed(0))
    shares = torch.bincount(params.sources[:, 1], minlength=4) / 8000
    torch.testing.assert_close(shares, torch.full((4,), 0.25), atol=0.02, rtol=0)


@pytest.mark.parametrize("num_sources", [1, (1, 3), (3, 2), 0])
def test_logicmix__refuses_fewer_than_two_sources(num_sources):
    with pytest.raises(ValueError, match="2 or more, the smaller first"):
        LogicMix(num_sources=num_sources)


def test_logicmix__a_large_fixed_k():
    params = LogicMix(1.0, 7).make_params(torch.arange(3), 50, torch.Generator().manual_seed(0))
    assert params.counts.tolist() == [7, 7, 7]
    images = torch.rand(50, 1, 2, 2)
    result = LogicMix().transform(images, torch.zeros(50, 1, dtype=torch.int8), params)
    torch.testing.assert_close(result.images, images[params.sources].mean(dim=1))


def test_no_mixing__returns_the_anchors():
    images = torch.randint(0, 256, (5, 3, 2, 2), dtype=torch.uint8)
    states = torch.randint(-1, 2, (5, 3), dtype=torch.int8)
    params = NoMixing().make_params(torch.tensor([4, 1]), 5, torch.Generator())
    result = NoMixing().transform(images, states, params, Output())
    torch.testing.assert_close(result.images, images[[4, 1]] / 255)
    assert result.states.equal(states[[4, 1]])
    assert not params.mixed.any()
