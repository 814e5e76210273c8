"""One run from its folder to its end, whatever that end is."""

from __future__ import annotations

import os
import traceback
from pathlib import Path
from typing import Any

from logicmix_studio.errors import StudioError
from logicmix_studio.training.config import QuickSettings, RunConfig
from logicmix_studio.training.control import Control, Stopped
from logicmix_studio.training.device import allow_tf32, choose_device, wait_for_device
from logicmix_studio.training.distributed import is_lost_process, join_processes, leave_processes, lost_process
from logicmix_studio.training.figures import figure_words
from logicmix_studio.training.full import run_full
from logicmix_studio.training.quick import run_quick
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_context import RunContext
from logicmix_studio.training.run_folder import TERMINAL, RunFolder, Snapshot, Status

CACHE_NAME = "cache"


def run_here(folder: RunFolder) -> int:
    """Run or resume a run in this process, which may be one of several that ``torchrun`` started.

    Returns:
        The process's exit code: 0 when it finished or was stopped on request, 1 when it failed.
    """
    if folder.state().status in TERMINAL:
        folder.ask(None)  # what was asked of an earlier process is not asked of this one
    control = Control(folder)
    control.listen()
    reporter = Reporter(folder, is_silent=int(os.environ.get("RANK", "0")) > 0)
    try:
        reporter.stage("starting", 0.0, 0.0)
        result = _run(folder, reporter, control)
    except Stopped as stopped:
        status: Status = "paused" if stopped.want == "pause" else "cancelled"
        return _end(reporter, status, f"{status} on request")
    except StudioError as error:
        return _end(reporter, "failed", str(error))
    except Exception as error:  # the outer edge of the process: whatever broke is logged and told
        traceback.print_exc()
        if is_lost_process(error):
            return _end(reporter, "failed", str(lost_process()))
        return _end(reporter, "failed", f"{type(error).__name__}: {error}")
    return _end(reporter, "finished", ", ".join(filter(None, ("finished", figure_words(result)))))


def _run(folder: RunFolder, reporter: Reporter, control: Control) -> dict[str, Any]:
    config, snapshot = folder.config(), folder.snapshot()
    _check(config, snapshot)
    device = choose_device(config.settings.compute.device, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    allow_tf32(config.settings.compute.has_tf32)
    processes = join_processes(os.environ, device)
    holder = f"run {folder.number} of {config.root}"
    try:
        with wait_for_device(device, holder, reporter, control, processes):
            reporter.event("start", recipe=config.recipe, seed=config.seed, device=str(device))
            context = RunContext(folder, _cache(folder, config), device, reporter, control)
            if isinstance(config.settings, QuickSettings):
                if (asked := max(config.settings.compute.devices, processes.size)) > 1:
                    reporter.message(f"a fast run works on one device, not on the {asked} that were asked for")
                return run_quick(config, snapshot, context) if processes.is_first else {}
            return run_full(config, snapshot, context, processes)
    finally:
        leave_processes(processes)


def can_start(folder: RunFolder, num_processes: int) -> bool:
    """Return whether this machine has a device for each process of a run; if not, the run has failed and says why."""
    try:
        choose_device(folder.config().settings.compute.device, num_processes)
    except StudioError as error:
        _end(Reporter(folder), "failed", str(error))
        return False
    return True


def _check(config: RunConfig, snapshot: Snapshot) -> None:
    if tuple(snapshot.class_names.tolist()) != config.class_names:
        raise StudioError("the run's config.json and snapshot.npz name different classes", "Start a new run.")


def _cache(folder: RunFolder, config: RunConfig) -> Path:
    """Return the workspace's cache, or one in the run's folder where the run lies by itself."""
    if config.cache is not None:
        return Path(config.cache)
    runs = folder.path.parent
    return (runs.parent if runs.name == "runs" else folder.path) / CACHE_NAME


def _end(reporter: Reporter, status: Status, text: str) -> int:
    if status == "failed" and (rank := os.environ.get("RANK", "0")) != "0":
        print(f"process {rank}: {text}", flush=True)  # its reporter is silent
    reporter.end(status, text)
    return 1 if status == "failed" else 0
