"""``python -m logicmix_studio.training RUN_FOLDER``: run or resume one run.

The environment is prepared before torch is imported: one core stays with the studio, OpenMP waits without
spinning, and the process is nice to others.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import MutableMapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from logicmix_studio.environment import prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.files import take_lock
from logicmix_studio.processes import be_nice, keep_pauses_short
from logicmix_studio.training.config import QuickSettings
from logicmix_studio.training.memory import keep_memory
from logicmix_studio.training.run_folder import RunFolder


def prepare_process(environ: MutableMapping[str, str], num_cores: int, num_processes: int = 1) -> None:
    """Set what OpenMP reads when torch is loaded; what the user has set stays.

    Args:
        environ: The process's environment.
        num_cores: Cores that the process may use.
        num_processes: Processes that train together on this machine and share the cores.
    """
    prepare_environment(environ)
    threads = str(max(1, (num_cores - 1) // num_processes))
    environ.setdefault("OMP_NUM_THREADS", threads)
    environ.setdefault("MKL_NUM_THREADS", threads)
    environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    environ.setdefault("GOMP_SPINCOUNT", "1000")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run or resume the run in a folder.

    Returns:
        0 when it finished or was stopped on request, 1 when it failed or another process works on the run.
    """
    parser = argparse.ArgumentParser(prog="python -m logicmix_studio.training", description=__doc__)
    parser.add_argument("run_folder", type=Path, help="folder with config.json and snapshot.npz")
    parser.add_argument("--devices", type=int, default=None, help="processes that train together, one a GPU")
    parser.add_argument("--root", type=Path, default=None, help="where the images lie, unless where config.json says")
    options = parser.parse_args(arguments)
    folder = RunFolder(options.run_folder.resolve())
    if options.root is not None:
        folder.move_to(options.root.resolve())
    with ExitStack() as held:
        if os.environ.get("RANK", "0") == "0":
            lock = take_lock(folder.lock_file)
            if lock is None:  # who started the other may have been killed before it wrote that down
                print(f"another process works on run {folder.number}")
                return 1
            held.callback(lock.release)
        return _work(folder, options.devices)


def _work(folder: RunFolder, wanted: int | None) -> int:
    devices = _devices(folder, wanted)
    is_launcher = devices > 1 and "WORLD_SIZE" not in os.environ
    prepare_process(os.environ, _num_cores(), int(os.environ.get("LOCAL_WORLD_SIZE", devices)))
    be_nice()
    keep_memory()
    # Late on purpose: torch reads the environment prepared above when it is imported.
    from logicmix_studio.training.runner import can_start, run_here  # noqa: PLC0415

    if is_launcher:
        if not can_start(folder, devices):
            return 1
        os.execv(sys.executable, _torchrun(folder, devices))  # noqa: S606  # our own interpreter
    keep_pauses_short()
    return run_here(folder)


def _num_cores() -> int:
    """Return how many cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _devices(folder: RunFolder, wanted: int | None) -> int:
    """Return how many processes train together: ``wanted`` or what the configuration asks for; one for ``quick``."""
    try:
        settings = folder.config().settings
    except StudioError:
        return 1  # the run itself tells of it
    return 1 if isinstance(settings, QuickSettings) else wanted or settings.compute.devices


def _torchrun(folder: RunFolder, devices: int) -> list[str]:
    """Return the command that starts the processes which train together on this machine.

    For several machines, ``torchrun`` is called by hand with its own rendezvous options.
    """
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={devices}"]
    return [sys.executable, *launcher, "-m", "logicmix_studio.training", str(folder.path)]


if __name__ == "__main__":
    sys.exit(main())
