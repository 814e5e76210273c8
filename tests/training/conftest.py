"""Runs on tiny images in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch

from logicmix_studio.files import replacing
from logicmix_studio.training.config import RunConfig
from logicmix_studio.training.control import Control
from logicmix_studio.training.reporter import Reporter
from logicmix_studio.training.run_context import RunContext
from logicmix_studio.training.run_folder import RunFolder, Snapshot
from tests.tiny_runs import TINY, TINY_FULL, paint_images


@pytest.fixture
def paint() -> Callable[..., Snapshot]:
    """Return the painter of images."""
    return paint_images


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let torch leave the other cores to the other tests."""
    torch.set_num_threads(1)


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Forty images on disk and what is known of them."""
    return paint_images(tmp_path / "images", 40)


@pytest.fixture
def make_run(tmp_path: Path, snapshot: Snapshot) -> Callable[..., RunFolder]:
    """Write the folder of a run on the forty images."""

    def make(
        recipe: str = "quick",
        number: int = 1,
        overrides: Mapping[str, object] | None = None,
        of: Snapshot | None = None,
        init_from: int | None = None,
    ) -> RunFolder:
        what = snapshot if of is None else of
        folder = RunFolder(tmp_path / "work" / "runs" / f"{number:04d}")
        folder.path.mkdir(parents=True)
        config = RunConfig.create(
            recipe,
            overrides={**(TINY if recipe == "quick" else TINY_FULL), **(overrides or {})},
            init_from=init_from,
            root=str(tmp_path / "images"),
            class_names=what.class_names.tolist(),
        )
        with replacing(folder.config_file) as file:
            file.write(config.to_json().encode())
        what.save(folder.snapshot_file)
        return folder

    return make


@pytest.fixture
def run_context() -> Iterator[Callable[[RunFolder], RunContext]]:
    """Return where a run works in this process."""
    reporters: list[Reporter] = []

    def at(folder: RunFolder) -> RunContext:
        cache = folder.path.parent.parent / "cache"
        reporters.append(Reporter(folder))
        return RunContext(folder, cache, torch.device("cpu"), reporters[-1], Control(folder))

    yield at
    for reporter in reporters:
        reporter.close()
