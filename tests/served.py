"""A studio served from a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from logicmix_studio.app.server import address, bind, build_app
from logicmix_studio.studio import Studio

STOP_S = 60.0
TOKEN = "a program's token"


@contextmanager
def serving(studio: Studio, password: str | None = None) -> Iterator[str]:
    """Serve a studio and give its address; with a password it behaves as one that others can reach."""
    listener = bind("127.0.0.1", 0)
    url = address("127.0.0.1", listener.getsockname()[1])
    host = "127.0.0.1" if password is None else "0.0.0.0"
    app = build_app(studio, host=host, password=password, token=TOKEN)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(STOP_S)
