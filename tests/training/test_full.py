import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import expit

from logicmix_studio.errors import StudioError
from logicmix_studio.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from logicmix_studio.training.control import Stopped
from logicmix_studio.training.data import load_data
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.full import run_full
from logicmix_studio.training.heldout import trained_states
from logicmix_studio.training.loop import Engine, cell_losses
from logicmix_studio.training.metrics import Interval, measure
from logicmix_studio.training.run_folder import read_events


def run(folder, run_context):
    return run_full(folder.config(), folder.snapshot(), run_context(folder), ProcessGroup())


def count_steps(monkeypatch):
    """Return a list that grows with every optimiser step."""
    taken = []
    train_step = Engine.train_step

    def counted(self, *arguments):
        taken.append(1)
        return train_step(self, *arguments)

    monkeypatch.setattr(Engine, "train_step", counted)
    return taken


def events_of(folder, kind):
    return [event for event in read_events(folder.events_file)[0] if event["event"] == kind]


def test_a_run_writes_every_file_of_the_contract(make_run, run_context, snapshot):
    folder = make_run("2wayaug-pl")
    result = run(folder, run_context)

    assert folder.logits().shape == snapshot.states.shape
    assert np.isfinite(folder.logits()).all()
    assert np.load(folder.features_file).shape == (40, 512)
    assert np.load(folder.heldout_file).dtype == bool
    assert folder.model_file.is_file()
    assert folder.checkpoint_file.is_file()
    assert result["epochs"] == 3
    assert 1 <= result["best_epoch"] <= 3
    assert [event["epoch"] for event in events_of(folder, "epoch")] == [1, 2, 3]
    step = events_of(folder, "step")[-1]
    assert {"loss_original", "loss_mixed", "lr", "images_per_s", "memory_mb"} <= set(step)


def test_pseudo_labels_begin_with_epoch_e_and_only_where_nobody_knows(make_run, run_context, snapshot):
    folder = make_run("2wayaug-pl", overrides={"pseudo.start_share": 0.67, "pseudo.should_keep_each": True})
    run(folder, run_context)
    pseudo = load_checkpoint(folder.checkpoint_file).groups["pseudo"]["states"].numpy()
    rows = np.flatnonzero(snapshot.splits != "test")
    heldout = np.load(folder.heldout_file)[rows]

    assert len(events_of(folder, "pseudo")) == 2
    assert pseudo.shape == (len(rows), 3)
    assert pseudo.any()
    assert not pseudo[(snapshot.states[rows] != 0) & ~heldout].any()
    counts = events_of(folder, "pseudo")[-1]
    assert counts["positive"] == (pseudo > 0).sum()
    assert counts["negative"] == (pseudo < 0).sum()
    kept = np.load(folder.pseudo_file(3), allow_pickle=False)
    np.testing.assert_array_equal(kept[rows], pseudo)
    assert kept.shape == snapshot.states.shape
    assert not kept[snapshot.splits == "test"].any()
    assert [file.name for file in sorted(folder.pseudo_file(3).parent.iterdir())] == ["0002.npy", "0003.npy"]


def test_resume_ends_with_the_same_bits_as_a_run_without_a_break(make_run, run_context, monkeypatch):
    whole, broken = make_run("2wayaug-pl", number=1), make_run("2wayaug-pl", number=2)
    run(whole, run_context)
    context = run_context(broken)
    taken = count_steps(monkeypatch)
    monkeypatch.setattr(context.control, "want", lambda: "pause" if len(taken) >= 4 else None)
    with pytest.raises(Stopped):
        run_full(broken.config(), broken.snapshot(), context, ProcessGroup())
    position = load_checkpoint(broken.checkpoint_file).position
    assert (position.epoch, position.step) == (1, 1)
    result = run(broken, run_context)

    first, second = load_file(whole.model_file), load_file(broken.model_file)
    assert all(torch.equal(first[name], second[name]) for name in first)
    ours, theirs = load_checkpoint(whole.checkpoint_file), load_checkpoint(broken.checkpoint_file)
    for group, tensors in ours.groups.items():
        assert all(torch.equal(tensor, theirs.groups[group][name]) for name, tensor in tensors.items()), group
    np.testing.assert_array_equal(whole.logits(), broken.logits())
    assert result["best_epoch"] == whole.result()["best_epoch"]


