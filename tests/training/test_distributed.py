import os
import socket
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
import torch

from logicmix_studio.training.__main__ import _devices, _torchrun, prepare_process
from logicmix_studio.training.checkpoint import load_checkpoint
from logicmix_studio.training.control import Stopped
from logicmix_studio.training.distributed import ProcessGroup
from logicmix_studio.training.full import run_full
from logicmix_studio.training.loop import _num_parts
from logicmix_studio.training.run_folder import RunFolder


def test_a_world_of_one_answers_for_itself():
    processes, device = ProcessGroup(), torch.device("cpu")
    processes.agree(None)

    assert processes.rows(5).tolist() == [0, 1, 2, 3, 4]
    assert processes.most(3) == 3
    assert processes.in_turn(lambda: "done") == "done"
    with pytest.raises(Stopped):
        processes.agree("pause")
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


@pytest.fixture
def own_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("LOGICMIX_LOCKS", str(tmp_path / "locks"))


def start_together(folder, num_processes):
    """Start several processes as the studio starts them."""
    command = [sys.executable, "-m", "logicmix_studio.training", str(folder), f"--devices={num_processes}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def train_together(folder, num_processes):
    """Train with several processes; torchrun ends them with itself."""
    process = start_together(folder, num_processes)
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


@pytest.mark.parametrize(
    ("recipe", "wanted", "devices"), [("quick", 4, 1), ("2wayaug-pl", 4, 4), ("2wayaug-pl", None, 2)]
)
def test_a_quick_run_is_one_process(make_run, recipe, wanted, devices):
    assert _devices(make_run(recipe, overrides={"compute.devices": 2}), wanted) == devices


def run_scripts(code, num_processes, *arguments):
    """Run code in processes that train together, without torchrun; return what each one printed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"WORLD_SIZE": num_processes, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    processes = []
    for rank in range(num_processes):
        environ = {name: str(value) for name, value in {**os.environ, **shared, "RANK": rank}.items()}
        command = [sys.executable, "-c", code, *map(str, arguments)]
        processes.append(subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True))
    try:
        outputs = [process.communicate(timeout=150)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * num_processes
    return outputs


IN_TURN = """
import os, torch
from logicmix_studio.training.control import Stopped
from logicmix_studio.training.distributed import join_processes, leave_processes

processes = join_processes(os.environ, torch.device("cpu"))

def work(fails, error):
    if processes.is_first == fails and error is not None:
        raise error
    return "done"

for fails, error in ((True, None), (True, Stopped("pause")), (True, ValueError("own")), (False, ValueError("own"))):
    try:
        print(processes.in_turn(lambda: work(fails, error)))
    except Exception as failure:
        print(str(failure).splitlines()[0])
try:
    processes.agree("cancel" if processes.rank == 1 else "pause")
except Stopped as stopped:
    print(stopped)
leave_processes(processes)
"""


def test_what_ends_one_process_ends_all(own_machine):
    first, second = run_scripts(IN_TURN, 2)

    assert first.splitlines() == ["done", "pause", "own", "another process of this run failed", "cancel"]
    assert second.splitlines() == ["done", "pause", "another process of this run failed", "own", "cancel"]


STOPPED = """
import os, sys
from pathlib import Path
from logicmix_studio.training import full
from logicmix_studio.training.control import Control
from logicmix_studio.training.run_folder import RunFolder
from logicmix_studio.training.runner import run_here

begun = []
function, rank = sys.argv[2:]
original = getattr(full, function)

def call(*arguments, **named):
    begun.append(1)
    return original(*arguments, **named)

setattr(full, function, call)
Control.want = lambda self: "cancel" if begun and os.environ["RANK"] == rank else None
sys.exit(run_here(RunFolder(Path(sys.argv[1]))))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("function", "rank"), [("embed_snapshot", 0), ("score_images", 1)])
def test_a_cancel_in_one_process_is_agreed_by_all(make_run, own_machine, function, rank):
    folder = make_run("2wayaug-pl", overrides={"compute.scoring_batch": 2})
    run_scripts(STOPPED, 2, folder.path, function, rank)

    assert folder.state().status == "cancelled"
    assert folder.checkpoint_file.exists() == (function == "score_images")


@pytest.mark.slow
def test_four_processes_give_the_same_pseudo_labels_as_one(make_run, run_context, own_machine, tmp_path):
    (tmp_path / "images" / "0-003.png").write_bytes(b"no image")  # which each process tries to read again
    one, four = make_run("2wayaug-pl", number=1), make_run("2wayaug-pl", number=2)
    train_together(four.path, 4)
    run_full(one.config(), one.snapshot(), run_context(one), ProcessGroup())
    first, second = (load_checkpoint(folder.checkpoint_file).groups for folder in (one, four))

    assert four.state().status == "finished"
    assert first["pseudo"]["states"].any()
    assert torch.equal(first["pseudo"]["states"], second["pseudo"]["states"])
    for name, tensor in first["model"].items():
        torch.testing.assert_close(tensor, second["model"][name], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(one.logits().astype(np.float32), four.logits().astype(np.float32), atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["0", "1"])
def test_a_killed_process_ends_the_run_which_goes_on_later(make_run, own_machine, victim):
    folder = make_run("2wayaug-pl", overrides={"schedule.epochs": 4, "compute.checkpoint_seconds": 0.0})
    process = start_together(folder.path, 2)
    try:
        deadline = time.monotonic() + 300
        while not folder.checkpoint_file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        killed = next(
            child for child in psutil.Process(process.pid).children() if child.environ().get("RANK") == victim
        )
        killed.kill()
        output = process.communicate(timeout=30)[0]
    finally:
        process.terminate()
        process.wait(timeout=40)

    assert process.returncode != 0
    # The first process can say how it ended; killed, its state stays, and its process is gone.
    expected = ("failed", "another process of this run has died") if victim == "1" else ("running", "training")
    assert (folder.state().status, folder.state().message[: len(expected[1])]) == expected, output
    if victim == "0":
        train_together(folder.path, 2)
        assert folder.state().status == "finished"
        assert folder.result()["epochs"] == 4
