"""What stands at ``/``: the plain page at once, Gradio's as soon as it has been loaded behind it.

Importing Gradio costs about six seconds of CPU. All tabs are our own markup and scripts, so both forms work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logicmix_studio.environment import prepare_environment
from logicmix_studio.ui.page import TITLE, dress, header, plain_page
from logicmix_studio.ui.tabs import Tab

CACHE_SECONDS: Final = (600, 3600)
"""How often Gradio sweeps its cache, and how old a file must be."""

_log = logging.getLogger(__name__)


class GradioDoor:
    """An ASGI app that answers with the plain page until Gradio's app is there.

    Attributes:
        is_ready: Whether new visitors get Gradio's page.
    """

    def __init__(
        self, *, dataset: str, tabs: Sequence[Tab], head: Callable[[], str], temporary: Path
    ) -> None:
        """Prepare both forms of the page; nothing heavy is imported yet.

        Args:
            dataset: The data set's name.
            tabs: The tabs, in order.
            head: Gives what the page's head shall hold.
            temporary: Gradio's cache folder; emptied at the start.
        """
        self.dataset = dataset
        self.tabs = tabs
        self.head = head
        self.temporary = temporary
        self._gradio: ASGIApp | None = None

    @property
    def is_ready(self) -> bool:
        """Whether Gradio's app has been mounted."""
        return self._gradio is not None

    @contextlib.asynccontextmanager
    async def opened(self, delay_s: float) -> AsyncIterator[None]:
        """Load Gradio behind a running server, and close it in the end.

        Args:
            delay_s: How long to wait first, so that the first page has the processor to itself.
        """
        done = asyncio.Event()
        task = asyncio.create_task(self._serve_gradio(done, delay_s))
        try:
            yield
        finally:
            done.set()
            with contextlib.suppress(asyncio.CancelledError):
                if not self.is_ready:
                    task.cancel()
                await task

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer from Gradio where it is ready, else from the plain page."""
        is_page = scope["type"] == "http" and scope["path"] == "/" and scope["method"] in ("GET", "HEAD")
        if is_page and self._gradio is not None:
            await _dressed(self._gradio, scope, receive, send, self.head())
        elif self._gradio is not None:
            await self._gradio(scope, receive, send)
        elif is_page:
            page = plain_page(head_html=self.head(), dataset=self.dataset, tabs=self.tabs)
            await HTMLResponse(page, headers={"cache-control": "no-store"})(scope, receive, send)
        elif scope["type"] == "http":
            missing = {"error": f"there is nothing at {scope['path']}", "hint": "the studio's page is at /"}
            await JSONResponse(missing, status_code=404)(scope, receive, send)

    async def _serve_gradio(self, done: asyncio.Event, delay_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), delay_s)
            return
        loaded: asyncio.Future[FastAPI] = asyncio.get_running_loop().create_future()
        # A daemon thread: leaving early must not wait for an import.
        threading.Thread(target=self._load, args=(loaded,), name="gradio", daemon=True).start()
        try:
            app = await loaded
            async with app.router.lifespan_context(app):
                self._gradio = app
                await done.wait()
        except Exception:
            # The plain page holds every tab, so the studio goes on without Gradio.
            _log.exception("Gradio could not be started; the plain page stays")

    def _load(self, loaded: asyncio.Future[FastAPI]) -> None:
        loop = loaded.get_loop()
        try:
            app = self._build()
        except Exception as error:  # outer edge of a thread: handed to whoever waits
            _settle(loop, loaded, error=error)
        else:
            _settle(loop, loaded, app=app)

    def _build(self) -> FastAPI:
        shutil.rmtree(self.temporary, ignore_errors=True)
        self.temporary.mkdir(parents=True, exist_ok=True)
        prepare_environment(gradio_temp=self.temporary)
        import gradio as gr  # noqa: PLC0415  # costs six seconds of CPU

        from logicmix_studio.ui.theme import make_theme  # noqa: PLC0415  # needs Gradio

        with gr.Blocks(
            title=f"{self.dataset} · {TITLE}", analytics_enabled=False, delete_cache=CACHE_SECONDS
        ) as blocks:
            gr.HTML(header(self.dataset), elem_classes="lm-frame", apply_default_css=False)
            with gr.Tabs(selected=self.tabs[0].name):
                for tab in self.tabs:
                    with gr.Tab(tab.title, id=tab.name, elem_id=f"tab-{tab.name}", render_children=True):
                        gr.HTML(tab.html, elem_classes="lm-frame", padding=False, apply_default_css=False)
        app = FastAPI(openapi_url=None)
        gr.mount_gradio_app(
            app, blocks, path="/", theme=make_theme(), ssr_mode=False, footer_links=[], run_history=False
        )
        return app


def _settle(
    loop: asyncio.AbstractEventLoop,
    loaded: asyncio.Future[FastAPI],
    *,
    app: FastAPI | None = None,
    error: Exception | None = None,
) -> None:
    def settle() -> None:
        if loaded.done():
            return
        if error is not None:
            loaded.set_exception(error)
        elif app is not None:
            loaded.set_result(app)

    with contextlib.suppress(RuntimeError):  # the server has gone meanwhile
        loop.call_soon_threadsafe(settle)


async def _dressed(app: ASGIApp, scope: Scope, receive: Receive, send: Send, head: str) -> None:
    """Send Gradio's page with our head in it."""
    plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    start: Message = {}
    body = bytearray()

    async def collect(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        elif message["type"] == "http.response.body":
            body.extend(message.get("body", b""))

    await app({**scope, "headers": plain}, receive, collect)
    page = dress(body.decode(), head)
    await HTMLResponse(page, status_code=start["status"], headers={"cache-control": "no-store"})(
        scope, receive, send
    )
