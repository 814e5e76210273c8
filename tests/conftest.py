"""What every test stands on."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from logicmix_studio.training.device_lock import LOCKS_VARIABLE


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
