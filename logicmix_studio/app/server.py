"""The server: pictures by id, and the Gradio app behind them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import re
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import uvicorn
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from logicmix_studio.app.access import Access, EndedSessions, Guard, is_loopback, load_secret, new_token, with_headers
from logicmix_studio.app.answers import Answers
from logicmix_studio.app.media import media_router
from logicmix_studio.environment import assets_folder, prepare_environment
from logicmix_studio.errors import StudioError
from logicmix_studio.processes import keep_pauses_short
from logicmix_studio.store.users import Users
from logicmix_studio.studio import Studio

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7860
TICK_S: Final = 1.0
"""How often the run folders are looked at."""
PORTS_TRIED: Final = 20
BACKLOG: Final = 128
GRACE_S: Final = 3
"""How long open requests may take to end when the server stops."""

_EXTERNAL: Final = re.compile(
    r"""<(?:link|script|meta)\b[^>]*?(?:href|src|content)=["']https?://[^>]*?>(?:\s*</script>)?""", re.I
)
_FOR_EVER: Final = {"cache-control": "private, max-age=31536000, immutable"}
"""For files whose names are hashes of what is in them."""
_log = logging.getLogger(__name__)


def build_app(
    studio: Studio, *, host: str = DEFAULT_HOST, has_login: bool = False, token: str | None = None, mcp: bool = False
) -> FastAPI:
    """Return the application; nothing listens yet. Imports Gradio, which costs some seconds.

    Args:
        host: The address it will listen on; any but this machine's own needs users, and a login.
        has_login: Whether people log in on this machine, too.
        token: What a program of this user shows; made at random unless given.
        mcp: Whether the named events are served to assistants, too (needs the extra ``mcp``).

    Raises:
        StudioError: If the host can be reached from elsewhere and there are no users.
    """
    folder = studio.workspace.folder
    users = Users(studio.workspace.users_file) if has_login or not is_loopback(host) else None
    ended = EndedSessions(folder / "sessions.json")
    access = Access(host, load_secret(folder / "secret"), token or new_token(), users, ended)
    temporary = studio.workspace.temporary / "gradio"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True, exist_ok=True)
    prepare_environment(gradio_temp=temporary)
    import gradio as gr  # noqa: PLC0415  # must see the environment

    from logicmix_studio.app.blocks import build_blocks  # noqa: PLC0415  # needs Gradio
    from logicmix_studio.app.theme import make_theme  # noqa: PLC0415  # needs Gradio

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ticker = asyncio.create_task(_tick(studio))
        try:
            yield
        finally:
            ticker.cancel()

    app = FastAPI(title="LogicMix Studio", openapi_url=None, lifespan=lifespan)
    app.include_router(media_router(studio))
    files = assets_folder() / "components" / "page"
    script, style = ((files / name).read_text(encoding="utf-8") for name in ("script.js", "style.css"))
    look = {"theme": make_theme(), "css": style, "head": f"<script>\n{script}</script>", "footer_links": ["api"]}
    modes = {"ssr_mode": False, "run_history": False, "mcp_server": mcp, "show_error": True}
    gr.mount_gradio_app(app, build_blocks(studio), path="/", **look, **modes)
    app.add_middleware(_Front)
    app.add_middleware(Answers)
    app.add_middleware(Guard, access=access)
    return app


def serve(
    studio: Studio,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    has_login: bool = False,
    token: str | None = None,
    any_port: bool = True,
    mcp: bool = False,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Listen until somebody ends the process; see :func:`build_app` for the other arguments.

    Args:
        any_port: Whether to take one of the next ports where this one is in use.
        on_ready: Called with the page's address once it can be opened.

    Raises:
        StudioError: If the port is in use, or the host is open and there are no users.
    """
    token = token or new_token()
    listener = bind(host, port, tries=PORTS_TRIED if any_port else 1)
    url = address(host, listener.getsockname()[1])
    with contextlib.closing(listener), contextlib.ExitStack() as ended:
        ended.callback(gc.enable)
        gc.disable()  # nothing becomes garbage before the page stands; that takes a tenth less so
        app = build_app(studio, host=host, has_login=has_login, token=token, mcp=mcp)
        quiet: dict[str, Any] = {"log_level": "warning", "access_log": False, "server_header": False}
        config = uvicorn.Config(app, timeout_graceful_shutdown=GRACE_S, **quiet)
        logging.getLogger("uvicorn.error").addFilter(_is_trouble)
        _Server(config, lambda: _announce(studio, url, token, on_ready)).run(sockets=[listener])


def bind(host: str, port: int, tries: int = 1) -> socket.socket:
    """Return a socket that listens on the first free port from ``port`` on; 0 lets the system choose.

    Raises:
        StudioError: If none of them is free, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in range(port, port + tries):
        # asyncio sends small packets at once (TCP_NODELAY) only where the protocol is named; else answers wait 40 ms.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, number))
            listener.listen(BACKLOG)  # who asks while the server starts waits instead of being refused
        except OSError as error:
            listener.close()
            problem = error.strerror or str(error)
        else:
            return listener
    raise StudioError(f"cannot listen on {host}, port {port}: {problem}", "choose another with --port or --host")


def address(host: str, port: int) -> str:
    """Return the address to open in a browser.

    Example:
        >>> address("0.0.0.0", 7860)
        'http://127.0.0.1:7860/'
    """
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104  # only translated
    return f"http://{name}:{port}/"


class _Server(uvicorn.Server):
    """A server that says when it can be reached."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if self.started:
            self._started()


def _is_trouble(record: logging.LogRecord) -> bool:
    """Return whether a message of the server is worth a line: ending the streams of open pages, to stop, is not."""
    was_ended = record.exc_info is not None and isinstance(record.exc_info[1], asyncio.CancelledError)
    return not was_ended and "timeout graceful shutdown exceeded" not in record.msg


def _announce(studio: Studio, url: str, token: str, on_ready: Callable[[str], None] | None) -> None:
    keep_pauses_short()
    gc.enable()
    if not studio.read_only:
        studio.lock.publish(url=url, token=token)
    if on_ready is not None:
        on_ready(url)


async def _tick(studio: Studio) -> None:
    while True:
        try:
            await run_in_threadpool(studio.registry.refresh)
        except Exception:
            # A broken run folder must not end the watch over the others.
            _log.exception("the run folders could not be read")
        await asyncio.sleep(TICK_S)


class _Front:
    """Takes what names another host out of Gradio's page, and lets browsers keep the files of its script."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand in front of ``app``."""
        self.app = app
        self.page = BaseHTTPMiddleware(app, _without_other_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the page itself through the filter, all else as it is: streams would wait in it."""
        is_page = scope["type"] == "http" and scope["path"] == "/"
        if scope["type"] == "http" and scope["path"].startswith("/assets/"):
            send = with_headers(send, _FOR_EVER)
        await (self.page if is_page else self.app)(scope, receive, send)


async def _without_other_hosts(request: Request, answer: RequestResponseEndpoint) -> Response:
    """Take what names another host (fonts, previews) out of Gradio's page."""
    response = await answer(request)
    if not response.headers.get("content-type", "").startswith("text/html"):
        return response
    body = b"".join([part async for part in response.body_iterator])  # type: ignore[attr-defined]  # it streams
    return HTMLResponse(_EXTERNAL.sub("", body.decode()), headers={"cache-control": "no-store"})