@pytest.mark.parametrize("calls_before", range(1, 6))
def test_a_stop_anywhere_leaves_a_checkpoint_that_goes_on(make_run, run_context, monkeypatch, calls_before):
    folder = make_run("2wayaug-pl", overrides={"warm.should_train_head_first": False, "schedule.epochs": 1})
    context = run_context(folder)
    calls = iter(range(1000))
    monkeypatch.setattr(context.control, "want", lambda: "cancel" if next(calls) >= calls_before else None)

    with pytest.raises(Stopped):
        run_full(folder.config(), folder.snapshot(), context, ProcessGroup())

    assert run(folder, run_context)["epochs"] == 1


def test_a_checkpoint_of_other_labels_is_not_used(make_run, run_context, snapshot):
    folder = make_run("2wayaug-pl", overrides={"schedule.epochs": 1})
    run(folder, run_context)
    other = snapshot.states.copy()
    other[0] = 1
    dataclasses.replace(snapshot, states=other).save(folder.snapshot_file)
    run(folder, run_context)

    assert any("training from the start" in event["text"] for event in events_of(folder, "message"))
    assert [event["epoch"] for event in events_of(folder, "epoch")] == [1, 1]


@pytest.mark.parametrize("keeps", ["last", "best"])
def test_a_checkpoint_without_the_logits_of_its_best_epoch_goes_on(make_run, run_context, keeps):
    folder = make_run("2wayaug-pl", overrides={"selection.keeps": keeps, "schedule.epochs": 2})
    run(folder, run_context)
    checkpoint = load_checkpoint(folder.checkpoint_file)
    groups = {name: group for name, group in checkpoint.groups.items() if name not in ("best", "logits")}
    position = dataclasses.replace(checkpoint.position, best_epoch=1)
    save_checkpoint(folder.checkpoint_file, Checkpoint(position, groups))

    assert run(folder, run_context)["best_epoch"] == 2


def test_early_stopping_does_not_fire_before_pseudo_labels(make_run, run_context, monkeypatch):
    overrides = {
        "schedule.epochs": 6,
        "selection.keeps": "best",
        "selection.patience": 1,
        "pseudo.start_share": 0.5,
        "optimizer.learning_rate": 1e-8,
        "warm.should_train_head_first": False,
    }
    monkeypatch.setattr("logicmix_studio.training.full.measure", falling_metrics())
    folder = make_run("2wayaug-pl", overrides=overrides)
    result = run(folder, run_context)
    assert result["epochs"] == 4
    assert result["best_epoch"] == 1

    monkeypatch.setattr("logicmix_studio.training.full.measure", falling_metrics())
    slip = make_run("2wayaug-pl", number=2, overrides={**overrides, "selection.can_stop_before_pseudo": True})
    assert run(slip, run_context)["epochs"] == 2


def test_the_last_epoch_is_kept_unless_an_earlier_one_is_better_beyond_doubt(make_run, run_context, monkeypatch):
    overrides = {"schedule.epochs": 6, "selection.patience": 1, "optimizer.learning_rate": 1e-8}
    monkeypatch.setattr("logicmix_studio.training.full.measure", falling_metrics())
    result = run(make_run("2wayaug-pl", overrides=overrides), run_context)

    # The weights hardly change, so what falls is noise: it ends nothing and chooses nothing.
    assert (result["epochs"], result["best_epoch"]) == (6, 6)

    monkeypatch.setattr("logicmix_studio.training.full.difference", lambda *_: Interval(0.2, 0.1, 0.3))
    monkeypatch.setattr("logicmix_studio.training.full.measure", falling_metrics())
    doubtless = run(make_run("2wayaug-pl", number=2, overrides=overrides), run_context)

    assert doubtless["epochs"] < 6
    assert doubtless["best_epoch"] == 1
    assert doubtless["num_cells"] < result["num_cells"], "the cells that chose the epoch must not praise it"


def falling_metrics():
    values = iter(np.linspace(0.9, 0.1, 20))
    return lambda scores, states: dataclasses.replace(measure(scores, states), map=float(next(values)))


def test_the_released_recipe_runs_with_its_slips(make_run, run_context):
    folder = make_run("2wayaug-pl-released", overrides={"schedule.epochs": 2, "optimizer.micro_batch": 2})
    run(folder, run_context)
    rates = [event["lr"] for event in events_of(folder, "step")]

    assert np.load(folder.features_file).shape == (40, 256)
    assert rates == sorted(rates)


