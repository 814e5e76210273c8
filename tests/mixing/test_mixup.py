from __future__ import annotations

import pytest
import torch

from logicmix_studio.mixing import CutMix, MixParams, Mixup, MixUpPME, OrMixup
from logicmix_studio.mixing.mixup import draw_beta, draw_uniform

NAN = float("nan")

ANCHOR = [1, 1, 1, 0, 0, 0, -1, -1, -1]
PARTNER = [1, 0, -1, 1, 0, -1, 1, 0, -1]
STATES = torch.tensor([ANCHOR, PARTNER], dtype=torch.int8)
IMAGES = torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)])
CUT_IMAGES = torch.stack([torch.zeros(1, 10, 10), torch.ones(1, 10, 10)])


def mixed_with(share: float) -> MixParams:
    """The anchor's share of a mixed row, and a second row that is not mixed."""
    return MixParams(
        sources=torch.tensor([[0, 1], [0, 0]]),
        counts=torch.tensor([2, 1]),
        mixed=torch.tensor([True, False]),
        weights=torch.tensor([[share, 1 - share], [1.0, 0.0]]),
    )


@pytest.mark.parametrize("method", [Mixup(), MixUpPME(), OrMixup()])
def test_transform__images_are_weighted_means(method):
    images = method.transform(IMAGES, STATES, mixed_with(0.75)).images
    assert (images[0] == 0.25).all()
    assert (images[1] == 0).all()


def test_mixup__unknown_as_a_constant_in_mixed_rows_only():
    result = Mixup(unknown_as=0.5).transform(IMAGES, STATES, mixed_with(0.75))
    mixed = [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]
    plain = [1, 1, 1, NAN, NAN, NAN, 0, 0, 0]
    torch.testing.assert_close(result.targets, torch.tensor([mixed, plain]), equal_nan=True)


def test_mixup__assumes_negative_by_default():
    targets = Mixup().transform(IMAGES, STATES, mixed_with(0.75)).targets
    torch.testing.assert_close(targets[0], torch.tensor([1, 0.75, 0.75, 0.25, 0, 0, 0.25, 0, 0]))


def test_mixup_pme__unknown_anchor_stays_unknown():
    result = MixUpPME().transform(IMAGES, STATES, mixed_with(0.75))
    mixed = [1, 0.875, 0.75, NAN, NAN, NAN, 0.25, 0.125, 0]
    plain = [1, 1, 1, NAN, NAN, NAN, 0, 0, 0]
    torch.testing.assert_close(result.targets, torch.tensor([mixed, plain]), equal_nan=True)


@pytest.mark.parametrize("method", [Mixup(), MixUpPME()])
def test_soft_methods__states_are_what_all_sources_agree_on(method):
    states = method.transform(IMAGES, STATES, mixed_with(0.75)).states
    assert states.dtype == torch.int8
    assert states.tolist() == [[1, 0, 0, 0, 0, 0, 0, 0, -1], ANCHOR]


def test_or_mixup__labels_are_or_whatever_the_share():
    result = OrMixup().transform(IMAGES, STATES, mixed_with(0.01))
    assert result.states.tolist() == [[1, 1, 1, 1, 0, 0, 1, 0, -1], ANCHOR]
    assert result.targets is None


@pytest.mark.parametrize(
    ("method", "least", "most"),
    [(Mixup(1.0), 0.0, 1.0), (MixUpPME(1.0), 0.75, 1.0), (OrMixup(1.0, (0.2, 0.4)), 0.2, 0.4)],
)
def test_make_params__shares_lie_in_their_range(method, least, most):
    params = method.make_params(torch.arange(400), 400, torch.Generator().manual_seed(0))
    shares = params.weights[:, 0]
    assert least <= float(shares.min()) < float(shares.max()) <= most
    assert float(shares.mean()) == pytest.approx((least + most) / 2, abs=0.05)


def test_draw_beta__spread():
    generator = torch.Generator().manual_seed(0)
    crowded, even = draw_beta(4000, 0.2, generator), draw_beta(4000, 1.0, generator)
    assert crowded.isfinite().all()
    assert float(crowded.var()) == pytest.approx(1 / (4 * 1.4), abs=0.01)
    assert float(even.var()) == pytest.approx(1 / 12, abs=0.01)


def test_draw_uniform__of_a_point():
    assert draw_uniform(3, (0.5, 0.5), torch.Generator()).tolist() == [0.5, 0.5, 0.5]


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
def test_cutmix__or_of_what_is_seen(area, expected):
    result = CutMix(min_area=0.25).transform(CUT_IMAGES, STATES, pasted(area))
    assert result.states.tolist() == [expected, ANCHOR]
    assert result.images[0].mean().item() == pytest.approx(area)
    assert (result.images[1] == 0).all()


def test_cutmix__weights_are_the_areas_of_the_boxes():
    params = CutMix(probability=0.5).make_params(torch.arange(300), 300, torch.Generator().manual_seed(0))
    top, left, bottom, right = params.boxes.unbind(dim=1)
    assert float(params.boxes.min()) >= 0
    assert float(params.boxes.max()) <= 1
    torch.testing.assert_close(params.weights[:, 1], (bottom - top) * (right - left), atol=1e-6, rtol=0)
    assert (params.weights[~params.mixed, 1] == 0).all()
    assert (params.weights[params.mixed, 1] > 0).all()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: CutMix(alpha=0), "alpha must be more than 0 and min_area"),
        (lambda: CutMix(min_area=1.5), "alpha must be more than 0 and min_area"),
        (lambda: Mixup(alpha=0), "alpha must be more than 0"),
        (lambda: Mixup(unknown_as=2), r"unknown_as in \[0, 1\]"),
        (lambda: MixUpPME(share_range=(0.8, 0.7)), "smaller first"),
        (lambda: OrMixup(share_range=(0.0, 1.2)), r"must lie in \[0, 1\]"),
    ],
)
def test_settings__refuses_values_out_of_range(build, message):
    with pytest.raises(ValueError, match=message):
        build()
