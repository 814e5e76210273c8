from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from logicmix_studio.losses import (
    MIXED_SETTINGS,
    ORIGINAL_SETTINGS,
    AsymmetricSettings,
    decoupled_partial_asymmetric_loss,
    partial_asymmetric_loss,
    partial_bce,
)

OTHER_SETTINGS = AsymmetricSettings(1, 2, 0.1)
SETTINGS = {
    "original_gp0_gn4_m005": ORIGINAL_SETTINGS,
    "mixed_gp4_gn0_m0": MIXED_SETTINGS,
    "other_gp1_gn2_m01": OTHER_SETTINGS,
}
ALL_SETTINGS = [*SETTINGS.values(), AsymmetricSettings(0, 0, 0), AsymmetricSettings(2, 0, 0.2)]


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parent / "data" / "reference.npz", allow_pickle=False) as arrays:
        return {key: arrays[key] for key in arrays}


def values_and_gradients(logits, states, settings):
    """Loss of each cell and its derivative by the logit."""
    leaf = logits.detach().clone().requires_grad_()
    cells = partial_asymmetric_loss(
        leaf, states, settings.gamma_positive, settings.gamma_negative, settings.shift, "none"
    )
    cells.sum().backward()
    return cells.detach(), leaf.grad


def published(logits, states, settings):
    """The formula as it is published, in float64 and without clamping."""
    x = logits.double()
    p, q = x.sigmoid(), (-x).sigmoid()
    shifted = (q + settings.shift).clamp(max=1)
    positive = (1 - p.detach()) ** settings.gamma_positive * -p.log()
    negative = (1 - shifted.detach()) ** settings.gamma_negative * -shifted.log()
    return torch.where(states == 1, positive, torch.where(states == -1, negative, torch.zeros_like(x)))


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("kind", "state"), [("pos", 1), ("neg", -1), ("unknown", 0)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_partial_asymmetric_loss__agrees_with_reference(reference, name, kind, state, dtype):
    inside = np.abs(reference["loss_logits"]) < 14
    assert inside.sum() > 100
    logits = torch.from_numpy(reference["loss_logits"][inside]).to(dtype)
    states = torch.full(logits.shape, state, dtype=torch.int8)
    cells, gradient = values_and_gradients(logits, states, SETTINGS[name])
    np.testing.assert_allclose(cells, reference[f"loss_{name}_{kind}"][inside], rtol=1e-5, atol=0)
    np.testing.assert_allclose(gradient, reference[f"grad_{name}_{kind}"][inside], rtol=1e-5, atol=0)


@pytest.mark.parametrize("settings", ALL_SETTINGS)
def test_partial_asymmetric_loss__agrees_with_automatic_differentiation(settings):
    generator = torch.Generator().manual_seed(0)
    logits = (torch.randn(40, 9, generator=generator, dtype=torch.float64) * 4).requires_grad_()
    states = torch.randint(-1, 2, (40, 9), generator=generator, dtype=torch.int8)
    cells, gradient = values_and_gradients(logits, states, settings)
    expected = published(logits, states, settings)
    (expected_gradient,) = torch.autograd.grad(expected.sum(), logits)
    torch.testing.assert_close(cells, expected.detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("settings", ALL_SETTINGS)
def test_partial_asymmetric_loss__is_finite_at_100(settings, dtype):
    logits = torch.tensor([[-100.0, 100.0]] * 3, dtype=dtype)
    states = torch.tensor([[1, 1], [-1, -1], [0, 0]], dtype=torch.int8)
    cells, gradient = values_and_gradients(logits, states, settings)
    assert cells.dtype == torch.float32
    assert gradient.dtype == dtype
    assert cells.isfinite().all()
    assert gradient.isfinite().all()
    torch.testing.assert_close(cells[0, 0].item(), 100.0)
    assert gradient[0, 0] == -1
    easy = torch.stack([cells[0, 1], cells[1, 0], gradient[0, 1].float(), gradient[1, 0].float()])
    assert (easy.abs() < 1e-40).all()
    assert (cells[2] == 0).all()
    assert (gradient[2] == 0).all()
    if settings.shift == 0:
        assert cells[1, 1] == 100
        assert gradient[1, 1] == 1
    else:
        saturated = -np.log(settings.shift) * (1 - settings.shift) ** settings.gamma_negative
        torch.testing.assert_close(cells[1, 1].item(), saturated, rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_decoupled__under_autocast(dtype):
    generator = torch.Generator().manual_seed(0)
    states = torch.randint(-1, 2, (8, 5), generator=generator, dtype=torch.int8)
    mixed = torch.arange(8) % 2 == 0
    layer = torch.nn.Linear(3, 5)
    with torch.no_grad():
        layer.weight.mul_(40)
    with torch.autocast("cpu", dtype=dtype):
        logits = layer(torch.randn(8, 3, generator=generator))
        loss = decoupled_partial_asymmetric_loss(logits, states, mixed)
    assert logits.dtype == dtype
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, decoupled_partial_asymmetric_loss(logits.float(), states, mixed))
    loss.backward()
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize("flags", [[True, False, True, False], [True] * 4, [False] * 4])
def test_decoupled__each_row_with_its_own_setting(flags):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 6, generator=generator, requires_grad=True)
    states = torch.randint(-1, 2, (4, 6), generator=generator, dtype=torch.int8)
    cells = decoupled_partial_asymmetric_loss(logits, states, torch.tensor(flags), reduction="none")
    (gradient,) = torch.autograd.grad(cells.sum(), logits)
    for row, is_mixed in enumerate(flags):
        settings = MIXED_SETTINGS if is_mixed else ORIGINAL_SETTINGS
        expected, expected_gradient = values_and_gradients(logits[row], states[row], settings)
        torch.testing.assert_close(cells[row].detach(), expected)
        torch.testing.assert_close(gradient[row], expected_gradient)


def test_decoupled__equal_settings_are_the_plain_loss():
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(5, 3, generator=generator)
    states = torch.randint(-1, 2, (5, 3), generator=generator, dtype=torch.int8)
    mixed = torch.tensor([True, False, True, True, False])
    both = decoupled_partial_asymmetric_loss(logits, states, mixed, OTHER_SETTINGS, OTHER_SETTINGS)
    torch.testing.assert_close(both, partial_asymmetric_loss(logits, states, 1, 2, 0.1))


def test_decoupled__refuses_flags_of_another_length():
    with pytest.raises(ValueError, match=r"one flag a row: \(3,\) against \(2, 4\)"):
        decoupled_partial_asymmetric_loss(
            torch.zeros(2, 4), torch.zeros(2, 4, dtype=torch.int8), torch.ones(3, dtype=torch.bool)
        )


def test_reduction__sum_and_mean_over_known_cells():
    logits, states = torch.zeros(2, 2), torch.tensor([[1, 0], [-1, 0]], dtype=torch.int8)
    log2 = float(np.log(2))
    assert partial_bce(logits, states, "none").flatten().tolist() == pytest.approx([log2, 0, log2, 0])
    assert partial_bce(logits, states, "sum").item() == pytest.approx(2 * log2)
    assert partial_bce(logits, states, "mean").item() == pytest.approx(log2)
    assert partial_bce(logits, states).item() == pytest.approx(2 * log2)


@pytest.mark.parametrize("shape", [(2, 3), (0, 3), (2, 0), (1, 1)])
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_reduction__nothing_known_is_zero_without_gradient(shape, reduction):
    logits = torch.randn(shape, requires_grad=True)
    states = torch.zeros(shape, dtype=torch.int8)
    loss = partial_asymmetric_loss(logits, states, 0, 4, 0.05, reduction)
    loss.backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_reduction__refuses_another_name():
    with pytest.raises(ValueError, match="'none', 'sum' or 'mean', not 'max'"):
        partial_bce(torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.int8), "max")