def test_starting_from_an_earlier_run_with_a_new_class(make_run, run_context, snapshot):
    first = make_run("2wayaug-pl", number=1, overrides={"schedule.epochs": 1})
    run(first, run_context)
    grown = dataclasses.replace(
        snapshot,
        states=np.concatenate([snapshot.states, snapshot.states[:, :1]], axis=1),
        class_names=np.array(["red", "green", "blue", "warm"]),
    )
    second = make_run("2wayaug-pl", number=2, of=grown, init_from=1, overrides={"schedule.epochs": 1})
    result = run(second, run_context)

    assert second.logits().shape == (40, 4)
    assert result["comparison"]["best_run"] == 1
    assert not [event for event in events_of(second, "stage") if "head first" in event["text"]]


def test_bfloat16_runs_on_the_cpu(make_run, run_context):
    folder = make_run("2wayaug-pl", overrides={"compute.precision": "bfloat16", "schedule.epochs": 1})

    assert run(folder, run_context)["precision"] == "bfloat16"
    assert np.isfinite(folder.logits()).all()


def test_a_loss_that_is_no_number_is_told(make_run, run_context, monkeypatch):
    monkeypatch.setattr(
        "logicmix_studio.training.loop.cell_losses", lambda *arguments: cell_losses(*arguments) * float("nan")
    )

    with pytest.raises(StudioError, match="the loss is no number"):
        run(make_run("2wayaug-pl"), run_context)


@pytest.mark.parametrize("method", ["or-mixup", "mixup", "mixup-pme", "cutmix"])
def test_methods_that_logicmix_is_compared_with_train(make_run, run_context, method):
    folder = make_run("2wayaug-pl", overrides={"mixing.method": method, "mixing.probability": 1.0})
    run(folder, run_context)
    step = events_of(folder, "step")[-1]

    assert step["loss_original"] is None
    assert step["loss_mixed"] > 0


def test_unknown_may_be_taken_as_negative_but_for_held_out_cells(make_run, run_context):
    folder = make_run("2wayaug-pl", overrides={"loss.unknown_as": "negative"})
    data = load_data(folder.config(), folder.snapshot(), run_context(folder), until=0.1)
    known = trained_states(folder.snapshot().states[data.rows], data.heldout[data.rows])

    assert (data.known[data.heldout[data.rows]] == 0).all()
    assert (data.known[~data.heldout[data.rows]] != 0).all()
    assert (data.known[known != 0] == known[known != 0]).all()


def test_tuning_mends_a_spoilt_last_layer_class_by_class_and_is_not_praised_by_what_chose(make_run, run_context):
    # Nothing is learned before: the last layer is random, on features of a random network.
    still = {"warm.should_train_head_first": False, "optimizer.learning_rate": 1e-8, "schedule.epochs": 1}
    still["selection.heldout_share"] = 0.5
    plain = make_run("2wayaug-pl", overrides=still)
    before = run(plain, run_context)
    tuned = make_run(
        "2wayaug-pl",
        number=2,
        overrides={**still, "finetune.is_enabled": True, "finetune.learning_rate": 1e-2},
    )
    result = run(tuned, run_context)

    assert result["tuned_classes"]
    assert set(result["tuned_classes"]) <= {"red", "green", "blue"}
    maps = [measure(expit(of.logits().astype(float)), of.snapshot().states).map for of in (plain, tuned)]
    assert maps[1] > maps[0]
    assert result["num_cells"] < before["num_cells"]
    is_tuned = np.isin(tuned.snapshot().class_names, result["tuned_classes"])
    np.testing.assert_array_equal(tuned.logits()[:, ~is_tuned], plain.logits()[:, ~is_tuned])
    weights = load_file(tuned.model_file)
    features = torch.from_numpy(np.load(tuned.features_file)).float()
    logits = (features @ weights["head.weight"].T + weights["head.bias"]).numpy()
    np.testing.assert_allclose(logits, tuned.logits(), atol=2e-2)


def test_tuning_that_is_stopped_goes_on(make_run, run_context, monkeypatch):
    folder = make_run("2wayaug-pl", overrides={"schedule.epochs": 1, "finetune.is_enabled": True})
    context = run_context(folder)
    told: list[str] = []
    monkeypatch.setattr(context.reporter, "stage", lambda text, *_: told.append(text))
    monkeypatch.setattr(context.control, "want", lambda: "pause" if any("tuning" in text for text in told) else None)
    with pytest.raises(Stopped):
        run_full(folder.config(), folder.snapshot(), context, ProcessGroup())

    assert "tuned_classes" in run(folder, run_context)
