import dataclasses

import pytest
import torch

from logicmix_studio.training.config import FullSettings
from logicmix_studio.training.optimizer import backbone_share, make_optimizer
from logicmix_studio.training.schedule import make_plan, one_cycle, set_rate
from logicmix_studio.training.settings import (
    OptimizerSettings,
    PseudoSettings,
    ScheduleSettings,
)


@pytest.mark.parametrize(("total", "share"), [(100, 0.2), (37, 0.3), (2400, 0.2), (10, 0.5)])
def test_one_cycle_equals_torch(total, share):
    parameter = torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.Adam([parameter], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-4, total_steps=total, pct_start=share)
    for step in range(total):
        group = optimizer.param_groups[0]
        rate, beta = one_cycle(step, total, share, 2e-4)
        assert rate == pytest.approx(group["lr"], rel=1e-9, abs=1e-15), step
        assert beta == pytest.approx(group["betas"][0], rel=1e-9), step
        optimizer.step()
        if step + 1 < total:
            theirs.step()


def test_plan_of_a_set_large_enough():
    plan = make_plan(FullSettings(), 5011)

    assert (plan.epochs, plan.steps_per_epoch, plan.first_pseudo_epoch) == (60, 40, 20)
    assert plan.schedule_steps == plan.total_steps == 2400


def test_a_small_set_gets_more_epochs_and_pseudo_labels_keep_their_place():
    plan = make_plan(FullSettings(), 100)

    assert (plan.epochs, plan.steps_per_epoch, plan.first_pseudo_epoch) == (600, 1, 200)


def test_the_released_slip_never_anneals():
    settings = FullSettings(schedule=ScheduleSettings(min_steps=0, should_repeat_slip=True))
    plan = make_plan(settings, 5011)

    assert plan.schedule_steps == 60 * 157
    last = one_cycle(plan.total_steps - 1, plan.schedule_steps, plan.warmup_share, plan.peak)[0]
    assert last == pytest.approx(1.98e-4, rel=0.01)


def test_no_pseudo_labels_where_they_are_off():
    settings = FullSettings(pseudo=PseudoSettings(is_enabled=False))

    assert make_plan(settings, 5011).first_pseudo_epoch == 0


def test_set_rate_sets_every_group():
    plan = make_plan(dataclasses.replace(FullSettings(), optimizer=OptimizerSettings(batch_size=8, micro_batch=8)), 64)
    parameters = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimizer = torch.optim.Adam([{"params": [parameter]} for parameter in parameters])
    rate = set_rate(optimizer, plan, 0)

    assert rate == pytest.approx(2e-4 / 25)
    assert [group["lr"] for group in optimizer.param_groups] == [rate, rate]
    assert [group["betas"] for group in optimizer.param_groups] == [(0.95, 0.999)] * 2


def test_the_backbones_share_grows_with_the_known_positives():
    assert [backbone_share(0.0, count) for count in (0, 300, 1000, 9000)] == pytest.approx([0.1, 0.1, 1.0, 1.0])
    assert 0.3 < backbone_share(0.0, 550) < 0.7
    assert backbone_share(0.25, 9000) == 0.25


def test_the_backbone_gets_its_share_of_the_rate():
    net = torch.nn.ModuleDict({"backbone": torch.nn.Linear(2, 2), "head": torch.nn.Linear(2, 2)})
    optimizer = make_optimizer(net, 1e-3, 1e-4, backbone_share=0.1)
    plan = make_plan(FullSettings(), 5011)
    rate = set_rate(optimizer, plan, 100)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}

    assert rates[id(net["head"].weight)] == rates[id(net["head"].bias)] == rate
    assert rates[id(net["backbone"].weight)] == rates[id(net["backbone"].bias)] == pytest.approx(0.1 * rate)
