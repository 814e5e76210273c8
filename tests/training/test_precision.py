import pytest
import torch
from torch import nn

from logicmix_studio.training.precision import (
    Precision,
    choose_precision,
    keep_grouped_in_float32,
    try_precisions,
)


def small_net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.LazyLinear(2)
    )


def test_grouped_convolutions_stay_in_float32_and_the_others_do_not():
    net, seen = small_net(), {}
    net(torch.zeros(1, 3, 8, 8))
    keep_grouped_in_float32(net)
    keep_grouped_in_float32(net)
    for number in (0, 2):
        net[number].register_forward_hook(
            lambda module, inputs, output, number=number: seen.__setitem__(number, output.dtype)
        )
    with Precision("bfloat16").autocast():
        net(torch.zeros(1, 3, 8, 8))

    assert seen == {0: torch.bfloat16, 2: torch.float32}


def test_the_trial_leaves_the_network_as_it_was():
    net, images = small_net(), torch.randn(4, 3, 8, 8)
    net(images)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    precision = try_precisions(net, images)

    assert precision.name in ("float32", "bfloat16")
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_the_trial_refuses_what_disagrees(monkeypatch):
    class Wrong(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, images):
            logits = self.linear(images.mean((2, 3)))
            return logits + 100.0 if logits.dtype == torch.bfloat16 else logits

    assert try_precisions(Wrong(), torch.randn(4, 3, 8, 8)).name == "float32"


@pytest.mark.parametrize(
    ("capability", "name"), [((7, 5), "float16"), ((7, 0), "float16"), ((8, 0), "bfloat16"), ((9, 0), "bfloat16")]
)
def test_auto_asks_the_chosen_gpu_for_its_hardware(monkeypatch, capability, name):
    found = {torch.device("cuda:1"): capability}
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda device: found[device])
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda *_: True)
    precision = choose_precision("auto", small_net(), torch.device("cuda:1"), lambda: pytest.fail("no trial"))

    assert precision == Precision(name, "cuda")
    assert precision.needs_scaler == (name == "float16")


def test_a_named_precision_is_taken():
    precision = choose_precision("bfloat16", small_net(), torch.device("cpu"), lambda: pytest.fail("no trial"))

    assert precision == Precision("bfloat16", "cpu")
    assert not precision.needs_scaler
    assert Precision("float16", "cuda").needs_scaler
