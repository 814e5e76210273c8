"""The server: our own routes at once, Gradio behind them a little later."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from logicmix_studio.environment import assets_folder
from logicmix_studio.errors import StudioError
from logicmix_studio.images.decode import UnreadableImage
from logicmix_studio.studio import Studio
from logicmix_studio.ui import login
from logicmix_studio.ui.gradio_door import GradioDoor
from logicmix_studio.ui.guard import Guard
from logicmix_studio.ui.page import STYLES, head
from logicmix_studio.ui.routes import routers
from logicmix_studio.ui.routes.media import assets_router, broken_picture, media_router
from logicmix_studio.ui.security import Access, load_secret, new_token
from logicmix_studio.ui.state import assets_version
from logicmix_studio.ui.tabs import tabs

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7860
TICK_S: Final = 1.0
"""How often the run folders are looked at."""
GRADIO_DELAY_S: Final = 3.0
"""The first page has the processor to itself for this long."""
PORTS_TRIED: Final = 20
BACKLOG: Final = 128
GRACE_S: Final = 3
"""How long open requests may take to end when the server stops."""

_log = logging.getLogger(__name__)


def build_app(
    studio: Studio,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    password: str | None = None,
    token: str | None = None,
    gradio: bool = True,
    gradio_delay_s: float = GRADIO_DELAY_S,
) -> FastAPI:
    """Return the application; nothing listens yet and Gradio is not imported.

    Args:
        studio: The opened data set.
        host: The address it will listen on; any but this machine's own needs a password.
        port: The port it will listen on.
        password: What a person must know to come in; none is asked for without it.
        token: What a program on this machine shows; made at random unless given.
        gradio: Whether to load Gradio behind the running server.
        gradio_delay_s: How long to wait before that.

    Raises:
        StudioError: If the host can be reached from elsewhere and there is no password.
    """
    access = Access(host, load_secret(studio.workspace.folder / "secret"), token or new_token(), password)
    assets = assets_folder()

    def head_html() -> str:
        sheets = sorted(path.stem for path in (assets / "css").glob("*.css") if path.stem not in STYLES)
        return head(assets_version(assets), access.page_token, sheets)

    door = GradioDoor(
        dataset=studio.name, tabs=tabs(), head=head_html, temporary=studio.workspace.temporary / "gradio"
    )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ticker = asyncio.create_task(_tick(studio))
        try:
            async with door.opened(gradio_delay_s) if gradio else contextlib.nullcontext():
                yield
        finally:
            ticker.cancel()

    app = FastAPI(title="LogicMix Studio", openapi_url=None, lifespan=lifespan)
    app.state.access = access
    app.state.page_token = access.page_token
    app.state.default_person = studio.who
    app.state.port = port
    app.state.door = door
    _handle_errors(app)
    app.include_router(assets_router(assets))
    app.include_router(media_router(studio))
    for routes in routers(studio):
        app.include_router(routes)
    app.include_router(login.router(access))
    app.mount("/", door)
    app.add_middleware(Guard, access=access)
    return app


def serve(
    studio: Studio,
    *,
    host: str = DEFAULT_HOST,
    port: int = DEFAULT_PORT,
    password: str | None = None,
    token: str | None = None,
    any_port: bool = True,
    gradio: bool = True,
    on_ready: Callable[[str], None] | None = None,
) -> None:
    """Listen until somebody ends the process.

    Args:
        studio: The opened data set; it is not closed here.
        host: The address to listen on.
        port: The port to listen on.
        password: What a person must know to come in.
        token: What a program on this machine shows; made at random unless given.
        any_port: Whether to take one of the next ports where this one is in use.
        gradio: Whether to load Gradio behind the running server.
        on_ready: Called with the page's address once it can be opened.

    Raises:
        StudioError: If the port is in use, or the host is open and there is no password.
    """
    token = token or new_token()
    listener = bind(host, port, tries=PORTS_TRIED if any_port else 1)
    port = listener.getsockname()[1]
    app = build_app(studio, host=host, port=port, password=password, token=token, gradio=gradio)
    url = address(host, port)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=3
    )
    server = _Server(config, lambda: _announce(studio, url, token, on_ready))
    with contextlib.closing(listener):
        server.run(sockets=[listener])


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
    raise StudioError(
        f"cannot listen on {host}, port {port}: {problem}", "choose another with --port or --host"
    )


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


def _announce(studio: Studio, url: str, token: str, on_ready: Callable[[str], None] | None) -> None:
    if not studio.read_only:
        studio.lock.publish(url=url, token=token)
    if on_ready is not None:
        on_ready(url)


async def _tick(studio: Studio) -> None:
    while True:
        try:
            await run_in_threadpool(studio.refresh)
        except Exception:
            # A broken run folder must not end the watch over the others.
            _log.exception("the run folders could not be read")
        await asyncio.sleep(TICK_S)


def _handle_errors(app: FastAPI) -> None:
    @app.exception_handler(UnreadableImage)
    def unreadable(request: Request, error: Exception) -> Response:
        assert isinstance(error, UnreadableImage)
        if request.url.path.startswith(("/thumb/", "/media/")):
            return broken_picture(error)
        return JSONResponse({"error": error.what, "hint": error.hint}, status_code=400)

    @app.exception_handler(StudioError)
    def mistake(request: Request, error: Exception) -> Response:
        assert isinstance(error, StudioError)
        return JSONResponse({"error": error.what, "hint": error.hint}, status_code=400)

    @app.exception_handler(RequestValidationError)
    def malformed(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return JSONResponse(
            {"error": _first_problem(error.errors()), "hint": "reload the page"}, status_code=422
        )

    @app.exception_handler(Exception)
    def broken(request: Request, error: Exception) -> Response:
        _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        said = {
            "error": f"the studio stumbled: {type(error).__name__}",
            "hint": "its log holds the details; try again",
        }
        return JSONResponse(said, status_code=500)


def _first_problem(problems: Any) -> str:
    first = problems[0]
    where = ".".join(str(part) for part in first.get("loc", ())[1:])
    return f"{where}: {first.get('msg', 'not valid')}"
