"""A studio served from a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import uvicorn

from logicmix_studio.app.server import address, bind, build_app
from logicmix_studio.store.users import Users
from logicmix_studio.studio import Studio

STOP_S = 60.0
TOKEN = "a program's token"


@contextmanager
def serving(studio: Studio, users: Mapping[str, tuple[str, str]] | None = None) -> Iterator[str]:
    """Serve a studio and give its address; with users (password and role by name) as one that others can reach."""
    for name, (password, role) in (users or {}).items():
        Users(studio.workspace.users_file).add(name, password, role)
    listener = bind("127.0.0.1", 0)
    url = address("127.0.0.1", listener.getsockname()[1])
    app = build_app(studio, host="0.0.0.0" if users else "127.0.0.1", token=TOKEN)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield url
    finally:
        server.should_exit = True
        thread.join(STOP_S)
