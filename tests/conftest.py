"""What every test stands on."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from logicmix_studio.environment import plugins_folder, prepare_environment
from logicmix_studio.processes import NICENESS_VARIABLE
from logicmix_studio.store.fiftyone.mongod import Mongod
from logicmix_studio.studio import Studio
from logicmix_studio.training.device_lock import LOCKS_VARIABLE
from tests.workspaces import make_workspace

if "PYTEST_XDIST_WORKER" in os.environ:
    # Modules run side by side: threads of torch that spin for each other would take each other's cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # And trainers that give way to them would make each test wait that waits for one.
    os.environ.setdefault(NICENESS_VARIABLE, "0")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest, so that no worker waits for the other's last one."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # stable: a module's tests stay together


@pytest.fixture(scope="session", autouse=True)
def _locks_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the tests' trainers wait for nobody else's training on this machine."""
    before = os.environ.get(LOCKS_VARIABLE)
    os.environ[LOCKS_VARIABLE] = str(tmp_path_factory.mktemp("locks"))
    yield
    if before is None:
        del os.environ[LOCKS_VARIABLE]
    else:
        os.environ[LOCKS_VARIABLE] = before


@pytest.fixture(scope="session")
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    """One real mongod for all tests that do not hurt it; ended by its pid."""
    with Mongod(tmp_path_factory.mktemp("mongod") / "db", environ={}) as running:
        yield running


@pytest.fixture(scope="session")
def fiftyone(mongod: Mongod) -> Any:
    """FiftyOne in this process, on that mongod."""
    switches: dict[str, str] = {}
    prepare_environment(switches, database_uri=mongod.ensure())
    switches["FIFTYONE_PLUGINS_DIR"] = str(plugins_folder())
    with pytest.MonkeyPatch.context() as patch:
        for name, value in switches.items():
            patch.setenv(name, value)
        return importlib.import_module("fiftyone")


@pytest.fixture
def open_studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Open studios on made data sets; takes the options of `make_workspace`. They are closed at the end."""
    opened: list[Studio] = []

    def open_it(name: str = "shapes", **options: Any) -> Studio:
        make_workspace(tmp_path / name, **options)
        studio = Studio.open(tmp_path / name, who="ada")
        opened.append(studio)
        return studio

    yield open_it
    for studio in opened:
        studio.close()


@pytest.fixture
def studio(open_studio: Callable[..., Studio]) -> Studio:
    """Return a studio on 24 images of 6 classes with one run."""
    return open_studio()
