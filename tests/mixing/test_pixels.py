from __future__ import annotations

import pytest
import torch

from logicmix_studio.mixing import MixParams, Normalisation, Output
from logicmix_studio.mixing.pixels import blend, paste

SMALL, LARGE = (3, 5, 4), (3, 48, 40)
"""Images mixed by columns and by rows."""

NORMALISATION = Normalisation((0.5, 0.4, 0.3), (0.2, 0.25, 0.5))


@pytest.fixture
def params() -> MixParams:
    sources = torch.tensor([[2, 2, 2], [0, 1, 0], [1, 0, 3]])
    counts = torch.tensor([1, 2, 3])
    weights = torch.tensor([[1.0, 0, 0], [0.25, 0.75, 0], [0.2, 0.3, 0.5]])
    return MixParams(sources, counts, counts > 1, weights)


def pixels(shape: tuple[int, int, int], dtype: torch.dtype = torch.uint8) -> torch.Tensor:
    images = torch.randint(0, 256, (4, *shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    return images if dtype == torch.uint8 else (images / 255).to(dtype)


def naive(images: torch.Tensor, params: MixParams, *, normalised: bool) -> torch.Tensor:
    shares = images.double() / (255 if images.dtype == torch.uint8 else 1)
    mixed = torch.stack(
        [
            sum(w * shares[s] for s, w in zip(sources, weights, strict=True))
            for sources, weights in zip(params.sources.tolist(), params.weights.tolist(), strict=True)
        ]
    )
    if normalised:
        mean, std = (torch.tensor(v).double()[:, None, None] for v in ((0.5, 0.4, 0.3), (0.2, 0.25, 0.5)))
        mixed = (mixed - mean) / std
    return mixed


@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("normalised", [False, True])
def test_blend__equals_naive_loop(params, shape, dtype, normalised):
    images = pixels(shape, dtype)
    result = blend(images, params, Output(normalisation=NORMALISATION if normalised else None))
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), naive(images, params, normalised=normalised), atol=2e-6, rtol=0)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_blend__sums_in_float32_and_rounds_once(params, shape, dtype):
    images = pixels(shape)
    result = blend(images, params, Output(dtype=dtype, normalisation=NORMALISATION))
    exact = blend(images, params, Output(normalisation=NORMALISATION))
    assert result.equal(exact.to(dtype))


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_blend__keeps_channels_last(params, shape):
    images = pixels(shape)
    last = images.contiguous(memory_format=torch.channels_last)
    result = blend(last, params, Output(normalisation=NORMALISATION))
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert not result.is_contiguous()
    first = blend(images, params, Output(normalisation=NORMALISATION))
    assert first.is_contiguous()
    torch.testing.assert_close(result, first, atol=1e-6, rtol=0)


@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_blend__writes_over_the_buffer(params, shape, dtype):
    buffer = torch.full((5, *shape), 9.0, dtype=dtype)
    result = blend(pixels(shape), params, Output(dtype=dtype, buffer=buffer))
    assert result.data_ptr() == buffer.data_ptr()
    assert result.equal(blend(pixels(shape), params, Output(dtype=dtype)))
    assert (buffer[3:] == 9).all()


@pytest.mark.parametrize(
    "buffer", [torch.empty(2, *SMALL), torch.empty(3, *LARGE), torch.empty(3, *SMALL, dtype=torch.float16)]
)
def test_blend__refuses_a_buffer_that_does_not_fit(params, buffer):
    with pytest.raises(ValueError, match="the buffer must hold"):
        blend(pixels(SMALL), params, Output(buffer=buffer))


@pytest.mark.parametrize("images", [torch.zeros(4, 5, 5), torch.zeros(4, 3, 5, 5, dtype=torch.int64)])
def test_blend__refuses_what_is_no_images(params, images):
    with pytest.raises(ValueError, match=r"uint8 or float, not \(4,"):
        blend(images, params, Output())


def test_blend__refuses_means_for_other_channels(params):
    with pytest.raises(ValueError, match="3 means for 1 channels"):
        blend(torch.zeros(4, 1, 5, 5), params, Output(normalisation=NORMALISATION))


@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_blend__a_share_of_zero_is_left_out(shape):
    params = MixParams(torch.tensor([[0, 1]]), torch.tensor([2]), torch.tensor([True]), torch.tensor([[0.0, 1.0]]))
    images = pixels(shape, torch.float32)
    assert blend(images, params, Output())[0].equal(images[1])


@pytest.mark.parametrize("mixer", [blend, paste])
def test_nothing(mixer):
    none = MixParams(
        torch.zeros(0, 2, dtype=torch.int64),
        torch.zeros(0, dtype=torch.int64),
        torch.zeros(0, dtype=torch.bool),
        torch.zeros(0, 2),
        torch.zeros(0, 4),
    )
    assert mixer(pixels(SMALL), none, Output()).shape == (0, *SMALL)
    assert mixer(torch.zeros(0, *SMALL), none, Output()).shape == (0, *SMALL)


def test_paste__a_box_written_by_hand():
    images = torch.stack([torch.zeros(1, 4, 4), torch.ones(1, 4, 4)])
    params = MixParams(
        sources=torch.tensor([[0, 1], [0, 0]]),
        counts=torch.tensor([2, 1]),
        mixed=torch.tensor([True, False]),
        weights=torch.tensor([[0.75, 0.25], [1.0, 0.0]]),
        boxes=torch.tensor([[0.0, 0.5, 0.5, 1.0], [0.0, 0.0, 1.0, 1.0]]),
    )
    result = paste(images, params, Output())
    assert result[0, 0].tolist() == [[0, 0, 1, 1], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert (result[1] == 0).all()


def test_paste__refuses_parameters_without_boxes(params):
    with pytest.raises(ValueError, match="needs boxes"):
        paste(pixels(SMALL), params, Output())
