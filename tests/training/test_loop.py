import pytest
import torch
from torch import nn

from logicmix_studio.errors import StudioError
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.loop import LossMeter, cell_losses, soft_losses
from logicmix_studio.training.settings import LossSettings
from tests.training.engines import build_engine

NUM_IMAGES = 24
PIXELS = torch.randint(0, 256, (NUM_IMAGES, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
STATES = torch.randint(-1, 2, (NUM_IMAGES, 4), dtype=torch.int8, generator=torch.Generator().manual_seed(2))


class Hungry(nn.Module):
    """Runs out of memory above a number of images."""

    def __init__(self, most):
        super().__init__()
        self.most = most
        self.seen = []
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 4))

    def forward(self, images):
        self.seen.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 MiB")
        return self.net(images)


def make_engine(model, micro_batch=8, **overrides):
    settings = RunConfig.create(
        "2wayaug-pl",
        overrides={
            "optimizer.batch_size": 12,
            "optimizer.micro_batch": micro_batch,
            "optimizer.learning_rate": 0.01,
            "schedule.epochs": 4,
            "schedule.min_steps": 0,
            **overrides,
        },
    ).settings
    return build_engine(model, PIXELS, settings, has_warmup=True, seed=3, micro_batch=micro_batch)


def train(engine, num_epochs=2):
    meter = LossMeter(torch.device("cpu"))
    for epoch in range(num_epochs):
        for step in range(engine.plan.steps_per_epoch):
            engine.train_step(STATES, epoch, step, meter)
    engine.feed.close()
    return meter


def test_running_out_of_memory_halves_the_micro_batch_and_changes_no_step():
    hungry, sated = Hungry(most=3), Hungry(most=99)
    engine, other = make_engine(hungry), make_engine(sated)
    train(engine)
    train(other)

    assert engine.micro_batch == 2
    assert engine.halvings == [4, 2]
    assert max(hungry.seen[-4:]) <= 3
    for mine, theirs in zip(hungry.parameters(), sated.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_memory_for_no_image_at_all_is_told():
    with pytest.raises(StudioError, match="not enough memory on cpu for a single image"):
        train(make_engine(Hungry(most=0)))


def test_another_error_is_no_lack_of_memory():
    class Broken(Hungry):
        def forward(self, images):
            raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(make_engine(Broken(most=1)))


def test_mean_reduction_does_not_depend_on_the_micro_batch():
    first, second = Hungry(most=99), Hungry(most=99)
    overrides = {"loss.reduction": "mean"}
    train(make_engine(first, micro_batch=12, **overrides))
    train(make_engine(second, micro_batch=5, **overrides))

    torch.testing.assert_close(first.net[0].weight, second.net[0].weight, rtol=1e-4, atol=1e-6)


def test_the_meter_counts_photographs_and_blends():
    meter = train(make_engine(Hungry(most=99)), num_epochs=3)
    original, mixed = meter.means()

    assert meter.images == 3 * NUM_IMAGES
    assert min(meter.counts) > 10
    assert original > 0
    assert mixed > 0
    assert LossMeter(torch.device("cpu")).means() == (None, None)


def test_averaged_labels_weigh_the_losses_of_both_signs():
    logits, mixed = torch.tensor([[0.3, -1.2, 2.0]]), torch.tensor([True])
    ones = torch.ones(1, 3, dtype=torch.int8)
    positive, negative = (cell_losses(logits, states, mixed, LossSettings()) for states in (ones, -ones))
    found = soft_losses(logits, torch.tensor([[0.25, 1.0, float("nan")]]), mixed, LossSettings())

    assert found[0, 0] == pytest.approx(float(0.25 * positive[0, 0] + 0.75 * negative[0, 0]))
    assert found[0, 1:].tolist() == pytest.approx([float(positive[0, 1]), 0.0])


def test_cell_losses_of_photographs_and_blends_differ():
    logits = torch.zeros(2, 1)
    losses = cell_losses(logits, torch.ones(2, 1, dtype=torch.int8), torch.tensor([False, True]), LossSettings())

    # -log(1/2), and the same weighted by (1/2)^4.
    assert losses[:, 0].tolist() == pytest.approx([0.6931, 0.0433], abs=1e-4)
