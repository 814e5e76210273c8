"""A server that can be killed, and pages of the Review tab in a real Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from logicmix_studio.store import locate_workspace, write_json
from tests.browser.conftest import hear_out
from tests.review_server import ServerProcess
from tests.workspaces import make_workspace

__all__ = ["review_page", "review_server"]


@pytest.fixture
def review_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """Return a running server on 200 images of 6 classes with two runs."""
    root = tmp_path / "shapes"
    make_workspace(root, num_images=200, runs=2, known_proportion=0.5)
    write_json(locate_workspace(root).settings_file, {"plant_every": 0})
    with ServerProcess(root) as process:
        yield process


@pytest.fixture
def review_page(browser: Browser, review_server: ServerProcess) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a screen of the Review tab; script errors fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    problems: list[str] = []

    def open_screen(screen: str, **params: str) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        query = "&".join(f"{name}={value}" for name, value in {"screen": screen, **params}.items())
        page.goto(f"{review_server.url}/#/review?{query}")
        page.locator(f"section.lm-screen-{screen}").wait_for()
        return page

    yield open_screen
    heard = hear_out([context], problems)
    context.close()
    assert not heard, heard
