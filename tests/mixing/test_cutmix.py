from __future__ import annotations

import pytest
import torch

from logicmix_studio.mixing import CutMix, MixParams

ANCHOR = [1, 1, 1, 0, 0, 0, -1, -1, -1]
PARTNER = [1, 0, -1, 1, 0, -1, 1, 0, -1]
STATES = torch.tensor([ANCHOR, PARTNER], dtype=torch.int8)
IMAGES = torch.stack([torch.zeros(1, 10, 10), torch.ones(1, 10, 10)])


def pasted(area: float) -> MixParams:
    """A row with this share of the partner, and a second row that is not mixed."""
    return MixParams(
        sources=torch.tensor([[0, 1], [0, 0]]),
        counts=torch.tensor([2, 1]),
        mixed=torch.tensor([True, False]),
        weights=torch.tensor([[1 - area, area], [1.0, 0.0]]),
        boxes=torch.tensor([[0.0, 0.0, 1.0, area], [0.0, 0.0, 0.0, 0.0]]),
    )


@pytest.mark.parametrize(
    ("area", "expected"),
    [
        (0.5, [1, 1, 1, 1, 0, 0, 1, 0, -1]),
        (0.2, [1, 1, 1, 0, 0, 0, 0, 0, -1]),
        (0.8, [1, 0, 0, 1, 0, 0, 1, 0, -1]),
        (0.0, ANCHOR),
        (1.0, PARTNER),
    ],
)
def test_transform__or_of_what_is_seen(area, expected):
    result = CutMix(min_area=0.25).transform(IMAGES, STATES, pasted(area))
    assert result.states.tolist() == [expected, ANCHOR]
    assert result.images[0].mean().item() == pytest.approx(area)
    assert (result.images[1] == 0).all()


def test_make_params__weights_are_the_areas_of_the_boxes():
    params = CutMix(probability=0.5).make_params(torch.arange(300), 300, torch.Generator().manual_seed(0))
    top, left, bottom, right = params.boxes.unbind(dim=1)
    assert float(params.boxes.min()) >= 0
    assert float(params.boxes.max()) <= 1
    torch.testing.assert_close(params.weights[:, 1], (bottom - top) * (right - left), atol=1e-6, rtol=0)
    assert (params.weights[~params.mixed, 1] == 0).all()
    assert (params.weights[params.mixed, 1] > 0).all()


@pytest.mark.parametrize("arguments", [{"alpha": 0}, {"min_area": 1.5}])
def test_settings__refuses_values_out_of_range(arguments):
    with pytest.raises(ValueError, match="alpha must be more than 0 and min_area"):
        CutMix(**arguments)
