"""Runs in a folder of their own, with a trainer that is a short script or the real one."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from logicmix_studio.labels import LabelTable
from logicmix_studio.runs import Jobs
from logicmix_studio.training.config import RunConfig
from tests.tiny_runs import TINY, paint_images

FAKE_TRAINER = """#!{python}
import os, signal, sys, time
sys.path.insert(0, {package!r})
import numpy, psutil
from logicmix_studio.training.run_folder import RunFolder, RunState
folder = RunFolder(__import__("pathlib").Path(sys.argv[3]))
what = (folder.path / "behaviour").read_text()
def say(status, message=""):
    folder.write_state(RunState(status, message, 0.5, 1.0, os.getpid(), psutil.Process().create_time()))
def leave(*_):
    say("cancelled", "on request")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if what == "deaf" else leave)
say("running", "working")
print("a last word", flush=True)
if what == "crash":
    os._exit(3)
if what == "finish":
    numpy.save(folder.logits_file, numpy.zeros((20, 3), "float16"))
    numpy.save(folder.heldout_file, numpy.zeros((20, 3), bool))
    folder.result_file.write_text('{{"map": 0.5}}')
    say("finished", "done")
    sys.exit(0)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    if folder.wanted() == "pause":
        say("paused", "on request")
        sys.exit(0)
    time.sleep(0.01)
"""


@pytest.fixture
def real_jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Runs with the real trainer; whatever still runs at the end is ended."""
    (tmp_path / "work").mkdir()
    jobs = Jobs(tmp_path / "work" / "runs", locks_dir=tmp_path / "locks", grace_s=30)
    yield jobs
    end_all(jobs)


@pytest.fixture
def fake_jobs(tmp_path: Path) -> Iterator[Callable[..., Jobs]]:
    """Return a maker of runs whose trainer is a script that does what the file ``behaviour`` says."""
    script = tmp_path / "trainer"
    script.write_text(FAKE_TRAINER.format(python=sys.executable, package=str(Path(__file__).resolve().parents[2])))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    made: list[Jobs] = []

    def make(**options: float) -> Jobs:
        made.append(Jobs(tmp_path / "runs", python=str(script), locks_dir=tmp_path / "locks", **options))
        return made[-1]

    yield make
    for jobs in made:
        end_all(jobs)


def end_all(jobs: Jobs) -> None:
    """Cancel what still runs and wait for it."""
    for info in jobs.list():
        if info.is_active:
            jobs.cancel(info.run)
            jobs.wait(info.run, timeout_s=30)


@pytest.fixture
def new_run(tmp_path: Path) -> Callable[..., int]:
    """Create a run on twenty tiny images."""

    def create(
        jobs: Jobs, behaviour: str = "wait", recipe: str = "quick", overrides: dict[str, object] | None = None
    ) -> int:
        snapshot = paint_images(tmp_path / "images", 20)
        names = (each.tolist() for each in (snapshot.paths, snapshot.class_names))
        table = LabelTable.build(*names, snapshot.states, snapshot.splits.tolist())
        config = RunConfig.create(recipe, overrides={**TINY, **(overrides or {})})
        run = jobs.create(config, root=tmp_path / "images", table=table, states=table.states)
        (jobs.folder(run) / "behaviour").write_text(behaviour)
        return run

    return create
