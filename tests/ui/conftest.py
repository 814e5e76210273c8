"""A studio on a small made data set, and a client that speaks to it as its own page would."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from logicmix_studio.ui import build_app

from logicmix_studio.studio import Studio
from tests.workspaces import make_workspace

BASE = "http://127.0.0.1:7860"


@pytest.fixture
def open_studio(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Open studios on made data sets; they are closed at the end."""
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


def page_client(studio: Studio, **options: Any) -> TestClient:
    """Return a client with the headers of our own page."""
    app = build_app(studio, gradio=False, **options)
    headers = {"origin": BASE, "x-logicmix-token": app.state.page_token}
    return TestClient(app, base_url=BASE, headers=headers, follow_redirects=False)


@pytest.fixture
def client(studio: Studio) -> TestClient:
    """Return a client of the small studio."""
    return page_client(studio)