def test_loss__refuses_other_shapes():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        partial_bce(torch.zeros(2, 3), torch.zeros(2, 4, dtype=torch.int8))


def test_loss__leaves_its_inputs_alone():
    logits, states = torch.randn(3, 4), torch.randint(-1, 2, (3, 4), dtype=torch.int8)
    kept_logits, kept_states = logits.clone(), states.clone()
    for settings in ALL_SETTINGS:
        values_and_gradients(logits, states, settings)
    assert logits.equal(kept_logits)
    assert states.equal(kept_states)


def test_loss__passes_the_gradient_of_what_follows():
    logits = torch.tensor([[0.0, 0.0]], requires_grad=True)
    cells = partial_bce(logits, torch.tensor([[1, -1]], dtype=torch.int8), "none")
    (cells * torch.tensor([[2.0, 3.0]])).sum().backward()
    assert logits.grad.tolist() == [[-1.0, 1.5]]


def test_partial_bce__equals_torch_on_known_cells():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(6, 4, generator=generator) * 5
    states = torch.randint(-1, 2, (6, 4), generator=generator, dtype=torch.int8)
    known = states != 0
    expected = functional.binary_cross_entropy_with_logits(logits[known], (states[known] == 1).float())
    torch.testing.assert_close(partial_bce(logits, states, "mean"), expected)


@pytest.mark.parametrize("settings", [(-1, 0, 0), (0, -1, 0), (0, 0, 1.0), (0, 0, -0.1)])
def test_settings__refuses_values_out_of_range(settings):
    with pytest.raises(ValueError, match=r"0 or more|in \[0, 1\)"):
        AsymmetricSettings(*settings)
