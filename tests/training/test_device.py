import pytest
import torch

from logicmix_studio.errors import StudioError
from logicmix_studio.training.device import choose_device


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_process_takes_a_gpu_of_its_own(two_gpus, monkeypatch, name):
    monkeypatch.setenv("LOCAL_RANK", "1")

    assert choose_device(name, 2) == torch.device("cuda:1")
    with pytest.raises(StudioError, match="asks for 3 GPUs, this machine has 2"):
        choose_device(name, 3)


def test_one_named_gpu_is_for_one_process(two_gpus):
    assert choose_device("cuda:1") == torch.device("cuda:1")
    with pytest.raises(StudioError, match=r"cuda:1 is one GPU, compute\.devices asks for 2"):
        choose_device("cuda:1", 2)
    with pytest.raises(StudioError, match="has 2 GPUs, cuda:2 is not among them"):
        choose_device("cuda:2")


def test_any_number_of_processes_shares_a_cpu():
    assert choose_device("cpu", 64) == torch.device("cpu")
