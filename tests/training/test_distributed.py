import subprocess
import sys

import numpy as np
import pytest
import torch

from logicmix_studio.training.__main__ import _torchrun, prepare_process
from logicmix_studio.training.checkpoint import load_checkpoint
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.full import run_full
from logicmix_studio.training.loop import _num_parts
from logicmix_studio.training.run_folder import RunFolder


def test_a_world_of_one_answers_for_itself():
    processes, device = ProcessGroup(), torch.device("cpu")

    assert processes.rows(5).tolist() == [0, 1, 2, 3, 4]
    assert processes.agree("pause", device) == "pause"
    assert processes.agree(None, device) is None
    np.testing.assert_array_equal(processes.join(np.ones((2, 1), np.float32), device), np.ones((2, 1)))


def test_rows_are_disjoint_and_complete():
    rows = [ProcessGroup(rank, 3).rows(10).tolist() for rank in range(3)]

    assert sorted(row for part in rows for row in part) == list(range(10))


@pytest.mark.parametrize(
    ("anchors", "processes", "micro", "parts"),
    [(128, 1, 32, 4), (128, 2, 32, 2), (5, 2, 1, 2), (1, 1, 8, 1), (33, 1, 32, 2), (3, 2, 8, 1)],
)
def test_no_micro_batch_is_empty(anchors, processes, micro, parts):
    assert _num_parts(anchors, processes, micro) == parts
    for rank in range(processes):
        mine = len(range(rank, anchors, processes))
        assert all(len(part) > 0 for part in torch.tensor_split(torch.arange(mine), parts))


def test_prepare_process_keeps_what_the_user_has_set():
    environ = {"OMP_NUM_THREADS": "3"}
    prepare_process(environ, 8)
    assert environ["OMP_NUM_THREADS"] == "3"
    assert (environ["OMP_WAIT_POLICY"], environ["GOMP_SPINCOUNT"]) == ("PASSIVE", "1000")

    fresh = {}
    prepare_process(fresh, 8)
    assert fresh["OMP_NUM_THREADS"] == "7"
    assert fresh["HF_HUB_OFFLINE"] == "1"


def test_processes_that_train_together_share_the_cores():
    environ = {}
    prepare_process(environ, 16, num_processes=4)
    assert environ["OMP_NUM_THREADS"] == "3"


def train_together(folder, num_processes):
    """Train with several processes, started as the studio starts them; torchrun ends them with itself."""
    command = [sys.executable, "-m", "logicmix_studio.training", str(folder), f"--devices={num_processes}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        output = process.communicate(timeout=250)[0]
    finally:
        process.terminate()
        process.wait(timeout=40)
    assert process.returncode == 0, output


def test_several_devices_are_started_by_torchrun(tmp_path):
    command = _torchrun(RunFolder(tmp_path), 4)

    assert command[1:5] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=4"]
    assert command[-1] == str(tmp_path)


@pytest.mark.slow
def test_two_processes_give_the_same_pseudo_labels_as_one(make_run, run_context, tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LOGICMIX_LOCKS", str(tmp_path / "locks"))
    one, two = make_run("2wayaug-pl", number=1), make_run("2wayaug-pl", number=2)
    run_full(one.config(), one.snapshot(), run_context(one), ProcessGroup())
    train_together(two.path, 2)
    first, second = (load_checkpoint(folder.checkpoint_file).groups for folder in (one, two))

    assert two.state().status == "finished"
    assert first["pseudo"]["states"].any()
    assert torch.equal(first["pseudo"]["states"], second["pseudo"]["states"])
    for name, tensor in first["model"].items():
        torch.testing.assert_close(tensor, second["model"][name], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one.logits().astype(np.float32), two.logits().astype(np.float32), atol=2e-3)
