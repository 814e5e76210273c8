import pytest
import torch
from torch import nn

from logicmix_studio.training.ema import WeightAverage


def small_model():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        model[0].weight.fill_(1.0)
    return model


def test_update_by_hand():
    model = small_model()
    average = WeightAverage(model, 0.9, has_warmup=False)
    with torch.no_grad():
        model[0].weight.fill_(2.0)
    model[1].num_batches_tracked += 5
    average.update(1)

    assert average.state["0.weight"][0, 0] == pytest.approx(0.9 * 1 + 0.1 * 2)
    assert int(average.state["1.num_batches_tracked"]) == 5


def test_warm_up_keeps_little_of_the_start():
    average = WeightAverage(small_model(), 0.999, has_warmup=True)

    assert average.decay_at(1) == pytest.approx(2 / 11)
    assert average.decay_at(10**6) == 0.999
    assert WeightAverage(small_model(), 0.999, has_warmup=False).decay_at(1) == 0.999


def test_applied_gives_the_weights_back_bit_by_bit_also_after_an_error():
    model = small_model().train()
    average = WeightAverage(model, 0.5, has_warmup=False)
    with torch.no_grad():
        model[0].weight.normal_()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}

    def fail_with_average():
        with average.applied(model):
            assert not model.training
            assert float(model[0].weight.detach().sum()) == 4.0
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_average()

    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
