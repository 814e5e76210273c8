"""Ports for servers that are processes of their own."""

from __future__ import annotations

import socket


def reserved_port() -> socket.socket:
    """Return a socket that holds a free port: nobody is given it by chance, but who names it can listen there."""
    place = socket.socket()
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", 0))
    return place
