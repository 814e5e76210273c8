"""A real Chromium on studios that run in a thread of this process; no page may ask any other host for anything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    expect,
    sync_playwright,
)

from logicmix_studio.studio import Studio
from tests.browser.checks import WATCH_EVENTS
from tests.served import serving
from tests.workspaces import make_workspace

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOW_TO_GET_ONE = "no Chromium found: install it (apt-get install chromium) or name one with CHROME=/path/to/chrome"
NO_TROUBLE = (
    "Failed to load resource",
    "signal is aborted without reason",
    "BodyStreamBuffer was aborted",
    "Connection errored out",
)
"""A picture that is missing on purpose is an answer of 404; a reload breaks off what is under way, and Gradio says so."""
PATIENCE_MS = 120_000
"""How long a page may take to show something; the processor is shared with a server, a database and a trainer."""


@dataclass(frozen=True)
class Served:
    """A studio and where its page is."""

    url: str
    studio: Studio


def find_chromium() -> str | None:
    """Return the browser named by CHROME, or one that is installed."""
    named = os.environ.get("CHROME")
    if named:
        return named
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Start Chromium, or skip (fail where REQUIRE_BROWSER=1) when there is none."""
    path = find_chromium()
    if path is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            pytest.fail(HOW_TO_GET_ONE)
        pytest.skip(HOW_TO_GET_ONE)
    running = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
    yield running
    running.close()


@pytest.fixture
def serve_studio(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve made data sets; takes the options of `make_workspace`.

    With users (password and role by name) the server behaves as one that others can reach; an opened studio is served as it is.
    """
    with ExitStack() as stack:

        def serve_it(
            name: str = "shapes",
            *,
            users: Mapping[str, tuple[str, str]] | None = None,
            opened: Studio | None = None,
            **options: Any,
        ) -> Served:
            if opened is None:
                make_workspace(tmp_path / name, **options)
            studio = opened or Studio.open(tmp_path / name, who="ada")
            stack.callback(studio.close)
            return Served(stack.enter_context(serving(studio, users)), studio)

        yield serve_it


@pytest.fixture
def served(serve_studio: Callable[..., Served]) -> Served:
    """Serve 24 images of 6 classes with one run."""
    return serve_studio()


@pytest.fixture
def server_url(served: Served) -> str:
    """Return the address of the small studio."""
    return served.url


@pytest.fixture
def open_page(browser: Browser, serve_studio: Callable[..., Served]) -> Iterator[Callable[..., Page]]:
    """Open pages; while the test runs no request may leave this machine and no script may fail.

    It stands on `serve_studio` so that the pages are closed before their server ends.
    """
    contexts: list[BrowserContext] = []
    trouble: list[str] = []

    def watch_request(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:", "about:")):
            trouble.append(f"asked another host: {request.url}")

    def note(kind: str, text: str) -> None:
        if not any(words in text for words in NO_TROUBLE):
            trouble.append(f"{kind}: {text}")

    def watch_console(message: ConsoleMessage) -> None:
        if message.type == "error":
            note("console", message.text)

    def open_it(
        url: str,
        query: str = "",
        *,
        size: tuple[int, int] = (1280, 800),
        until: str = "#header .help",
    ) -> Page:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            reduced_motion="reduce",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_init_script(WATCH_EVENTS)
        contexts.append(context)
        page = context.new_page()
        page.on("request", watch_request)
        page.on("console", watch_console)
        page.on("pageerror", lambda error: note("script", str(error)))
        page.goto(f"{url}{query}")
        page.wait_for_selector(until)
        return page

    yield open_it
    heard = hear_out(contexts, trouble)
    for context in contexts:
        context.close()
    assert not heard, "\n".join(heard)


def hear_out(contexts: Sequence[BrowserContext], trouble: Sequence[str]) -> list[str]:
    """Return what pages have complained of until now; what closing them breaks off comes later and is no trouble.

    A page's messages come in order: with its answer all earlier ones are here.
    """
    for context in contexts:
        for page in context.pages:
            page.evaluate("null")
    return list(trouble)


@pytest.fixture
def studio_page(open_page: Callable[..., Page], server_url: str) -> Page:
    """Open the small studio at 1280 x 800."""
    return open_page(server_url)
