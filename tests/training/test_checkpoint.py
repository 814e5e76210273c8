import pytest
import torch

from logicmix_studio.errors import StudioError
from logicmix_studio.training.checkpoint import Checkpoint, Position, load_checkpoint, save_checkpoint
from logicmix_studio.training.optimizer import load_optimizer, make_optimizer, optimizer_tensors


def test_comes_back_bit_by_bit(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    values = torch.randn(5)
    position = Position(epoch=3, step=2, best_value=0.1 + 0.2, best_epoch=2, precision="float32")

    assert load_checkpoint(path) is None
    groups = {"model": {"a.b": values}, "average": {"a.b": values.clone()}, "pseudo": {"c": torch.ones(2).char()}}
    save_checkpoint(path, Checkpoint(position, groups))
    loaded = load_checkpoint(path)

    assert loaded.position == position
    assert torch.equal(loaded.groups["model"]["a.b"], values)
    assert loaded.groups["pseudo"]["c"].dtype == torch.int8


def test_a_damaged_file_is_told(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(b"nonsense" * 10)

    with pytest.raises(StudioError, match="cannot be read"):
        load_checkpoint(path)


def test_a_checkpoint_of_another_version_is_refused_in_words(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, Checkpoint(Position(), {"model": {"a.b": torch.ones(1)}}))

    with pytest.raises(StudioError, match="another version wrote it, without average, pseudo") as caught:
        load_checkpoint(path)
    assert "train from the start" in caught.value.hint


def test_an_optimiser_goes_on_from_its_tensors():
    def train(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.ones(1, 3)).square().sum().backward()
            optimizer.step()

    torch.manual_seed(0)
    first, second = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    optimizer = make_optimizer(first, 0.01, 0.1)
    train(first, optimizer, 3)
    second.load_state_dict(first.state_dict())
    other = make_optimizer(second, 0.01, 0.1)
    load_optimizer(other, {name: tensor.clone() for name, tensor in optimizer_tensors(optimizer).items()})
    train(first, optimizer, 2)
    train(second, other, 2)

    assert torch.equal(first.weight, second.weight)


def test_weight_decay_on_matrices_only():
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = make_optimizer(model, 0.01, 0.1)

    assert [(group["weight_decay"], len(group["params"])) for group in optimizer.param_groups] == [
        (0.1, 1),
        (0.0, 3),
    ]
